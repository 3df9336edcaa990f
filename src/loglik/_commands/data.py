"""``loglik fit``, ``score`` and ``sample``: models of the rows of files that may be larger than memory."""

import argparse
import functools
import json
import math
import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from loglik._commands.models import FAMILIES, Model, load_model
from loglik._commands.tables import STANDARD_INPUT, Table, open_table, replacing, table_writer
from loglik._discrete.checks import MAX_OUTCOMES
from loglik._engine.progress import Progress
from loglik._fitting.statistics import Observations
from loglik.distributions.discrete import Discrete
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.moments import MomentStats

__all__ = ["fit", "sample", "score"]

_SAMPLE_ROWS = 2**16  # drawn at a time; a part of what --seed means
_SHOWN = 20  # columns in the summary
_UNLIKELY = 5  # rows that `score` names


class _CheckedRows:
    """The rows of a table that a command works on: columns, weights, and what becomes of missing values."""

    def __init__(self, command: str, options: argparse.Namespace, columns: list[str] | None) -> None:
        self.table: Table = open_table(options.data, array=options.array)
        weights = self.table.columns([options.weights]) if getattr(options, "weights", None) else []
        self.columns = [i for i in self.table.columns(columns) if columns is not None or i not in weights]
        self.names = tuple(self.table.names[i] for i in self.columns)
        if not self.columns:
            raise ValueError(f"{self.table.source} has no column but the weights")
        self._command, self._weights, self._omit = command, weights, options.missing == "omit"
        self.rows = self.omitted = 0  # seen, the current block included
        self._first = 0  # rows before the current block
        self._kept: np.ndarray | None = None  # where those of the block that are kept were

    def blocks(self, *, finite: bool) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """(values, weights) of some rows at a time. With `finite` a row with NaN or infinity is an error, or omitted."""
        self.rows = self.omitted = 0
        shown = sys.stderr.isatty()
        with Progress(f"loglik {self._command}", shown, self.table.total, self.table.unit) as report:
            for block in self.table.blocks([*self.columns, *self._weights], report):
                self._first, self._kept, self.rows = self.rows, None, self.rows + len(block)
                values = self._checked(block) if finite else block
                width = len(self.columns)
                yield values[:, :width], (values[:, width] if self._weights else None)

    def _checked(self, block: np.ndarray) -> np.ndarray:
        good = np.isfinite(block)
        if good.all():
            return block
        kept = ~np.isinf(block) if self._omit else good  # infinity is not a missing value
        if not kept.all():
            row, i = map(int, np.argwhere(~kept)[0])
            missing = bool(np.isnan(block[row, i]))
            self.refuse(row, i, block[row, i], "there (--missing omit leaves such rows out)" if missing else "finite")
        whole = good.all(axis=1)
        self.omitted += int(np.count_nonzero(~whole))
        self._kept = np.flatnonzero(whole)
        return block[whole]

    def refuse(self, row: int, i: int, value: float, condition: str) -> None:
        """ValueError for a value in row `row` of what is kept of the current block."""
        place = self._first + 1 + (row if self._kept is None else int(self._kept[row]))
        name = self.table.names[[*self.columns, *self._weights][i]]
        raise ValueError(
            f"{self.table.source}, row {place}, column {name!r}: values must be {condition}, got {value:g}"
        )


# ------------------------------------------------------------------------------------------------ fit


def fit(options: argparse.Namespace) -> int:
    """Fit a distribution to the rows of a table by maximum likelihood, in blocks."""
    rows = _CheckedRows("fit", options, options.columns)
    family = options.model
    if family == "discrete":
        model = _fit_discrete(rows)
    elif FAMILIES[family]._from_moments:
        model = _fit_moments(rows, family)
    else:
        model = _fit_passes(rows, family)
    if options.output:
        with replacing(options.output) as file:
            file.write(model.as_json().encode())
    if options.json:
        print(model.as_json(), end="")
    else:
        _describe(model, sys.stdout.write)
    return 0


def _fit_moments(rows: _CheckedRows, family: str) -> Model:
    stats = MomentStats()
    for values, weights in rows.blocks(finite=True):
        if family == "bernoulli":
            _require(rows, values, (values == 0) | (values == 1), "0 or 1")
        stats.update(values, weights)
    if not stats.count:
        raise ValueError(f"{rows.table.source} has no rows to fit")
    return _fitted(rows, family, stats.fit(FAMILIES[family]))


