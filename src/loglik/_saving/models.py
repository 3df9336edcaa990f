"""Model files: JSON with the name of a family, its parameters as numbers, and the columns of the table that they belong to.

Numbers are written with the digits that give the same float64 back. What distribution they make is decided by the reader.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["SavedModel", "read_model"]


@dataclass(frozen=True)
class SavedModel:
    """What a model file says."""

    version: str
    """Version of loglik that wrote it."""
    family: str
    columns: tuple[str, ...]
    parameters: dict[str, Any]
    """Arguments of the family's constructor: arrays, or numbers in lists."""
    fit: dict[str, Any] = field(default_factory=dict)
    """How the parameters were fitted."""

    def as_json(self) -> str:
        """The text of the file: one object, a line for each entry."""
        entries = {
            "loglik": self.version,
            "model": self.family,
            "columns": list(self.columns),
            "parameters": {name: np.asarray(value).tolist() for name, value in self.parameters.items()},
            "fit": self.fit,
        }
        lines = (f" {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in entries.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"


def read_model(path: str, families: Collection[str]) -> SavedModel:
    """What the model file at `path` says; `families` are the names of models that the caller knows.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no model of these families.
    """
    try:
        with open(path, encoding="utf-8") as file:
            entries = json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file ({error})") from None
    if not isinstance(entries, dict) or not {"model", "columns", "parameters"} <= entries.keys():
        raise ValueError(f"{path} is not a model: it needs the entries model, columns and parameters (loglik fit writes them)")
    family, columns, parameters = entries["model"], entries["columns"], entries["parameters"]
    if family not in families:
        raise ValueError(f"{path}: model must be one of {', '.join(families)}, got {family!r}")
    if not isinstance(columns, list) or not columns or not all(isinstance(name, str) for name in columns):
        raise ValueError(f"{path}: columns must be a list of names, got {columns!r}")
    return SavedModel(entries.get("loglik", ""), family, tuple(columns), parameters, entries.get("fit") or {})
