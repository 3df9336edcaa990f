"""Small real data sets for the tour, the examples and the tests (sources and licences: LICENSES.md)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["Body", "Digits", "load_body", "load_digits"]

_HERE = Path(__file__).parent


class Body(NamedTuple):
    """Measurements of 507 physically active people; all arrays have shape (507,)."""

    height: np.ndarray
    """Height in cm."""
    weight: np.ndarray
    """Weight in kg."""
    age: np.ndarray
    """Age in years."""
    male: np.ndarray
    """True for the 247 men, False for the 260 women."""


class Digits(NamedTuple):
    """1,797 handwritten digits."""

    images: np.ndarray
    """Shape (1797, 8, 8), uint8, from 0 (paper) to 16 (ink)."""
    labels: np.ndarray
    """Shape (1797,), the digits 0 to 9."""


def load_body() -> Body:
    """Height, weight, age and sex of 507 people.

    Source: G. Heinz, L. J. Peterson, R. W. Johnson, C. J. Kerk, "Exploring Relationships in Body
    Dimensions", Journal of Statistics Education 11(2), 2003; the data set ``bdims`` of the R package
    openintro.

    Examples
    --------
    >>> from loglik.data import load_body
    >>> body = load_body()
    >>> len(body.height), int(body.male.sum())
    (507, 247)
    >>> round(float(body.height.mean()), 2), round(float(body.weight.mean()), 2)
    (171.14, 69.15)
    """
    male, age, height, weight = np.loadtxt(_HERE / "body.csv", delimiter=",", skiprows=1, unpack=True)
    return Body(height, weight, age, male == 1)


def load_digits() -> Digits:
    """8×8 images of handwritten digits from 13 writers.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49 (the test set), CC BY 4.0.

    Examples
    --------
    >>> from loglik.data import load_digits
    >>> digits = load_digits()
    >>> digits.images.shape, int(digits.images.max())
    ((1797, 8, 8), 16)
    >>> digits.labels[:5]
    array([0, 1, 2, 3, 4])
    """
    with np.load(_HERE / "digits.npz", allow_pickle=False) as file:
        return Digits(np.ascontiguousarray(file["images"]), file["labels"].astype(np.int64))
