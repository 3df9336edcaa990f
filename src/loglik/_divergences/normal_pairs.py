"""A pair of normal distributions, univariate or multivariate, as the difference between the two.

With p = N(a, A Aᵀ), q = N(b, B Bᵀ), everything that compares them depends on T = B⁻¹A and c = B⁻¹(a - b). Nearly equal
pairs have T near I, and forms such as trace - d - log det lose all digits there. So the pair is kept as the excess
E = T - I, which is computed from differences:

- From the factors: E = B⁻¹(A - B), exact to the accuracy of the factors.
- From the covariances, where both distributions were given one and they are close: S = B⁻¹(Σp - Σq)B⁻ᵀ, and E from
  (I + E)(I + E)ᵀ = I + S by a Cholesky recurrence on the excess. The rounding of the two factors, which is as
  large as a small difference, does not enter. Likewise from precisions: TᵀT = I + Aᵀ(Σq⁻¹ - Σp⁻¹)A.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._engine import validate

# Below this (as the largest |S|) the covariances are close: both routes are accurate, and from here on
# down only the second one.
_CLOSE = 0.25
LOG_2PI = 1.8378770664093453


class Gaussian(NamedTuple):
    """A batch of normal distributions as a pair of them sees it, in float64 and not broadcast.

    Distributions that are Gaussian give it by `_as_gaussian`.
    """

    loc: np.ndarray  # (..., d)
    lower: np.ndarray  # (..., d, d), a factor of the covariance
    form: str = "scale"
    """How the matrix was given: "scale" (of a number), "covariance", "precision", "scale_tril" or "variance"."""
    matrix: np.ndarray | None = None
    """The covariance (of the forms covariance and variance) or the precision that was given, (..., d, d)."""
    singular: bool = False


@dataclass(frozen=True)
class NormalPair:
    """E, c and the diagonal of T for a batch of pairs, in float64."""

    batch_shape: tuple[int, ...]
    dtype: np.dtype  # of results
    excess: np.ndarray  # (..., d, d), lower triangular
    shift: np.ndarray  # (..., d)
    ratio: np.ndarray  # (..., d): diagonal t of T, where it is small without the rounding of 1 + excess
    log_ratio: np.ndarray  # (..., d): log t
    lower_p: np.ndarray  # (..., d, d): A, not broadcast
    lower_q: np.ndarray  # (..., d, d): B, not broadcast

    def kl(self) -> np.ndarray:
        """KL(p ‖ q) = Σᵢ (tᵢ²/2 - 1/2 - log tᵢ) + Σ_{i>j} Eᵢⱼ²/2 + |c|²/2, (...): a sum of non-negative terms."""
        e = _diagonal(self.excess)
        below = np.tril(self.excess, -1)
        with np.errstate(all="ignore"):
            near = 0.5 * e * e - ufuncs.log1pmx(e)
            far = 0.5 * (self.ratio - 1.0) * (self.ratio + 1.0) - self.log_ratio
            scales = np.where(self.ratio < 0.5, far, near).sum(axis=-1)
            return scales + 0.5 * ((below * below).sum(axis=(-1, -2)) + (self.shift * self.shift).sum(axis=-1))

    def cross_entropy(self) -> np.ndarray:
        """-E_p[log q(x)] = Σᵢ log bᵢᵢ + (d log 2π + |T|² + |c|²)/2, (...)."""
        with np.errstate(all="ignore"):
            below = np.tril(self.excess, -1)
            squares = (below * below).sum(axis=(-1, -2)) + (self.ratio * self.ratio + self.shift * self.shift).sum(axis=-1)
            return np.log(_diagonal(self.lower_q)).sum(axis=-1) + 0.5 * (self.shift.shape[-1] * LOG_2PI + squares)

    def gradients(self) -> "NormalGradients":
        """What the gradients of the divergence consist of; from E and c, so that nearly equal pairs keep their digits."""
        transposed = np.swapaxes(self.excess, -1, -2)
        both = self.excess + transposed
        with np.errstate(all="ignore"):
            of_p = both + transposed @ self.excess
            of_q = -(both + self.excess @ transposed + self.shift[..., :, None] * self.shift[..., None, :])
        return NormalGradients(
            by_loc=_solve_transposed(self.lower_q, self.shift[..., None])[..., 0],
            p=(self.lower_p, of_p),
            q=(self.lower_q, of_q),
        )


class NormalGradients(NamedTuple):
    """Σq⁻¹(a - b), and for p and q the factor C and the symmetric S with dKL/dΣ = C⁻ᵀ S C⁻¹/2: TᵀT - I for p and
    I - TTᵀ - ccᵀ for q."""

    by_loc: np.ndarray
    p: tuple[np.ndarray, np.ndarray]
    q: tuple[np.ndarray, np.ndarray]

    def in_matrix(self, which: str, form: str) -> np.ndarray:
        """The gradient in the matrix of "p" or "q", of which `form` says how it is given."""
        lower, s = self.p if which == "p" else self.q
        if form == "precision":
            return -0.5 * (lower @ s @ np.swapaxes(lower, -1, -2))
        half = _solve_transposed(lower, s)
        if form == "scale_tril":
            return np.tril(half)
        whole = _solve_transposed(lower, np.swapaxes(half, -1, -2))
        if form == "variance":
            return 0.5 * _diagonal(whole)
        return 0.25 * (whole + np.swapaxes(whole, -1, -2))


def normal_pair(function: str, p: Any, q: Any) -> NormalPair | None:
    """The pair, or None if one of the two is not a normal distribution.

    ValueError where dimensions differ, NotImplementedError for a singular covariance.
    """
    first, second = (d._as_gaussian() if hasattr(d, "_as_gaussian") else None for d in (p, q))
    if first is None or second is None:
        return None
    for name, gaussian in (("p", first), ("q", second)):
        if gaussian.singular:
            raise NotImplementedError(f"{function}: {name} has a singular covariance; there is no closed form for it yet")
    (a, lower_a), (b, lower_b) = first[:2], second[:2]
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"{function}: p has dimension {a.shape[-1]}, q has dimension {b.shape[-1]}")
    batch = validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)
    with np.errstate(all="ignore"):
        diagonal_a, diagonal_b = _diagonal(lower_a), _diagonal(lower_b)
        excess = np.tril(_solve(lower_b, lower_a - lower_b))
        _set_diagonal(excess, (diagonal_a - diagonal_b) / diagonal_b)
        ratio = diagonal_a / diagonal_b
        log_ratio = np.log(ratio)
        extreme = ~((ratio > 1e-300) & (ratio < 1e300))
        if extreme.any():
            log_ratio = np.where(extreme, np.log(diagonal_a) - np.log(diagonal_b), log_ratio)
        relative = _relative_difference(first, second)
        if relative is not None:
            excess, ratio = _refine(excess, ratio, relative, _given_alike(first, second, "precision"))
        e = _diagonal(excess)
        log_ratio = np.where(np.abs(e) < 0.5, np.log1p(e), log_ratio)
        shift = _whitened_difference(a, b, lower_b)
    shape = (*batch, a.shape[-1])
    return NormalPair(
        batch_shape=batch,
        dtype=validate.result_dtype(*p._floating(), *q._floating()),
        excess=np.broadcast_to(excess, (*shape, a.shape[-1])),
        shift=np.broadcast_to(shift, shape),
        ratio=np.broadcast_to(ratio, shape),
        log_ratio=np.broadcast_to(log_ratio, shape),
        lower_p=lower_a,
        lower_q=lower_b,
    )


def _given_alike(p: Gaussian, q: Gaussian, *forms: str) -> bool:
    """Whether both distributions were constructed from a matrix in one of these forms."""
    return p.form in forms and q.form in forms


def _relative_difference(p: Gaussian, q: Gaussian) -> np.ndarray | None:
    """TTᵀ - I from the covariances or TᵀT - I from the precisions, if both distributions were constructed from such (a
    factor is then the rounded thing)."""
    if _given_alike(p, q, "covariance", "variance"):
        half = _solve(q.lower, _symmetric(p.matrix) - _symmetric(q.matrix))
        return _solve(q.lower, np.swapaxes(half, -1, -2))
    if _given_alike(p, q, "precision"):
        return np.swapaxes(p.lower, -1, -2) @ (_symmetric(q.matrix) - _symmetric(p.matrix)) @ p.lower
    return None


def _symmetric(matrix: np.ndarray | None) -> np.ndarray:
    """The symmetric matrix whose lower triangle was read."""
    lower = np.tril(np.asarray(matrix, np.float64))
    return lower + np.swapaxes(np.tril(lower, -1), -1, -2)


def _refine(
    excess: np.ndarray, ratio: np.ndarray, relative: np.ndarray, transposed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Excess and ratio from TTᵀ - I (transposed: TᵀT - I), in the batch items where that is small."""
    close = np.abs(relative).max(axis=(-1, -2), initial=0.0) < _CLOSE
    if not close.any():
        return excess, ratio
    relative = np.where(close[..., None, None], relative, 0.0)
    if transposed:  # in reversed order of coordinates Tᵀ is a lower triangle
        refined = np.swapaxes(_excess_of_factor(relative[..., ::-1, ::-1]), -1, -2)[..., ::-1, ::-1]
    else:
        refined = _excess_of_factor(relative)
    return (
        np.where(close[..., None, None], refined, excess),
        np.where(close[..., None], 1.0 + _diagonal(refined), ratio),
    )


