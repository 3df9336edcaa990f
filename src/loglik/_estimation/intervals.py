"""Intervals from a mean and a variance."""

import math

import numpy as np


def student_quantile(probability: float, degrees: int) -> float:
    """Quantile above 1/2 of Student's distribution with an odd number of degrees of freedom, at least 3.

    Its distribution function is a finite sum in the angle atan(t/√ν) (Abramowitz and Stegun 1964, 26.7.3).
    """
    low, high = 0.0, math.pi / 2
    while True:
        angle = 0.5 * (low + high)
        if not low < angle < high:
            return math.sqrt(degrees) * math.tan(angle)
        term = total = math.cos(angle)
        for j in range(2, degrees - 2, 2):
            term *= j / (j + 1) * math.cos(angle) ** 2
            total += term
        if 0.5 + (angle + math.sin(angle) * total) / math.pi < probability:
            low = angle
        else:
            high = angle


def bernstein(variance: np.ndarray, n: int, largest: float, alpha: float) -> np.ndarray:
    """Half the width of an interval for the mean of n independent values in [0, largest] that covers it with probability at
    least 1 - alpha, whatever their distributions (the empirical Bernstein bound of Maurer and Pontil 2009, theorem 4).

    `variance` is that of the values about their common mean, also where they come from different distributions.
    """
    log = math.log(4.0 / alpha)
    return np.sqrt(2.0 * variance * log / n) + 7.0 * largest * log / (3.0 * (n - 1))
