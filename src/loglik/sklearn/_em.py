"""Expectation and maximisation for mixtures of Gaussians, in blocks of rows.

Design
- One pass over the data is a whole iteration. For a block of rows the grid kernel writes the K log-densities of every row, a
  component's values side by side; they become responsibilities in place; and the kernel of weighted moments adds the
  block to K states, while all of it is in cache. Nothing of the size of the data is made.
- Blocks go to a fixed number of sets of states in turn, which are joined in a fixed order: results do not depend on threads.
- Parameters and sums are float64; rows, log-densities and responsibilities have the type of the data.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._engine.parallel import run_blocks
from loglik._engine.validate import describe_entry
from loglik._fitting.statistics import Moments, empty_states, state_size, summary, tree
from loglik._gaussian.evaluation import log_prob_block
from loglik._gaussian.matrices import factored
from loglik._kernels import moments_update

_VALUES = 1 << 16  # log-densities of a block, about
_SETS = 16  # of states that are filled side by side, at most,
_STATES = 1 << 20  # with so many numbers in all


class MixtureParameters(NamedTuple):
    """Parameters in float64."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray  # "full" (K, d, d), "tied" (d, d), "diag" (K, d), "spherical" (K,)
    factors: np.ndarray  # lower Cholesky factors (K, d, d), or the variances


