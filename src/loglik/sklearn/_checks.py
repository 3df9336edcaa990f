"""Checks that both estimators share."""

import math
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from loglik._engine import validate

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")


def data(estimator: Any, x: Any, *, reset: bool, least: int = 1) -> np.ndarray:
    """Rows as scikit-learn wants them checked: finite, float32 or float64, of the number of columns of the fit."""
    return validate_data(estimator, x, reset=reset, dtype=[np.float64, np.float32], ensure_min_samples=least)


def sample_weight(function: str, weight: Any, n: int) -> np.ndarray | None:
    if weight is None:
        return None
    array = validate.as_array(function, "sample_weight", weight)
    if array.shape != (n,):
        raise ValueError(f"{function}: sample_weight must have shape ({n},), one for each row of X, got {array.shape}")
    array = array.astype(np.float64)
    validate.require(function, "sample_weight", array, (array >= 0) & (array < np.inf), "finite and not negative")
    if not array.any():
        raise ValueError(f"{function}: all sample weights are zero")
    return array


def choice(function: str, name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if not (isinstance(value, str) and value in allowed):
        raise ValueError(f"{function}: {name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def number(function: str, name: str, value: Any, low: float, high: float = math.inf, *, integer: bool = False) -> None:
    """A number of [low, high]."""
    types = (int, np.integer) if integer else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, types) or not low <= value <= high:
        wanted = "an integer" if integer else "a number"
        limits = f"of at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ValueError(f"{function}: {name} must be {wanted} {limits}, got {value!r}")
