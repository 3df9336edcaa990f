"""The normal distribution."""

import functools
import math
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._divergences import pairs
from loglik._divergences.normal_pairs import Gaussian
from loglik._engine import expectation, sampling
from loglik._fitting import gaussian, priors
from loglik._kernels import fill_normal
from loglik.distributions.univariate import LocationScale, standardised

_HALF_LOG_2PI = 0.91893853320467274
_LOG_2PI = 1.8378770664093453
_HALF_ROOT = 0.19947114020071635  # 1/√(8π): half of φ(0)
_NODES = 12  # error of the rule below 1e-17 where the density falls by e³ and the interval is two deviations
_DEVIATIONS = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 38.6])  # to where the density is below 1e-323


class Normal(LocationScale):
    """Normal (Gaussian) distribution with density exp(-((x - μ)/σ)²/2) / (σ √(2π)).

    Parameters
    ----------
    loc : array_like
        Mean μ, finite.
    scale : array_like
        Standard deviation σ, positive and finite. Broadcasts with `loc`.

    Raises
    ------
    ValueError
        If a parameter is outside its range (the message names the first index and its value) or the shapes do not
        broadcast.
    TypeError
        If a parameter is not real.

    Notes
    -----
    With z = (x - μ)/σ and u = 2⁻⁵³ (float32: 2⁻²⁴):

    - log_prob = -z²/2 - log σ - log(2π)/2: at most 4 units of u·Σ|terms| for x and σ over the whole range, without overflow of
      x - μ or of squares. Gradients -z/σ in x, z/σ in μ and (z² - 1)/σ in σ: at most 8 units.
    - cdf = Φ(z), sf = Φ(-z) and their logarithms: the functions `ufuncs.ndtr` and `ufuncs.log_ndtr` of the rounded z.
    - quantile = μ + σ Φ⁻¹(q): at most 6 u (abs(μ) + abs(σ Φ⁻¹(q))), infinite where σ Φ⁻¹(q) overflows. 2 μ - quantile(p) is what
      is exceeded with probability p, also where 1 - p rounds to 1.
    - prob_between: relative error at most 16 u beside what the rounding of z changes. An interval that is short for the density
      on it is integrated by a Gauss-Legendre rule, with positive terms; others are a difference of probabilities of the
      nearer tail, the smaller at most a fifth of the larger.
    - entropy = log σ + (1 + log 2π)/2.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Normal(0.0, 1.0).log_prob([-1, 0, 1, 2]).sum()
    np.float64(-6.675754132818691)
    """

    _kernel = ufuncs.normal_log_prob
    _lower_tail = staticmethod(ufuncs.ndtr)
    _unit_variance, _unit_kurtosis, _unit_entropy = 1.0, 0.0, 0.5 + _HALF_LOG_2PI
    _sequence = staticmethod(fill_normal)
    _draw_nanoseconds = 2.0

    @staticmethod
    def _log_lower_tail(z: Any, rest: Any) -> Any:
        return ufuncs.log_ndtr(z)

    @staticmethod
    def _lower_quantile(p: Any) -> Any:
        return ufuncs.ndtri(p)

    def _quantile_of(self, q: Any, loc: Any, scale: Any) -> Any:
        return ufuncs.ndtri(q) * scale + loc  # as right for q near 1 as for q near 0

    def _slopes(self, x: Any, loc: Any, scale: Any) -> tuple[Any, ...]:
        z = standardised(x, loc, scale)
        return lambda: -z / scale, lambda: z / scale, lambda: (z - 1) * ((z + 1) / scale)

    @staticmethod
    def _inside(low: Any, high: Any, width: Any) -> Any:
        mirrored = low + high > 0  # to the left, where probabilities are those of the nearer tail
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        value = np.asarray(ufuncs.ndtr(high) - ufuncs.ndtr(low))
        # Around the middle the density is exp(-middle·s - s²/2) of its value there: nearly a polynomial if this is so small.
        short = (width < 2) & (np.abs(low + high) * width < 6)
        if short.any():
            value[short] = _short_interval(high[short], np.broadcast_to(width, value.shape)[short])
        return value

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        return expectation.normal(function, g, np.asarray(self._loc), np.asarray(self._scale))

    def _edges(self, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return loc[:, None] + np.concatenate([-_DEVIATIONS[:0:-1], _DEVIATIONS]) * scale[:, None]

    def _picture(self) -> Any:
        from loglik._faces import pictures

        return pictures.bell(float(self.mean), float(self.std))

    def _as_gaussian(self) -> Gaussian:
        """The distribution as a multivariate normal of one dimension."""
        loc, scale = (np.asarray(a, np.float64) for a in (self.loc, self.scale))
        return Gaussian(loc[..., None], scale[..., None, None])

    _prior = priors.NormalInverseGamma
    _fitted = classmethod(gaussian.normal)


draw = functools.partial(sampling.affine, fill_normal)


def _short_interval(end: np.ndarray, width: np.ndarray) -> np.ndarray:
    """∫ of the standard density from end - width to end: φ(end) ∫ exp(end·s - s²/2) ds over 0 ≤ s ≤ width."""
    head = end.astype(np.float32).astype(np.float64)  # its square is exact, so the exponent is no less accurate than `end`
    total = np.zeros_like(end)
    for node, weight in _rule():
        s = (0.5 + 0.5 * node) * width
        total += weight * ufuncs.exp((end - 0.5 * s) * s)
    return ufuncs.exp(-0.5 * head * head) * ufuncs.exp(-0.5 * (end - head) * (end + head)) * _HALF_ROOT * width * total


@functools.cache
def _rule() -> list[tuple[float, float]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return list(zip(nodes.tolist(), weights.tolist(), strict=True))


# ------------------------------------------------------------------------------------------- divergences


def _kl_slopes(a: Any, s: Any, b: Any, t: Any) -> tuple[Any, ...]:
    """Derivatives of KL(N(a, s²) ‖ N(b, t²)) in a, s, b and t."""
    shift = standardised(a, b, t)
    excess = (s - t) / t  # σp/σq - 1
    return (
        lambda: shift / t,
        lambda: excess * ((s + t) / t / s),
        lambda: -shift / t,
        lambda: -(excess * (2 + excess) + shift * shift) / t,
    )


def cross_entropy(loc: Any, scale: Any, q_loc: Any, q_scale: Any) -> Any:
    """log σq + (log 2π + (σ² + (μ - μq)²)/σq²)/2 of anything with the mean μ and the variance σ²."""
    shift, ratio = (loc / 2 - q_loc / 2) / (q_scale / 2), scale / q_scale
    return np.log(q_scale) + 0.5 * (_LOG_2PI + (ratio * ratio + shift * shift))


def _kl_of_location_scale(function: str, p: LocationScale, q: Normal) -> Any:
    """KL of the normal distribution with the mean and the variance of p, and what p has less entropy than that."""
    excess = 0.5 * math.log(p._unit_variance) + (0.5 + _HALF_LOG_2PI) - p._unit_entropy

    def formula(loc: Any, scale: Any, q_loc: Any, q_scale: Any) -> Any:
        return ufuncs.normal_kl(loc, math.sqrt(p._unit_variance) * scale, q_loc, q_scale) + excess

    return pairs.in_blocks(function, p, q, formula, 10.0, wide=True)


def _cross_entropy_of_location_scale(function: str, p: LocationScale, q: Normal) -> Any:
    def formula(loc: Any, scale: Any, q_loc: Any, q_scale: Any) -> Any:
        return cross_entropy(loc, math.sqrt(p._unit_variance) * scale, q_loc, q_scale)

    return pairs.in_blocks(function, p, q, formula, 10.0, wide=True)


pairs.register(pairs.KL, Normal, Normal, pairs.elementwise(ufuncs.normal_kl, 5.0), pairs.elementwise_slopes(_kl_slopes))
pairs.register(pairs.CROSS_ENTROPY, Normal, Normal, pairs.elementwise(cross_entropy, 5.0, wide=True))
pairs.register(pairs.KL, LocationScale, Normal, _kl_of_location_scale)
pairs.register(pairs.CROSS_ENTROPY, LocationScale, Normal, _cross_entropy_of_location_scale)
