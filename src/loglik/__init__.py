"""loglik: log-likelihoods, losses, divergences and exact sums of discrete variables, compiled.

Public names only; what is optional (matplotlib, torch, ...) is imported by the feature that uses it.
"""

from loglik import priors, ufuncs
from loglik._engine.config import available_isas, get_include, isa, show_config
from loglik._engine.parallel import get_num_threads, num_threads, set_num_threads
from loglik._engine.validate import AccuracyWarning
from loglik._fitting.report import FitReport
from loglik.bayes import diagnostic_test, posterior
from loglik.dice import dice, die
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.comparison import prob_equal, prob_greater
from loglik.distributions.discrete import Discrete
from loglik.distributions.laplace import Laplace
from loglik.distributions.mixture import mixture_log_prob
from loglik.distributions.mvnormal import MultivariateNormal, mvn_log_prob
from loglik.distributions.normal import Normal
from loglik.distributions.sums import convolve
from loglik.distributions.uniform import Uniform
from loglik.divergences import cross_entropy, js_distance, js_divergence, kl_divergence
from loglik.estimate import Estimate, estimate_js, estimate_kl
from loglik.losses import bernoulli_nll, categorical_nll, gaussian_nll, kl_standard_normal, laplace_nll
from loglik.moments import MomentStats, correlation, covariance, covariance_from

__version__ = "0.1.0"

__all__ = [
    "AccuracyWarning",
    "Bernoulli",
    "Discrete",
    "Estimate",
    "FitReport",
    "Laplace",
    "MomentStats",
    "MultivariateNormal",
    "Normal",
    "Uniform",
    "available_isas",
    "bernoulli_nll",
    "categorical_nll",
    "convolve",
    "correlation",
    "covariance",
    "covariance_from",
    "cross_entropy",
    "diagnostic_test",
    "dice",
    "die",
    "estimate_js",
    "estimate_kl",
    "gaussian_nll",
    "get_include",
    "get_num_threads",
    "isa",
    "js_distance",
    "js_divergence",
    "kl_divergence",
    "kl_standard_normal",
    "laplace_nll",
    "mixture_log_prob",
    "mvn_log_prob",
    "num_threads",
    "posterior",
    "priors",
    "prob_equal",
    "prob_greater",
    "set_num_threads",
    "show_config",
    "ufuncs",
]

for _name in __all__:
    # Pickles, reprs and help name what is public by its public place, so that files may move.
    if hasattr(globals()[_name], "__qualname__"):
        globals()[_name].__module__ = __name__
del _name
