"""Gaussians given some of their coordinates."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import as_array, broadcast_shapes, describe_entry, require, result_dtype
from loglik._gaussian import missing
from loglik._gaussian.matrices import triangular

if TYPE_CHECKING:
    from loglik.distributions.mvnormal import MultivariateNormal


def given(function: str, mvn: "MultivariateNormal", values: Any) -> "MultivariateNormal":
    """What `MultivariateNormal.condition` returns.

    With the observed coordinates o first, the factor of the covariance is L' = [[A, 0], [B, C]]: an orthogonal transformation of
    rows of L. Then the rest r has mean μ_r + B A⁻¹(x_o - μ_o) and the factor C: the Schur complement without a subtraction. A
    precision keeps its block of the rest.
    """
    (d,) = mvn.event_shape
    if not isinstance(values, Mapping):
        raise TypeError(f"{function}: values must be a mapping from coordinates to values, got {type(values).__name__}")
    observed = missing.coordinates(function, list(values), d)
    rest = np.setdiff1d(np.arange(d), observed)
    if not rest.size:
        raise ValueError(f"{function}: values must leave at least one coordinate, but all {d} are given")
    arrays = {key: as_array(function, f"values[{key}]", value) for key, value in values.items()}
    for key, array in arrays.items():
        require(function, f"values[{key}]", array, np.isfinite(array), "finite")
    shapes = {f"values[{key}]": array.shape for key, array in arrays.items()}
    batch = broadcast_shapes(function, **shapes, batch=mvn.batch_shape)
    x = np.stack([np.broadcast_to(a, np.broadcast_shapes(*shapes.values())).astype(np.float64) for a in arrays.values()], axis=-1)

    loc, dtype = mvn._loc.astype(np.float64), result_dtype(*values.values(), mvn._loc)
    difference = x - loc[..., observed]
    options: dict[str, Any] = {}
    if mvn._allow_singular:
        options = {"allow_singular": True, "singular_rtol": mvn._singular_rtol}
    if mvn._form == "variance":
        centre = np.broadcast_to(loc[..., rest], (*batch, len(rest)))
        return type(mvn)(centre.astype(dtype), variance=mvn._variance[..., rest].astype(dtype), **options)
    if mvn._form == "precision":
        between = mvn._precision[..., rest[:, None], observed].astype(np.float64)
        kept = mvn._precision[..., rest[:, None], rest]
        shift = np.linalg.solve(kept.astype(np.float64), between @ difference[..., None])[..., 0]
        return type(mvn)((loc[..., rest] - shift).astype(dtype), precision=kept.astype(dtype), **options)

    lower = mvn._lower(np.dtype(np.float64))
    if mvn._support is not None:
        _check_regular(function, mvn, observed)
    order, m = np.concatenate([observed, rest]), len(observed)
    factor = triangular(lower[..., order, :])
    z = ufuncs.whiten(difference[..., None, :], np.zeros(m), np.ascontiguousarray(factor[..., :m, :m]))
    centre = loc[..., rest] + (factor[..., m:, :m] @ z.swapaxes(-1, -2))[..., 0]
    remaining = factor[..., m:, m:]
    if mvn._support is not None:  # rounding is no variance
        std = np.sqrt(np.square(lower[..., rest, :]).sum(axis=-1))
        noise = (d + 1) ** 2 * np.finfo(np.float64).eps * std[..., None]
        remaining = np.where(np.abs(remaining) <= noise, 0.0, remaining)
    return type(mvn)(centre.astype(dtype), scale_tril=remaining.astype(dtype), **options)


def _check_regular(function: str, mvn: "MultivariateNormal", observed: np.ndarray) -> None:
    """LinAlgError where the given coordinates have a singular covariance: their values could contradict each other."""
    rank = np.asarray(mvn.marginal(observed).rank)
    if np.all(rank == len(observed)):
        return
    index = tuple(int(i) for i in np.argwhere(rank < len(observed))[0])
    where = describe_entry("their rank", index, rank[index])
    raise np.linalg.LinAlgError(
        f"{function}: coordinates {observed.tolist()} determine each other ({where} of {len(observed)}); give fewer of them"
    )
