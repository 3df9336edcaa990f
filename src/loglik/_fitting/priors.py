"""Conjugate priors: their parameters and the checks of them. `loglik.priors` is their public place, and tells what they do."""

from typing import Any, NamedTuple

import numpy as np

from loglik._engine import validate


def _number(function: str, name: str, value: Any, low: float, condition: str) -> float:
    array = validate.as_array(function, name, value)
    if array.shape != ():
        raise ValueError(f"{function}: {name} must be a number, got shape {array.shape}")
    validate.require(function, name, array, np.isfinite(array) & (array >= low), condition)
    return float(array)


class Beta(NamedTuple):
    """Beta(a, b) prior of the probability of a `Bernoulli`: density ∝ p^(a - 1) (1 - p)^(b - 1).

    It is worth a - 1 ones and b - 1 zeros.

    Parameters
    ----------
    a, b : float
        At least 1, so that the posterior has its mode inside; (1, 1) is flat.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Bernoulli.fit([1, 1, 1], prior=ll.priors.Beta(2, 2)).probs
    np.float64(0.8)
    """

    a: float = 1.0
    b: float = 1.0

    def check(self, function: str) -> "Beta":
        """A copy with checked numbers; raises ValueError or TypeError."""
        return Beta(*(_number(function, f"prior.{name}", getattr(self, name), 1, "finite and at least 1") for name in ("a", "b")))


class Dirichlet(NamedTuple):
    """Dirichlet(α) prior of the probabilities of a `Discrete`: α - 1 pseudo-counts.

    Parameters
    ----------
    alpha : float or array_like, shape (K,)
        At least 1. A number: for each outcome from the smallest to the largest one seen. An array: for the outcomes start,
        start + 1, ..., start + K - 1, beyond which there must be no data.
    start : int
        The outcome of the first entry of an array.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Discrete.fit([1, 6, 6], prior=ll.priors.Dirichlet([2] * 6, start=1))
    Discrete(counts=[2, 1, 1, 1, 1, 3], start=1)
    """

    alpha: Any = 1.0
    start: int = 0

    def check(self, function: str) -> "Dirichlet":
        """A copy with checked numbers; raises ValueError or TypeError."""
        alpha = validate.as_array(function, "prior.alpha", self.alpha)
        if alpha.ndim > 1 or alpha.size == 0:
            raise ValueError(f"{function}: prior.alpha must be a number or have shape (K,), got {alpha.shape}")
        validate.require(function, "prior.alpha", alpha, np.isfinite(alpha) & (alpha >= 1), "finite and at least 1")
        if isinstance(self.start, bool) or not hasattr(self.start, "__index__"):
            raise TypeError(f"{function}: prior.start must be an integer, got {self.start!r}")
        return Dirichlet(alpha.astype(np.float64), self.start.__index__())


class Pareto(NamedTuple):
    """Bilateral Pareto prior of a `Uniform`: it contains [low, high], and its density falls with a power of its width.

    The mode of the posterior does not depend on that power. Without arguments nothing is known to be inside: the prior is flat.

    Parameters
    ----------
    low, high : float
        What the interval surely contains: low ≤ high, or (inf, -inf) for nothing.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Uniform.fit([2.0, 5.0], prior=ll.priors.Pareto(0.0, 3.0))
    Uniform(low=0.0, high=5.0)
    """

    low: float = float("inf")
    high: float = float("-inf")

    def check(self, function: str) -> "Pareto":
        """A copy with checked numbers; raises ValueError or TypeError."""
        low, high = (validate.as_array(function, f"prior.{name}", getattr(self, name)) for name in ("low", "high"))
        if low.shape or high.shape:
            raise ValueError(f"{function}: prior.low and prior.high must be numbers, got shapes {low.shape} and {high.shape}")
        flat = low == np.inf and high == -np.inf
        if not flat and not -np.inf < low <= high < np.inf:
            raise ValueError(f"{function}: prior.low = {low} and prior.high = {high} must be finite and in order")
        return Pareto(float(low), float(high))


