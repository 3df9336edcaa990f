"""Results of a benchmark run: the table for people, the dictionary for machines (``--json``)."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import loglik
from loglik.bench.runner import Timing


@dataclass(frozen=True)
class Row:
    """One case, measured."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    seconds: Timing
    fresh: Timing | None
    """Without ``out=``: new memory is part of the time."""
    limit: float | None
    """Seconds that the machine needs for the row's memory streams or its arithmetic, whichever is longer."""
    peers: dict[str, Timing]
    """NumPy reference ("numpy") and every installed library that was asked."""
    max_error: float
    unit: str
    peer_errors: dict[str, float] = field(default_factory=dict)
    """Errors of the peers' results, where they are measured (sums of discrete variables)."""

    @property
    def fraction(self) -> float | None:
        """Share of the machine's limit: 1 means that nothing is left to win."""
        return None if self.limit is None else self.limit / self.seconds.min

    def speedup(self, peer: str) -> float | None:
        return self.peers[peer].min / self.seconds.min if peer in self.peers else None

    def best_peer(self) -> tuple[str, float] | None:
        """Fastest contestant other than NumPy's reference, with our speed relative to it."""
        others = {name: timing.min for name, timing in self.peers.items() if name != "numpy"}
        if not others:
            return None
        name = min(others, key=others.__getitem__)
        return name, others[name] / self.seconds.min

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "elements": self.elements,
            "seconds": self.seconds.as_dict(),
            "seconds_fresh": self.fresh.as_dict() if self.fresh else None,
            "limit": self.limit,
            "fraction": self.fraction,
            "peers": {name: timing.as_dict() for name, timing in self.peers.items()},
            "max_error": self.max_error,
            "max_error_unit": self.unit,
            "peer_errors": self.peer_errors,
        }


@dataclass(frozen=True)
class Report:
    """A whole run."""

    threads: int
    probes: dict[str, float]
    rows: list[Row]

    def as_dict(self) -> dict[str, Any]:
        """The schema of ``loglik bench --json``.

        ``max_error`` is in unit roundoffs of the dtype relative to the result (to the sum of the magnitudes
        of its terms where it crosses zero) if ``max_error_unit`` is "u", in standard errors if it is "se", and a number
        of wrong integers if it is "wrong". ``peer_errors`` has the same unit; it is empty where nobody measures them.
        """
        configuration = loglik.show_config("dicts")
        assert configuration is not None
        return {
            "version": loglik.__version__,
            "commit": commit(),
            "cpu": configuration["cpu"],
            "isa": loglik.isa(),
            "threads": self.threads,
            "numpy": np.__version__,
            "probes": self.probes,
            "rows": [row.as_dict() for row in self.rows],
        }

    def header(self) -> str:
        configuration = loglik.show_config("dicts")
        assert configuration is not None
        probes = self.probes
        return "\n".join(
            (
                f"loglik {loglik.__version__} ({(commit() or 'no commit')[:12]}) on {configuration['cpu']}, "
                f"{loglik.isa()}, {self.threads} thread{'s' if self.threads > 1 else ''}, "
                f"NumPy {np.__version__}",
                f"probes: read {probes['read_gb_per_s']:.1f} GB/s, write {probes['write_gb_per_s']:.1f}, "
                f"copy {probes['copy_gb_per_s']:.1f}, triad {probes['triad_gb_per_s']:.1f}; multiply-add "
                f"{probes['fma_f64_gflop_per_s']:.0f} Gflop/s f64, {probes['fma_f32_gflop_per_s']:.0f} f32",
            )
        )


COLUMNS = (
    f"{'case':<30} {'dtype':<7} {'time':>9} {'each':>9} {'fresh':>9} {'x NumPy':>8} {'x best peer':>18} "
    f"{'limit':>9} {'of it':>6} {'error':>9}  errors of the others"
)

LEGEND = """\
time: minimum for one call into a warm out=; each: per result; fresh: the same call with new memory for its
result. x NumPy, x best peer: how many times faster than them (below 1: slower). limit: what this machine
needs for the row's memory streams or its arithmetic; of it: limit / time. error: largest, relative in unit
roundoffs (u) of the dtype, in standard errors (se) of a random result, or wrong integers;
errors of the others: the same for their results."""


def duration(seconds: float) -> str:
    """Three significant digits with a unit: 1.23 ms."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 0.9995:
            return f"{_three(seconds * factor)} {unit}"
    return f"{_three(seconds * 1e9)} ns"


def _short(n: int) -> str:
    """1000000 as 1e6."""
    digits = str(n).rstrip("0")
    zeros = len(str(n)) - len(digits)
    return f"{digits}e{zeros}" if zeros >= 3 else str(n)


def _three(x: float) -> str:
    return f"{x:.2f}" if x < 9.995 else f"{x:.1f}" if x < 99.95 else f"{x:.0f}"


def line(row: Row) -> str:
    """One row of the table under COLUMNS."""
    size = "x".join(map(_short, row.shape))
    name = row.name if row.name.startswith(("mvn", "dice", "import", "call")) else f"{row.name} {size}"
    speedup, best = row.speedup("numpy"), row.best_peer()
    columns = (
        f"{name:<30}",
        f"{row.dtype:<7}",
        f"{duration(row.seconds.min):>9}",
        f"{duration(row.seconds.min / row.elements) if row.elements > 1 else '':>9}",
        f"{duration(row.fresh.min) if row.fresh else '':>9}",
        f"{_three(speedup) if speedup else '':>8}",
        f"{f'{_three(best[1])} {best[0]}' if best else '':>18}",
        f"{duration(row.limit) if row.limit else '':>9}",
        f"{f'{row.fraction:.0%}' if row.fraction else '':>6}",
        f"{f'{row.max_error:.2g} {row.unit}':>9}",
        " " + ", ".join(f"{peer} {error:.2g}" for peer, error in row.peer_errors.items()),
    )
    return " ".join(columns).rstrip()


def commit() -> str | None:
    """Commit of the source tree that holds the package ("-dirty" if it was changed), None outside of one."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(loglik.__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
