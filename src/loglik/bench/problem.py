"""What a benchmark is: a case, the problem that it builds, and how errors are measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

F64, F32 = "float64", "float32"
BOTH = (F64, F32)


@dataclass
class Problem:
    """One case with its arrays."""

    run: Callable[[], Any]
    """Our call; with a warm ``out=`` where the result is an array."""
    reference: Callable[[], Any] | None
    """The NumPy function of `references` on the same arrays."""
    error: Callable[[Any], float]
    """Largest error of our result; its unit is the case's `unit`."""
    tolerance: float
    """A larger error means that the result is wrong, and is not timed."""
    peer_error: Callable[[Any], float] | None = None
    """The error of another's result, where accuracy is half of the comparison."""
    fresh: Callable[[], Any] | None = None
    """Our call without ``out=``: it also pays for new memory."""
    inputs: tuple[np.ndarray, ...] = ()
    outputs: tuple[np.ndarray, ...] = ()
    """Arrays that any implementation must read and write (the limit of memory)."""
    flops: float = 0.0
    """Floating-point operations that any implementation must do (the limit of arithmetic)."""
    kernel: str | None = None
    arguments: tuple[Any, ...] = ()
    """Key and arguments for `peers.contestants`."""
    extra: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Contestants that only this case has."""


@dataclass(frozen=True)
class Case:
    name: str
    dtype: str
    shape: tuple[int, ...]
    build: Callable[[], Problem]
    elements: int
    """Results that one call gives: a row shows nanoseconds for each."""
    unit: str = "u"
    """What max_error counts: "u" relative errors in unit roundoffs of dtype, "se" standard errors of the estimate, "wrong" wrong
    integers."""


def seeded() -> np.random.Generator:
    """A generator that gives the same numbers in every run."""
    return np.random.Generator(np.random.SFC64(20260101))


def unit_roundoff(dtype: str) -> float:
    return float(np.finfo(dtype).eps) / 2


def error_in_units(got: Any, exact: Any, scale: Any, dtype: str) -> float:
    """Largest |got − exact| / (u·scale); where both are the same infinity, 0."""
    got, exact, scale = (np.asarray(a, dtype=np.longdouble) for a in (got, exact, scale))
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(got == exact, 0, np.abs(got - exact) / (scale * unit_roundoff(dtype)))
    return float(np.max(difference, initial=0.0))
