"""Benchmarks: every kernel against its NumPy reference, other libraries and the limits of the machine.

Run ``loglik bench``, or from Python:

>>> from loglik.bench import run
>>> report = run("softplus float64", quick=True, budget=0.01, peers=False)
>>> [row.name for row in report.rows]
['elementwise.softplus', 'elementwise.softplus']
>>> report.rows[0].seconds.min > 0
True
"""

from collections.abc import Callable

from loglik._engine.parallel import num_threads
from loglik.bench import peers as _peers
from loglik.bench import probes
from loglik.bench.cases import all_cases, select
from loglik.bench.problem import Case, Problem
from loglik.bench.report import Report, Row
from loglik.bench.runner import Timing, measure

__all__ = [
    "BenchmarkError",
    "Case",
    "Problem",
    "Report",
    "Row",
    "Timing",
    "all_cases",
    "run",
    "run_case",
    "select",
]


class BenchmarkError(RuntimeError):
    """A result disagrees with its definition, so its time means nothing."""


def run(
    filter: str | None = None,
    *,
    threads: int = 1,
    quick: bool = False,
    peers: bool = True,
    budget: float | None = None,
    on_header: Callable[[Report], object] = lambda report: None,
    on_row: Callable[[Row], object] = lambda row: None,
) -> Report:
    """Measure the cases whose "name dtype" contains the words of `filter`.

    Parameters
    ----------
    filter : str, optional
        Part of a name, or several separated by commas; all cases without it.
    threads : int
        Threads of our kernels. The other libraries take theirs from the environment (`loglik bench` sets it).
    quick : bool
        Smaller arrays and less time.
    peers : bool
        Also measure the installed other libraries; NumPy's reference always runs.
    budget : float, optional
        Seconds for a row, shared by its contestants.
    on_header, on_row : callable
        Called when the probes are known and after each row, for output while it runs.

    Returns
    -------
    Report

    Raises
    ------
    BenchmarkError
        If a result is wrong.
    ValueError
        If `filter` selects nothing.
    """
    cases = select(all_cases(quick=quick), filter)
    if not cases:
        raise ValueError(f"bench: no case matches {filter!r}")
    if budget is None:
        budget = 0.3 if quick else 1.5
    with num_threads(threads):
        report = Report(threads, _machine(threads, budget), [])
        on_header(report)
        for case in cases:
            row = run_case(case, threads=threads, peers=peers, budget=budget)
            report.rows.append(row)
            on_row(row)
    return report


def _machine(threads: int, budget: float) -> dict[str, float]:
    machine = probes.machine(threads)
    timings = measure({name: function for name, (function, _) in machine.items()}, budget=budget)
    return {name: amount / timings[name].min * 1e-9 for name, (_, amount) in machine.items()}


def run_case(case: Case, *, threads: int = 1, peers: bool = True, budget: float = 1.0) -> Row:
    """Verify one case, then time it beside its reference, its peers and its limits."""
    problem = case.build()
    max_error = float(problem.error(problem.run()))
    if not max_error <= problem.tolerance:  # NaN is wrong too
        raise BenchmarkError(
            f"{case.name} {case.dtype} {case.shape}: error {max_error:.3g} {case.unit} "
            f"is beyond {problem.tolerance:.3g}"
        )

    ours: dict[str, Callable[[], object]] = {"run": problem.run}
    if problem.fresh:
        ours["fresh"] = problem.fresh
    limits: dict[str, Callable[[], object]] = {}
    if problem.inputs or problem.outputs:
        limits["streams"] = probes.streams(problem.inputs, problem.outputs, threads)
    operations = 0.0
    if problem.flops:
        limits["fma"], operations = probes.fma(case.dtype, threads)
    others = dict(problem.extra)
    if problem.reference:
        others["numpy"] = problem.reference
    if peers and problem.kernel:
        others.update(_peers.contestants(problem.kernel, problem.arguments, threads=threads))

    contestants = {
        **{("ours", name): function for name, function in ours.items()},
        **{("peer", name): function for name, function in others.items()},
        **{("limit", name): function for name, function in limits.items()},
    }
    timings = measure(contestants, budget=budget)
    bounds = []
    if "streams" in limits:
        bounds.append(timings["limit", "streams"].min)
    if "fma" in limits:
        bounds.append(timings["limit", "fma"].min * problem.flops / operations)
    return Row(
        name=case.name,
        dtype=case.dtype,
        shape=case.shape,
        elements=case.elements,
        seconds=timings["ours", "run"],
        fresh=timings.get(("ours", "fresh")),
        limit=max(bounds) if bounds else None,
        peers={name: timings["peer", name] for name in others},
        max_error=max_error,
        unit=case.unit,
        peer_errors={name: problem.peer_error(function()) for name, function in others.items()} if problem.peer_error else {},
    )
