"""Timing: contestants take turns, so that all of them see the same machine; minimum and median are kept."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)

SHORTEST_MEASUREMENT = 200e-6  # seconds; shorter calls are repeated inside one measurement
MIN_ROUNDS, MAX_ROUNDS = 3, 100


@dataclass(frozen=True)
class Timing:
    """Seconds of one call."""

    median: float
    min: float

    def as_dict(self) -> dict[str, float]:
        return {"median": self.median, "min": self.min}


class SelfTimed:
    """A contestant that measures itself: it returns seconds (of an import in a new process, for example)."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds()


def _once(function: Callable[[], object], repeats: int) -> float:
    if isinstance(function, SelfTimed):
        return function.seconds()
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def measure(contestants: Mapping[Key, Callable[[], object]], *, budget: float) -> dict[Key, Timing]:
    """Seconds per call of each contestant.

    Each is called once to warm up; then they are timed in turn, round after round, until each has used its
    share of `budget` seconds, at least 3 and at most 100 times. The garbage collector is off meanwhile.
    """
    repeats: dict[Key, int] = {}
    for name, function in contestants.items():
        function()
        repeats[name] = max(1, math.ceil(SHORTEST_MEASUREMENT / max(_once(function, 1), 1e-9)))

    times: dict[Key, list[float]] = {name: [] for name in contestants}
    used = dict.fromkeys(contestants, 0.0)
    share = budget / max(1, len(contestants))
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(MAX_ROUNDS):
            waiting = [name for name in contestants if len(times[name]) < MIN_ROUNDS or used[name] < share]
            if not waiting:
                break
            for name in waiting:
                seconds = _once(contestants[name], repeats[name])
                times[name].append(seconds)
                used[name] += seconds * repeats[name]
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(statistics.median(values), min(values)) for name, values in times.items()}
