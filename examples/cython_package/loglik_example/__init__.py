"""An example of a package that calls the kernels of loglik from Cython."""

import loglik  # noqa: F401  # loads the library: Windows looks for it nowhere else

from ._score import bernoulli_nll_rows, mvn_log_prob

__all__ = ["bernoulli_nll_rows", "mvn_log_prob"]