def _excess_of_factor(s: np.ndarray) -> np.ndarray:
    """E, lower triangular, with (I + E)(I + E)ᵀ = I + S: Cholesky without ever adding the identity."""
    e = np.zeros_like(s)
    for j in range(s.shape[-1]):
        column = s[..., j:, j] - np.einsum("...ik,...k->...i", e[..., j:, :j], e[..., j, :j])
        pivot = column[..., 0] / (1.0 + np.sqrt(1.0 + column[..., 0]))  # √(1 + x) - 1
        e[..., j, j] = pivot
        e[..., j + 1 :, j] = column[..., 1:] / (1.0 + pivot[..., None])
    return e


def _whitened_difference(a: np.ndarray, b: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """lower⁻¹ (a - b), halving first where the difference overflows."""
    difference = a - b
    scale = 1.0 if np.isfinite(difference).all() else 2.0
    return scale * _solve(lower, (a / scale - b / scale)[..., None])[..., 0]


def _solve(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """lower⁻¹ right for batches (..., d, d) and (..., d, n)."""
    rows = ufuncs.whiten(np.swapaxes(right, -1, -2), np.zeros(lower.shape[-1]), lower)
    return np.swapaxes(rows, -1, -2)


def _solve_transposed(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """lower⁻ᵀ right: in reversed order of coordinates the transpose is a lower triangle."""
    reversed_lower = np.ascontiguousarray(np.swapaxes(lower[..., ::-1, ::-1], -1, -2))
    return _solve(reversed_lower, right[..., ::-1, :])[..., ::-1, :]


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _set_diagonal(matrix: np.ndarray, values: np.ndarray) -> None:
    i = np.arange(matrix.shape[-1])
    matrix[..., i, i] = values
