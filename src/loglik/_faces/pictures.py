"""What there is to draw of a distribution, as numbers: a distribution describes its picture, and `svg` draws it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np


class Curve(NamedTuple):
    """A density over a range."""

    x: np.ndarray
    """Increasing points, in any unit."""
    heights: np.ndarray
    """The density there, in any unit."""
    ticks: Sequence[tuple[float, float]]
    """Points of the axis, in the unit of `x`, and the numbers to write there."""
    caption: str = "density"


class Box(NamedTuple):
    """A density that is flat from `low` to `high`, and 0 outside."""

    low: float
    high: float


class Masses(NamedTuple):
    """Probabilities of outcomes in increasing order."""

    outcomes: Sequence[int] | np.ndarray
    probs: Sequence[float] | np.ndarray


class Ellipses(NamedTuple):
    """Where a Gaussian of two dimensions has one, two and three standard deviations."""

    mean: Any
    std: Any
    scale_tril: Any


Picture: TypeAlias = Curve | Box | Masses | Ellipses


def bell(mean: float, std: float) -> Curve | None:
    """The density of a Normal within four standard deviations; None for one that is a point."""
    if not std > 0:
        return None
    z = np.linspace(-4.0, 4.0, 81)
    ticks = [(float(k), mean + k * std) for k in (-2, 0, 2)]
    return Curve(z, np.exp(-0.5 * z * z), ticks, "density, with the mean and two standard deviations")
