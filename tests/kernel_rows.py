"""What a row of tests/registry.py is made of: arguments, the row, and mpmath in enough digits."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

mp = mpmath.mp.clone()
mp.dps = 60

INF, NAN = math.inf, math.nan


# ------------------------------------------------------------------------------------------------ arguments


@dataclass(frozen=True)
class Interval:
    """Argument drawn from [low, high]: uniformly, or in the logarithm of its absolute value from `smallest` up."""

    low: float
    high: float
    smallest: float | None = None

    def draw(self, rng: np.random.Generator, n: int, dtype: np.dtype) -> np.ndarray:
        info = np.finfo(dtype)
        low, high = max(self.low, -float(info.max)), min(self.high, float(info.max))
        x = rng.uniform(0.0, 1.0, n)
        if self.smallest is None:
            values = low + x * (high - low)
        else:
            smallest = max(self.smallest, float(info.smallest_subnormal))
            sign = np.ones(n)
            if low < 0:
                sign = -np.ones(n) if high <= 0 else rng.choice([-1.0, 1.0], n)
            top = np.where(sign > 0, high, -low)
            values = sign * np.exp(np.log(smallest) + x * (np.log(top) - np.log(smallest)))
        with np.errstate(over="ignore", under="ignore"):
            return np.clip(values, low, high).astype(dtype)


@dataclass(frozen=True)
class Choice:
    """Argument drawn from a few values."""

    values: tuple[float, ...]

    def draw(self, rng: np.random.Generator, n: int, dtype: np.dtype) -> np.ndarray:
        return rng.choice(np.array(self.values, dtype), n)


REAL = Interval(-INF, INF, 1e-320)
POSITIVE = Interval(0.0, INF, 1e-320)
PROBABILITY = Interval(0.0, 1.0)


@dataclass(frozen=True)
class Kernel:
    """How one elementwise kernel is checked.

    reference: exact values of the inputs (mpf) → exact value, or a tuple for several outputs.
    domains: tuples of argument kinds; each is tested.
    ulp: bound per dtype in units in the last place of the result, or, where `terms` is given, in units of u·terms.
    terms: the sum of the absolute terms of the formula (for results that cross zero).
    special: table of (inputs, expected); expected NaN means NaN. Zeros are compared with their sign.
    """

    name: str
    reference: Callable[..., Any]
    domains: tuple[tuple[Any, ...], ...]
    ulp: dict[str, float]
    special: tuple[tuple[tuple[float, ...], Any], ...]
    terms: Callable[..., Any] | None = None
    signed_zero: bool = True  # whether the sign of an exact zero is part of the definition

    @property
    def nin(self) -> int:
        return len(self.domains[0])


# ------------------------------------------------------------------------------------------------ what several definitions need

HALF_LOG_2PI = mp.log(2 * mp.pi) / 2
TWO_ONE = {"f64": 2.0, "f32": 1.0}


def softplus(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))
