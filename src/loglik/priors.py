"""Conjugate priors for ``fit``: with one, it returns the mode of the posterior density (MAP) instead of maximum likelihood.

Each is an immutable value. Without arguments it is flat, and a flat prior gives the bits of maximum likelihood.

==============  =======================  ==============================================================
Family          Prior                    Mode of the posterior density
==============  =======================  ==============================================================
Bernoulli       `Beta`                   (Σwx + a - 1) / (Σw + a + b - 2)
Discrete        `Dirichlet`              (c + α - 1) / Σ(c + α - 1), c the counts
Uniform         `Pareto`                 from min(x, low) to max(x, high)
Normal          `NormalInverseGamma`     of (μ, σ²) together
Multivariate    `NormalInverseWishart`   of (μ, Σ) together
==============  =======================  ==============================================================

Sources: K. Murphy, Machine Learning: A Probabilistic Perspective (2012), sections 3.3, 3.4, 4.6.3 and exercise 3.9; A. Gelman and
others, Bayesian Data Analysis (3rd edition), chapters 2 and 3.
"""

from loglik._fitting.priors import Beta, Dirichlet, NormalInverseGamma, NormalInverseWishart, Pareto

__all__ = ["Beta", "Dirichlet", "NormalInverseGamma", "NormalInverseWishart", "Pareto"]

for _prior in (Beta, Dirichlet, NormalInverseGamma, NormalInverseWishart, Pareto):
    _prior.__module__ = __name__  # pickles and help name the public place
del _prior
