"""Some coordinates of Gaussians: how they are chosen, and marginal distributions."""

import operator
from typing import Any

import numpy as np

from loglik._engine.validate import describe_entry
from loglik._gaussian.batch import GaussianBatch, Parameters
from loglik._gaussian.matrices import triangular


def chosen_coordinates(function: str, indices: Any, d: int) -> np.ndarray:
    """Indices of distinct coordinates as an array of integers from 0 to d - 1."""
    listed = [indices] if np.ndim(indices) == 0 else list(indices)
    if not listed:
        raise ValueError(f"{function}: indices must name at least one coordinate")
    chosen: list[int] = []
    for position, value in enumerate(listed):
        try:
            i = operator.index(value)
        except TypeError:
            i = None
        entry = describe_entry("indices", (position,), value)
        if i is None or isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{function}: indices must be integers, but {entry}")
        if not -d <= i < d:
            raise ValueError(f"{function}: indices must be from {-d} to {d - 1}, but {entry}")
        if i % d in chosen:
            raise ValueError(f"{function}: indices must differ, but {entry} is coordinate {i % d} again")
        chosen.append(i % d)
    return np.array(chosen)


def marginal(gaussians: GaussianBatch, chosen: np.ndarray) -> Parameters:
    """Parameters of the distribution of the coordinates `chosen`."""
    form, matrix = marginal_source(gaussians, gaussians.dtype)
    return Parameters(gaussians.loc[..., chosen], form, marginal_matrix(form, matrix, chosen))


def marginal_source(gaussians: GaussianBatch, dtype: np.dtype) -> tuple[str, np.ndarray]:
    """What marginal distributions are made from, and its form: a covariance or a variance as given, or else a factor."""
    if gaussians.form in ("covariance", "variance"):
        return gaussians.form, gaussians.matrix.astype(dtype, copy=False)
    return "scale_tril", gaussians.scale_tril(dtype)


def marginal_matrix(form: str, matrix: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The variance, covariance or factor, by form, of the coordinates `chosen`."""
    if form == "variance":
        return matrix[..., chosen]
    if form == "covariance":
        return matrix[..., chosen[:, None], chosen]
    m = len(chosen)
    if (chosen == np.arange(m)).all():
        return matrix[..., :m, :m]
    # L[chosen] is the factor of the chosen coordinates times an orthogonal matrix.
    return triangular(matrix[..., chosen, :].astype(np.float64)).astype(matrix.dtype)
