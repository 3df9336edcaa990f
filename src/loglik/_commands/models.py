"""Models of the rows of a table: the families that the commands know, and their files."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import loglik
from loglik._saving.models import SavedModel, read_model
from loglik.distributions import registry
from loglik.distributions.base import Distribution
from loglik.distributions.discrete import Discrete
from loglik.distributions.mvnormal import MultivariateNormal

__all__ = ["FAMILIES", "Model", "load_model"]

FAMILIES: dict[str, type[Distribution]] = {
    "mvn" if family is MultivariateNormal else name.lower(): family for name, family in registry.FAMILIES.items()
}
"""What ``loglik fit --model`` offers."""


@dataclass(frozen=True)
class Model:
    """A distribution of the rows of a table.

    A distribution of vectors describes all columns together. A batch of scalar ones has an item for each column, and the
    columns are independent. A single scalar one describes the only column.
    """

    family: str
    distribution: Distribution
    columns: tuple[str, ...]
    fit: dict[str, Any] = field(default_factory=dict)

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """Log-density of each row, in float64."""
        if self.distribution.event_shape:
            return np.asarray(self.distribution.log_prob(rows), np.float64)
        if not self.distribution.batch_shape:
            return np.asarray(self.distribution.log_prob(rows[:, 0]), np.float64)
        return np.asarray(self.distribution.log_prob(rows)).sum(axis=1, dtype=np.float64)

    def sample(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """New rows, shape (rows, columns)."""
        drawn = self.distribution.sample(rows, rng=rng)
        return drawn[:, None] if drawn.ndim == 1 else drawn

    def as_json(self) -> str:
        """The text of a model file."""
        return SavedModel(loglik.__version__, self.family, self.columns, self._parameters(), self.fit).as_json()

    def _parameters(self) -> dict[str, Any]:
        if isinstance(self.distribution, Discrete):  # also where it was given by counts, which may exceed any float, or by dice
            return {"probs": self.distribution.probs, "start": self.distribution.start}
        return self.distribution._arguments()


def load_model(path: str) -> Model:
    """The model in a file that `Model.as_json` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no model, or parameters that make no distribution of its columns.
    """
    saved = read_model(path, FAMILIES)
    try:
        distribution = FAMILIES[saved.family](**saved.parameters)
    except (TypeError, ValueError) as error:  # LinAlgError is a ValueError
        raise ValueError(f"{path}: {error}") from None
    shape = distribution.event_shape or distribution.batch_shape
    if isinstance(distribution, Discrete):
        fits = len(saved.columns) == math.prod(shape) == 1
    else:
        fits = shape == (len(saved.columns),)
    if not fits:
        raise ValueError(f"{path}: the parameters have shape {shape}, for {len(saved.columns)} columns")
    return Model(saved.family, distribution, saved.columns, saved.fit)
