"""Fitted distributions as JSON files: the parameters, the columns that they belong to, and how they were fitted."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from loglik.distributions.base import Distribution
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.discrete import Discrete
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.normal import Normal
from loglik.distributions.uniform import Uniform

__all__ = ["FAMILIES", "Model", "load_model"]

FAMILIES: dict[str, type[Distribution]] = {
    "mvn": MultivariateNormal,
    "normal": Normal,
    "uniform": Uniform,
    "bernoulli": Bernoulli,
    "discrete": Discrete,
}


@dataclass(frozen=True)
class Model:
    """A distribution of the rows of a table.

    Of a family with scalar outcomes there is one for each column, and the columns are independent.
    """

    family: str
    distribution: Distribution
    columns: tuple[str, ...]
    fit: dict[str, Any] = field(default_factory=dict)

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """Log-density of each row, in float64."""
        if self.family == "mvn":
            return np.asarray(self.distribution.log_prob(rows), np.float64)
        if self.family == "discrete":
            return np.asarray(self.distribution.log_prob(rows[:, 0]), np.float64)
        return np.asarray(self.distribution.log_prob(rows)).sum(axis=1, dtype=np.float64)

    def sample(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """New rows, shape (rows, columns)."""
        drawn = self.distribution.sample(rows, rng=rng)
        return drawn[:, None] if drawn.ndim == 1 else drawn

    def as_json(self) -> str:
        """The text of a model file: one object, a line for each entry."""
        import loglik

        parameters = {name: np.asarray(value).tolist() for name, value in self._parameters().items()}
        entries = {
            "loglik": loglik.__version__,
            "model": self.family,
            "columns": list(self.columns),
            "parameters": parameters,
            "fit": self.fit,
        }
        lines = (f" {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in entries.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def _parameters(self) -> dict[str, Any]:
        if isinstance(self.distribution, Discrete):
            return {"probs": self.distribution.probs, "start": self.distribution.start}
        return self.distribution._arguments()


def load_model(path: str) -> Model:
    """The model in a file that `Model.as_json` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no model, or parameters that make no distribution.
    """
    try:
        with open(path, encoding="utf-8") as file:
            entries = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file ({error})") from None
    if not isinstance(entries, dict) or not {"model", "columns", "parameters"} <= entries.keys():
        raise ValueError(f"{path} is not a model: it needs the entries model, columns and parameters (loglik fit writes them)")
    family, columns, parameters = entries["model"], entries["columns"], entries["parameters"]
    if family not in FAMILIES:
        raise ValueError(f"{path}: model must be one of {', '.join(FAMILIES)}, got {family!r}")
    if not isinstance(columns, list) or not columns or not all(isinstance(name, str) for name in columns):
        raise ValueError(f"{path}: columns must be a list of names, got {columns!r}")
    try:
        distribution = FAMILIES[family](**parameters)
    except (TypeError, ValueError) as error:  # LinAlgError is a ValueError
        raise ValueError(f"{path}: {error}") from None
    shape = distribution.event_shape if family == "mvn" else distribution.batch_shape
    if family != "discrete" and shape != (len(columns),) or family == "discrete" and len(columns) != 1:
        raise ValueError(f"{path}: the parameters have shape {shape}, for {len(columns)} columns")
    return Model(family, distribution, tuple(columns), entries.get("fit") or {})
