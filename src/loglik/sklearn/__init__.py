"""Estimators for scikit-learn on the kernels of loglik: `GaussianDensity` and `GaussianMixture`.

Needs scikit-learn; ``import loglik`` alone does not load it.
"""

try:
    import sklearn as _sklearn  # noqa: F401  (the package of that name, not this one)
except ImportError as error:
    raise ImportError("loglik.sklearn needs scikit-learn 1.6 or later: pip install 'loglik[sklearn]'") from error

from loglik.sklearn.density import GaussianDensity
from loglik.sklearn.mixture import GaussianMixture

__all__ = ["GaussianDensity", "GaussianMixture"]
