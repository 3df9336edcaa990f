"""The families of distributions, in the order in which pages and messages list them.

What is made for every family is made from here: contract tests, fuzzing, tables of the documentation, models of the command line.
"""

from loglik.distributions.base import Distribution
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.discrete import Discrete
from loglik.distributions.laplace import Laplace
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.normal import Normal
from loglik.distributions.uniform import Uniform

FAMILIES: dict[str, type[Distribution]] = {
    family.__name__: family for family in (Normal, Laplace, Uniform, Bernoulli, Discrete, MultivariateNormal)
}


def continuous() -> list[str]:
    """Names of the continuous families on the line."""
    return [name for name, family in FAMILIES.items() if getattr(family, "_has_line", None) is True]
