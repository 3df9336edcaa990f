"""The report of ``loglik dice``: what it prints, writes and draws."""

import contextlib
import csv
import json
import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from loglik._dice.text import QUANTILES, percent
from loglik._faces import axes
from loglik.dice import render
from loglik.distributions.comparison import prob_equal, prob_greater
from loglik.distributions.discrete import Discrete

_MOST_COLUMNS = 110  # wider bars tell no more


def write_text(
    stream: TextIO, names: Sequence[str], variables: Sequence[Discrete], at_least: int | None, *, exact: bool
) -> None:
    """Write a table for a terminal, or the exact counts."""
    width = min(shutil.get_terminal_size((78, 24)).columns, _MOST_COLUMNS)
    try:
        "█▏".encode(stream.encoding or "ascii")
        ascii_only = False
    except UnicodeEncodeError:
        ascii_only = True
    if exact:
        for i, (name, d) in enumerate(zip(names, variables, strict=True)):
            counts, start = d.counts()
            with _digits():
                stream.write(f"{chr(10) if i else ''}{name}: ways of {sum(counts)}\n")
                label = max(len(str(start)), len(str(start + len(counts) - 1)))
                room = len(str(max(counts)))
                for k, count in enumerate(counts, start):
                    stream.write(f"{k:>{label}}  {count:>{room}}\n")
    else:
        two = len(variables) > 1
        stream.write(render(*variables, names=tuple(names) if two else (), width=width, ascii_only=ascii_only) + "\n")
    if at_least is not None:
        stream.write("\n")
        for name, d in zip(names, variables, strict=True):
            stream.write(f"{name}: {_at_least(d, at_least)}\n")


def _at_least(d: Discrete, n: int) -> str:
    p, log_p = float(d.sf(n - 1)), float(d.log_sf(n - 1))
    odds = f", 1 in {1 / p:.4g}" if 0 < p < 0.1 and math.isfinite(1 / p) else ""
    return f"{n} or more: {percent(p, log_p)}{odds}"


def as_json(names: Sequence[str], variables: Sequence[Discrete], at_least: int | None, *, exact: bool) -> str:
    """A JSON object of one expression; a second one is its member "vs"."""
    result, *others = (_object(name, d, at_least, exact) for name, d in zip(names, variables, strict=True))
    if others:
        a, b = variables
        result["vs"] = others[0]
        result["prob_greater"], result["prob_equal"] = float(prob_greater(a, b)), float(prob_equal(a, b))
        result["prob_less"] = float(prob_greater(b, a))
    return json.dumps(result, allow_nan=False)


def _object(name: str, d: Discrete, at_least: int | None, exact: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        "expression": name,
        "mean": float(d.mean),
        "std": float(d.std),
        "skewness": _finite(d.skewness),
        "kurtosis": _finite(d.kurtosis),
        "modes": list(d.modes),
        "quantiles": {f"{q:g}": int(x) for q, x in zip(QUANTILES, d.quantile(QUANTILES), strict=True)},
        "truncated_mass": d.truncated_mass,
    }
    if at_least is not None:
        p, log_p = d.sf(at_least - 1), d.log_sf(at_least - 1)
        result["at_least"] = {"value": at_least, "prob": float(p), "log_prob": _finite(log_p)}
    result["support"] = d.support.tolist()
    result["probs"] = d.probs.tolist()
    result["log_probs"] = [_finite(value) for value in d.log_probs.tolist()]
    if exact:
        with _digits():
            result["counts"] = [str(count) for count in d.counts()[0]]  # as text: most readers have doubles only
    return result


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def write_csv(stream: TextIO, names: Sequence[str], variables: Sequence[Discrete], *, exact: bool) -> None:
    """Write a line for every outcome: its probability, and the probabilities of at most and of at least this outcome."""
    writer = csv.writer(stream, lineterminator="\n")
    columns = ["outcome", "prob", "log_prob", "at_most", "at_least"] + ["count"] * exact
    writer.writerow(["expression", *columns] if len(variables) > 1 else columns)
    for name, d in zip(names, variables, strict=True):
        counts: Sequence[int | None] = d.counts()[0] if exact else [None] * len(d.probs)
        support = d.support
        # float, not NumPy's scalars: their repr is not a number.
        table = (values.tolist() for values in (support, d.probs, d.log_probs, d.cdf(support), d.sf(support - 1)))
        with _digits():
            for *row, count in zip(*table, counts, strict=True):
                line = [*row, count] if exact else row
                writer.writerow([name, *line] if len(variables) > 1 else line)


@contextlib.contextmanager
def _digits() -> Iterator[None]:
    """Let Python print integers of more than 4300 digits, which it refuses by default."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(limit)


def plot(path: str, names: Sequence[str], variables: Sequence[Discrete]) -> None:
    """Draw into a file; the ending of its name says in which format."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('--plot needs matplotlib: pip install "loglik[plot]"') from None
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    ax = figure.subplots()
    if len(variables) == 1:
        variables[0].plot(ax)
        ax.set_title(names[0])
    else:
        for name, d, color in zip(names, variables, ("#2f6fb0", "#c0392b"), strict=True):
            axes.draw_masses(ax, *d._visible(), color=color, label=name, alpha=0.45)
        axes.finish(ax)
    figure.savefig(path, dpi=150)
