"""Gaussians given some of their coordinates."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.validate import as_array, broadcast_shapes, describe_entry, require, result_dtype
from loglik._gaussian.batch import GaussianBatch, Parameters, prepare
from loglik._gaussian.coordinates import chosen_coordinates, marginal
from loglik._gaussian.matrices import triangular


def condition(function: str, gaussians: GaussianBatch, values: Any) -> Parameters:
    """Parameters of the distribution of the other coordinates, given `values`, a mapping from coordinates to their values.

    With the observed coordinates o first, the factor of the covariance is L' = [[A, 0], [B, C]]: an orthogonal transformation of
    rows of L. Then the rest r has mean μ_r + B A⁻¹(x_o - μ_o) and the factor C: the Schur complement without a subtraction. A
    precision keeps its block of the rest.
    """
    d = gaussians.d
    if not isinstance(values, Mapping):
        raise TypeError(f"{function}: values must be a mapping from coordinates to values, got {type(values).__name__}")
    observed = chosen_coordinates(function, list(values), d)
    rest = np.setdiff1d(np.arange(d), observed)
    if not rest.size:
        raise ValueError(f"{function}: values must leave at least one coordinate, but all {d} are given")
    arrays = {key: as_array(function, f"values[{key}]", value) for key, value in values.items()}
    for key, array in arrays.items():
        require(function, f"values[{key}]", array, np.isfinite(array), "finite")
    shapes = {f"values[{key}]": array.shape for key, array in arrays.items()}
    batch = broadcast_shapes(function, **shapes, batch=gaussians.batch_shape)
    shape = np.broadcast_shapes(*shapes.values())
    x = np.stack([np.broadcast_to(a, shape).astype(np.float64) for a in arrays.values()], axis=-1)

    loc, dtype = gaussians.loc.astype(np.float64), result_dtype(*values.values(), gaussians.loc)
    difference = x - loc[..., observed]
    if gaussians.form == "variance":
        mean = np.broadcast_to(loc[..., rest], (*batch, len(rest)))
        return Parameters(mean.astype(dtype), "variance", gaussians.matrix[..., rest].astype(dtype))
    if gaussians.form == "precision":
        between = gaussians.matrix[..., rest[:, None], observed].astype(np.float64)
        kept = gaussians.matrix[..., rest[:, None], rest]
        shift = np.linalg.solve(kept.astype(np.float64), between @ difference[..., None])[..., 0]
        return Parameters((loc[..., rest] - shift).astype(dtype), "precision", kept.astype(dtype))

    lower = gaussians.scale_tril(np.dtype(np.float64))
    if gaussians.support is not None:
        _check_regular(function, gaussians, observed)
    order, m = np.concatenate([observed, rest]), len(observed)
    factor = triangular(lower[..., order, :])
    z = ufuncs.whiten(difference[..., None, :], np.zeros(m), np.ascontiguousarray(factor[..., :m, :m]))
    mean = loc[..., rest] + (factor[..., m:, :m] @ z.swapaxes(-1, -2))[..., 0]
    remaining = factor[..., m:, m:]
    if gaussians.support is not None:  # rounding is no variance
        std = np.sqrt(np.square(lower[..., rest, :]).sum(axis=-1))
        noise = (d + 1) ** 2 * np.finfo(np.float64).eps * std[..., None]
        remaining = np.where(np.abs(remaining) <= noise, 0.0, remaining)
    return Parameters(mean.astype(dtype), "scale_tril", remaining.astype(dtype))


def _check_regular(function: str, gaussians: GaussianBatch, observed: np.ndarray) -> None:
    """LinAlgError where the given coordinates have a singular covariance: their values could contradict each other."""
    parameters = marginal(gaussians, observed)
    rank = np.asarray(
        prepare(gaussians.owner, *parameters, allow_singular=True, singular_rtol=gaussians.singular_rtol).rank()
    )
    if np.all(rank == len(observed)):
        return
    index = tuple(int(i) for i in np.argwhere(rank < len(observed))[0])
    where = describe_entry("their rank", index, rank[index])
    raise np.linalg.LinAlgError(
        f"{function}: coordinates {observed.tolist()} determine each other ({where} of {len(observed)}); give fewer of them"
    )