class _TableData:
    """The rows of a table as the data of a fit, which reads the file several times; standard input is kept in memory."""

    rows_in_memory = math.inf

    def __init__(self, function: str, rows: _CheckedRows) -> None:
        self._function, self._rows = function, rows
        self.kept_shape = (len(rows.columns),)
        self._blocks = list(rows.blocks(finite=True)) if rows.table.source == STANDARD_INPUT else None

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Values and weights, from the first row on."""
        return iter(self._blocks) if self._blocks is not None else self._rows.blocks(finite=True)

    def collect(self, statistics: Callable[[Observations], Any]) -> Any:
        """What `statistics` tells of all rows."""
        parts = (statistics(Observations(self._function, x, w, (0,), 0, "raise", finite=True)) for x, w in self.blocks())
        return functools.reduce(operator.add, parts)


def _fit_passes(rows: _CheckedRows, family: str) -> Model:
    function = f"{FAMILIES[family].__name__}.fit"
    data = _TableData(function, rows)
    first = next(data.blocks(), None)
    if first is None:
        raise ValueError(f"{rows.table.source} has no rows to fit")
    return _fitted(rows, family, FAMILIES[family]._fit_passes(function, data, None, first[0].dtype))


def _fit_discrete(rows: _CheckedRows) -> Model:
    """Relative frequencies of whole numbers in one column."""
    if len(rows.columns) != 1:
        raise ValueError(f"discrete is a distribution of one column: choose one of {', '.join(rows.names)} with --columns")
    totals, start = np.zeros(0), 0
    for values, weights in rows.blocks(finite=True):
        if not len(values):
            continue
        x = values[:, 0]
        _require(rows, values, (values == np.floor(values)) & (np.abs(values) <= 2**53), "whole numbers within 2^53")
        low, high = int(x.min()), int(x.max())
        if len(totals):
            low, high = min(low, start), max(high, start + len(totals) - 1)
        if high - low >= MAX_OUTCOMES:
            raise ValueError(f"{rows.table.source}: outcomes from {low} to {high} are more than the limit of {MAX_OUTCOMES}")
        merged = np.bincount((x - low).astype(np.int64), weights, minlength=high - low + 1).astype(float)
        merged[start - low : start - low + len(totals)] += totals
        totals, start = merged, low
    if not len(totals):
        raise ValueError(f"{rows.table.source} has no rows to fit")
    return _fitted(rows, "discrete", Discrete.fit(np.arange(start, start + len(totals)), weights=totals))


def _require(rows: _CheckedRows, values: np.ndarray, good: np.ndarray, condition: str) -> None:
    if not good.all():
        row, i = np.argwhere(~good)[0]
        rows.refuse(int(row), int(i), values[row, i], condition)


def _fitted(rows: _CheckedRows, family: str, distribution: Any) -> Model:
    """The model, with the report of its fit as numbers and lists.

    Columns of the scalar families are independent: what is reported of them adds up.
    """
    report = distribution.fit_report
    fitted = {
        "data": rows.table.source,
        "rows": rows.rows - rows.omitted,
        "omitted": rows.omitted,
        "weight": float(np.max(report.weight)),
        "log_likelihood": float(np.sum(report.log_likelihood)),
        "n_parameters": report.n_parameters * np.size(report.log_likelihood),
        "aic": float(np.sum(report.aic)),
        "bic": float(np.sum(report.bic)),
        "standard_errors": {name: np.asarray(value).tolist() for name, value in report.standard_errors.items()},
    }
    return Model(family, distribution, rows.names, fitted)


def _describe(model: Model, write: Callable[[str], object]) -> None:
    """The parameters with their standard errors, for people."""
    fitted, d = model.fit, model.distribution
    omitted = f" ({fitted['omitted']:,} with missing values left out)" if fitted["omitted"] else ""
    weight = "" if fitted["weight"] == fitted["rows"] else f", total weight {fitted['weight']:g}"
    write(f"{model.family} fitted to {fitted['rows']:,} rows of {fitted['data']}{omitted}{weight}\n\n")
    lines: list[tuple[str, ...]]
    if isinstance(d, Discrete):
        lines = [("", "mean", "std", "lowest", "highest")]
        lines += [(model.columns[0], f"{d.mean:.6g}", f"{d.std:.6g}", str(d.start), str(int(d.support[-1])))]
    elif isinstance(d, MultivariateNormal):
        lines = [("", "mean", "± error", "std", *(("correlation",) if len(model.columns) > 1 else ()))]
        for i, name in enumerate(model.columns[:_SHOWN]):
            row = (name, f"{d.mean[i]:.6g}", f"{fitted['standard_errors']['loc'][i]:.2g}", f"{math.sqrt(d.covariance[i, i]):.6g}")
            lines.append((*row, *(f"{value:.3f}" for value in d.correlation[i, : min(i, _SHOWN)])))
    else:
        values = {name: np.asarray(value) for name, value in d._arguments().items()}
        lines = [("", *(title for name in values for title in (name, "± error")))]
        for i, name in enumerate(model.columns[:_SHOWN]):
            pairs = ((f"{value[i]:.6g}", f"{fitted['standard_errors'][key][i]:.2g}") for key, value in values.items())
            lines.append((name, *(cell for pair in pairs for cell in pair)))
    _table(lines, write)
    if len(model.columns) > _SHOWN:
        write(f"… and {len(model.columns) - _SHOWN} more columns\n")
    write(f"\nlog-likelihood {fitted['log_likelihood']:.10g} nats, {fitted['log_likelihood'] / fitted['weight']:.6g} per row\n")
    parameters = "1 parameter" if fitted["n_parameters"] == 1 else f"{fitted['n_parameters']} parameters"
    write(f"AIC {fitted['aic']:.10g}, BIC {fitted['bic']:.10g} ({parameters})\n")


def _table(lines: list[tuple[str, ...]], write: Callable[[str], object]) -> None:
    """Columns of text, the first to the left."""
    count = max(map(len, lines))
    width = [max(len(line[i]) for line in lines if i < len(line)) for i in range(count)]
    for line in lines:
        cells = [cell.ljust(width[i]) if i == 0 else cell.rjust(width[i]) for i, cell in enumerate(line)]
        write("  " + "  ".join(cells).rstrip() + "\n")


# ------------------------------------------------------------------------------------------------ score


def score(options: argparse.Namespace) -> int:
    """Log-density of every row of a table under a model: the total, the mean, and the least likely rows."""
    model = load_model(options.model)
    rows = _CheckedRows("score", options, list(model.columns))
    total, scored, missing = [], 0, 0
    unlikely: list[tuple[float, int]] = []
    with table_writer(options.output, ("log_prob",)) as write:
        for values, _ in rows.blocks(finite=options.missing == "raise"):
            log_prob = model.log_prob(values)
            write(log_prob[:, None])
            lost = np.isnan(log_prob)
            missing += int(np.count_nonzero(lost))
            scored += int(np.count_nonzero(~lost))
            total.append(float(log_prob[~lost].sum()))
            lowest = np.argsort(np.where(lost, np.inf, log_prob), kind="stable")[:_UNLIKELY]
            unlikely += [(float(log_prob[i]), rows.rows - len(values) + int(i) + 1) for i in lowest if not lost[i]]
            unlikely = sorted(unlikely)[:_UNLIKELY]
    result = {
        "rows": scored,
        "missing": missing,
        "log_likelihood": sum(total),
        "mean": sum(total) / scored if scored else None,
        "least_likely": [{"row": row, "log_prob": value} for value, row in unlikely],
    }
    if options.json:
        print(json.dumps(result))
        return 0
    print(f"{scored:,} rows" + (f", {missing:,} with missing values passed over" if missing else ""))
    if scored:
        print(f"log-likelihood {result['log_likelihood']:.10g} nats, {result['mean']:.6g} per row")
        print("\nleast likely    log-density")
        for value, row in unlikely:
            print(f"row {row:<10,} {value:>12.6g}")
    return 0


# ------------------------------------------------------------------------------------------------ sample


def sample(options: argparse.Namespace) -> int:
    """Draw new rows from a model."""
    model = load_model(options.model)
    rng = np.random.default_rng(options.seed)
    with (
        table_writer(options.output or "-", model.columns) as write,
        Progress("loglik sample", bool(options.output) and sys.stderr.isatty(), options.rows, "rows") as report,
    ):
        for start in range(0, options.rows, _SAMPLE_ROWS):
            count = min(_SAMPLE_ROWS, options.rows - start)
            write(model.sample(count, rng))
            report(start + count)
    return 0
