"""The report of a fit, and the checks that fits share."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from loglik._engine import validate
from loglik._fitting.statistics import Moments


@dataclass(frozen=True, eq=False)
class FitReport:
    """How a distribution was fitted: its ``fit_report``. Arrays where the fit is a batch.

    ``aic`` = 2k - 2 log L and ``bic`` = k log W - 2 log L, for k parameters and a total weight W.
    """

    method: str
    """"ml", or "map" with a prior."""
    n: Any
    """Observations of positive weight."""
    weight: Any
    """Their total weight; n without weights."""
    n_parameters: int
    log_likelihood: Any
    """Log-likelihood of the data, in nats, each observation times its weight; without the prior."""
    standard_errors: dict[str, Any]
    """By parameter, from the Fisher information of the data at the estimate; see ``fit``."""

    @property
    def aic(self) -> Any:
        """Akaike's information criterion."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> Any:
        """Bayesian information criterion."""
        return self.n_parameters * np.log(self.weight) - 2 * self.log_likelihood


def check_prior(function: str, prior: Any, conjugate: type | None) -> None:
    """Raise TypeError for a prior of another family than `conjugate`."""
    if prior is None or (conjugate is not None and isinstance(prior, conjugate)):
        return
    wanted = "None, there is no conjugate prior" if conjugate is None else f"a loglik.priors.{conjugate.__name__}"
    raise TypeError(f"{function}: prior must be {wanted}, got {type(prior).__name__}")


def check_data(function: str, m: Moments) -> None:
    """Raise ValueError where there are no data, or none that are finite."""
    check_weight(function, m.weight)
    good = np.isfinite(m.mean)
    if not good.all():
        entry = validate.describe_entry("mean", validate.first_index(~good), np.asarray(m.mean)[validate.first_index(~good)])
        raise ValueError(f"{function}: the data are not finite, or too large: {entry}")


def check_weight(function: str, weight: Any) -> None:
    """Raise ValueError where there are no data of positive weight."""
    empty = np.asarray(weight) == 0
    if empty.any():
        index = validate.first_index(empty)
        where = f" in batch item {list(index)}" if index else ""
        raise ValueError(f"{function}: there are no observations of positive weight{where}")


def check_scale(function: str, scale: Any, location: Any) -> None:
    """Raise ValueError where the scale is no positive number."""
    good = (np.asarray(scale) > 0) & np.isfinite(scale)
    if good.all():
        return
    index = validate.first_index(~good)
    where = f" of batch item {list(index)}" if index else ""
    value = np.asarray(scale)[index]
    if value == 0:
        same = np.asarray(location)[index]
        raise ValueError(f"{function}: all observations{where} are {same}, so the scale would be 0 and there is no density")
    raise ValueError(f"{function}: the scale{where} overflows; fit scaled data")


def rounded(values: Any, dtype: np.dtype) -> Any:
    """Parameters in the dtype of the data, a Python float where that is the same."""
    array = np.asarray(values).astype(dtype)
    return float(array) if array.shape == () and dtype == np.float64 else array[()]


def row_totals(x: np.ndarray, w: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """For each sample in a block: the number of observations of positive weight, and their weight."""
    if w is None:
        return np.full(len(x), x.shape[1]), np.full(len(x), float(x.shape[1]))
    return np.broadcast_to(np.count_nonzero(w, axis=-1), len(x)), np.broadcast_to(np.add.reduce(w, axis=-1), len(x))


def make_report(result: Any, m: Any, prior: Any, parameters: int, log_likelihood: Any, errors: dict[str, Any]) -> Any:
    """`result`, new and not yet shown to anyone, with the report of its fit; `m` has the observations `n` and their `weight`."""
    report = FitReport(
        "ml" if prior is None else "map", _plain(m.n), _plain(m.weight), parameters, _plain(log_likelihood),
        {name: np.asarray(value)[()] for name, value in errors.items()},
    )  # fmt: skip
    result.__dict__["fit_report"] = report
    return result


def _plain(value: Any) -> Any:
    array = np.asarray(value)
    return array.item() if array.shape == () else array