class NormalInverseGamma(NamedTuple):
    """Normal-inverse-gamma prior of a `Normal`: σ² ~ inverse gamma(shape, scale), μ given σ² ~ Normal(mean, σ²/kappa).

    Density in (μ, σ²) ∝ (σ²)^-(shape + 3/2) exp(-(scale + kappa (μ - mean)²/2)/σ²). The mode of the posterior is

    μ = (kappa·mean + W·x̄)/(kappa + W),   σ² = (2·scale + Σw(x - x̄)² + kappa·W/(kappa + W)·(x̄ - mean)²) / (W + 2·shape + 3).

    Parameters
    ----------
    mean : float
        Where μ is expected.
    kappa : float
        At least 0: how many observations the knowledge of the mean is worth.
    shape : float
        At least -1.5, where the prior is flat in σ².
    scale : float
        At least 0.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Normal.fit([4.0], prior=ll.priors.NormalInverseGamma(0.0, 1.0, 1.0, 1.0))
    Normal(loc=2.0, scale=1.2909944487358056)
    """

    mean: float = 0.0
    kappa: float = 0.0
    shape: float = -1.5
    scale: float = 0.0

    def check(self, function: str) -> "NormalInverseGamma":
        """A copy with checked numbers; raises ValueError or TypeError."""
        return NormalInverseGamma(
            _number(function, "prior.mean", self.mean, -np.inf, "finite"),
            _number(function, "prior.kappa", self.kappa, 0, "finite and not negative"),
            _number(function, "prior.shape", self.shape, -1.5, "finite and at least -1.5"),
            _number(function, "prior.scale", self.scale, 0, "finite and not negative"),
        )


class NormalInverseWishart(NamedTuple):
    """Normal-inverse-Wishart prior of a `MultivariateNormal`: Σ ~ inverse Wishart(scale, dof), μ given Σ ~ Normal(mean, Σ/kappa).

    Density in (μ, Σ) ∝ det(Σ)^-((dof + d)/2 + 1) exp(-tr(scale Σ⁻¹)/2 - kappa (μ - mean)ᵀ Σ⁻¹ (μ - mean)/2).
    The mode of the posterior is

    μ = (kappa·mean + W·x̄)/(kappa + W),
    Σ = (scale + S + kappa·W/(kappa + W)·(x̄ - mean)(x̄ - mean)ᵀ) / (W + dof + d + 2),   S = Σ w (x - x̄)(x - x̄)ᵀ.

    With a positive definite scale there is a fit for any data, also for fewer rows than dimensions.

    Parameters
    ----------
    mean : array_like, shape (d,), or float
        Where μ is expected; a number is meant for every coordinate.
    kappa : float
        At least 0.
    dof : float, optional
        At least -(d + 2), the default, where the prior is flat in Σ.
    scale : array_like, shape (d, d), or float
        Symmetric; a number is that multiple of the identity.

    Examples
    --------
    >>> import loglik as ll
    >>> prior = ll.priors.NormalInverseWishart(dof=4.0, scale=1.0)
    >>> ll.MultivariateNormal.fit([[1.0, 2.0]], prior=prior).variance.round(3)
    array([0.111, 0.111])
    """

    mean: Any = 0.0
    kappa: float = 0.0
    dof: float | None = None
    scale: Any = 0.0

    def check_for(self, function: str, d: int) -> "NormalInverseWishart":
        """A copy with checked numbers in d dimensions; raises ValueError or TypeError."""
        mean, scale = (validate.as_array(function, f"prior.{name}", getattr(self, name)) for name in ("mean", "scale"))
        if mean.shape not in ((), (d,)):
            raise ValueError(f"{function}: prior.mean must be a number or have shape ({d},), got {mean.shape}")
        if scale.shape not in ((), (d, d)):
            raise ValueError(f"{function}: prior.scale must be a number or have shape ({d}, {d}), got {scale.shape}")
        validate.require(function, "prior.mean", mean, np.isfinite(mean), "finite")
        validate.require(function, "prior.scale", scale, np.isfinite(scale), "finite")
        scale = scale.astype(np.float64)
        if scale.ndim:
            validate.require(function, "prior.scale", scale, scale == scale.T, "symmetric")
        else:
            validate.require(function, "prior.scale", scale, scale >= 0, "not negative")
        flat = -(d + 2.0)
        return NormalInverseWishart(
            np.broadcast_to(mean.astype(np.float64), (d,)),
            _number(function, "prior.kappa", self.kappa, 0, "finite and not negative"),
            flat if self.dof is None else _number(function, "prior.dof", self.dof, flat, f"finite and at least {flat:g}"),
            scale if scale.ndim else scale * np.eye(d),
        )
