"""Progress of long work: a bar on stderr, or the caller's function."""

import sys
import time
from collections.abc import Callable
from typing import Any

Report = Callable[[int, int], object]
_SECONDS = 0.1  # between two lines


class Progress:
    """``with Progress(progress, total) as report: report(done)``. The bar is tqdm's where that is installed."""

    def __init__(self, function: str, progress: Any, total: int, unit: str = "samples") -> None:
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"{function}: progress must be True, False or a function of (done, total), got {progress!r}")
        self._function, self._total, self._unit, self._next = function, total, unit, 0.0
        self._callback: Report | None = progress if callable(progress) else None
        self._shown = progress is True
        self._bar: Any = None

    def __enter__(self) -> Callable[[int], None]:
        if self._shown:
            try:
                from tqdm import tqdm

                self._bar = tqdm(total=self._total, desc=self._function, unit=self._unit, unit_scale=True, file=sys.stderr)
            except ImportError:
                pass
        return self._report

    def _report(self, done: int) -> None:
        if self._callback is not None:
            self._callback(done, self._total)
        elif self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif self._shown and (time.monotonic() >= self._next or done >= self._total):
            self._next = time.monotonic() + _SECONDS
            share = done / self._total if self._total else 1.0
            line = f"\r{self._function}: {done:,} of {self._total:,} {self._unit} ({share:.0%})"
            print(line, end="", file=sys.stderr, flush=True)

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._shown:
            print(file=sys.stderr, flush=True)