class Densities:
    """log w(k) + log N(x | k) of blocks of rows, in a dtype."""

    def __init__(self, model: MixtureParameters, dtype: np.dtype) -> None:
        self.dtype, (self.components, d) = dtype, model.means.shape
        self._form = "scale_tril" if model.factors.ndim == 3 else "variance"
        factors = model.factors
        if factors.ndim == 1:
            factors = np.broadcast_to(factors[:, None], (self.components, d))
        self._means = model.means.astype(dtype)[None]
        self._factors = np.ascontiguousarray(factors, dtype)[None]
        with np.errstate(divide="ignore"):
            self._log_weights = np.log(model.weights).astype(dtype)

    def _components(self, x: np.ndarray) -> np.ndarray:
        """log N(x | k), of shape (K, rows)."""
        values = np.empty((self.components, len(x)), self.dtype)
        log_prob_block("GaussianMixture", x[None], self._means, self._factors, values.T[None], form=self._form)
        return values

    def joint(self, x: np.ndarray) -> np.ndarray:
        """log w(k) + log N(x | k), of shape (K, rows)."""
        values = self._components(x)
        values += self._log_weights[:, None]
        return values

    def total(self, x: np.ndarray) -> np.ndarray:
        """log Σ_k, of shape (rows,)."""
        return ufuncs.log_mixture(self._components(x).T, self._log_weights)

    def responsibilities(self, x: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Responsibilities (K, rows) and log-densities of the rows; `first` is the index of the first row, for errors."""
        densities = self._components(x)
        values, total = np.empty_like(densities), np.empty(len(x), self.dtype)
        with np.errstate(invalid="ignore"):
            ufuncs.responsibilities(densities.T, self._log_weights, out=(values.T, total))
        if not np.isfinite(total).all():
            i = int(np.argmin(np.isfinite(total)))
            entry = describe_entry("X", (first + i,), x[i])
            raise ValueError(f"GaussianMixture: a row is so far from every component that its density is 0: {entry}")
        return values, total


class Blocks:
    """Rows of the data in blocks that depend on shapes alone."""

    def __init__(self, x: np.ndarray, components: int) -> None:
        self.x = x
        self.n, self.d = x.shape
        self.rows = max(64, min(4096, _VALUES // max(components, self.d) // 64 * 64))
        self.count = -(-self.n // self.rows)
        self.seconds = self.n * components * self.d * (self.d + 8) * 1e-10

    def span(self, i: int) -> slice:
        return slice(i * self.rows, min(self.n, (i + 1) * self.rows))

    def run(self, function: Callable[[np.ndarray, slice], None]) -> None:
        def block(i: int) -> None:
            at = self.span(i)
            function(np.ascontiguousarray(self.x[at]), at)

        run_blocks(block, self.count, seconds=self.seconds)


Expectation = Callable[[np.ndarray, slice], tuple[np.ndarray, float]]
"""Responsibilities (K, rows) of a block, and its part of the log-likelihood."""


def moments(
    blocks: Blocks, expectation: Expectation, weights: np.ndarray | None, components: int, diagonal: bool
) -> tuple[Moments, float]:
    """Weighted moments of the components over all rows, and the log-likelihood."""
    d = blocks.d
    size = components * state_size(d, diagonal)
    sets = min(blocks.count, _SETS, max(4, _STATES // size))
    states = [empty_states(components, d, diagonal) for _ in range(sets)]
    likelihood = np.zeros(sets)

    def block(i: int) -> None:
        at = blocks.span(i)
        x = np.ascontiguousarray(blocks.x[at])
        values, share = expectation(x, at)
        x, values = (a.astype(np.float64, copy=False) for a in (x, values))  # once, not for each component
        if weights is not None:
            values *= weights[at]
        for k in range(components):
            moments_update(states[i % sets][k], x[None], values[k], diagonal, extremes=False)
        likelihood[i % sets] += share

    for first in range(0, blocks.count, sets):
        some = min(sets, blocks.count - first)
        run_blocks(lambda i, first=first: block(first + i), some, seconds=blocks.seconds)  # type: ignore[misc]
    return summary(tree(states, d, diagonal), np.zeros(components), d, diagonal), math.fsum(likelihood)


def expectation(densities: Densities, weights: np.ndarray | None) -> Expectation:
    """The E-step of a model."""

    def block(x: np.ndarray, at: slice) -> tuple[np.ndarray, float]:
        values, total = densities.responsibilities(x, at.start)
        wide = total.astype(np.float64)
        return values, float(wide.sum() if weights is None else (wide * weights[at]).sum())

    return block


def counts(m: Moments, unit: float) -> np.ndarray:
    """Weights of the components, kept from 0 as scikit-learn does; `unit` is the mean weight of a row."""
    return m.weight + 10 * np.finfo(np.float64).eps * unit


def parameters(m: Moments, unit: float, covariance_type: str, reg_covar: float) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariances that maximise the likelihood; a component without weight has mean 0 (as in scikit-learn)."""
    size = counts(m, unit)
    means = np.where((m.weight > 0)[:, None], m.mean, 0) * (m.weight / size)[:, None]
    if covariance_type == "tied":
        covariances = m.squares.sum(axis=0) / size.sum()
    else:
        covariances = m.squares / size.reshape(-1, *(1,) * (m.squares.ndim - 1))
    if covariance_type == "spherical":
        covariances = covariances.mean(axis=1)
    if covariance_type in ("full", "tied"):
        i = np.arange(covariances.shape[-1])
        covariances[..., i, i] += reg_covar
    else:
        covariances += reg_covar
    return means, covariances


def factors(covariances: np.ndarray, covariance_type: str, components: int) -> np.ndarray:
    """The `factors` of `MixtureParameters`; LinAlgError for a covariance that is not positive definite."""
    form = "covariance" if covariance_type in ("full", "tied") else "variance"
    try:
        result = factored("GaussianMixture", form, covariances, warn=False)
    except ValueError as error:
        raise np.linalg.LinAlgError(
            f"{error}: a component has collapsed; take fewer components, a larger reg_covar, or scale the data"
        ) from None
    return np.broadcast_to(result, (components, *result.shape)) if covariance_type == "tied" else result


def inverse_transposed(lower: np.ndarray) -> np.ndarray:
    """(L⁻¹)ᵀ of lower triangular matrices: scikit-learn's ``precisions_cholesky_`` of Cholesky factors."""
    d = lower.shape[-1]
    return ufuncs.whiten(np.eye(d), np.zeros(d), lower)
