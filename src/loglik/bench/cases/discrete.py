"""Benchmarks of sums of discrete variables: dice, exact counts, Poisson binomials, batches."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import loglik as ll
from loglik.bench import references
from loglik.bench.problem import F64, Case, Problem, error_in_units, seeded, unit_roundoff


def _dice_error(n: int, sides: int, got: Any) -> float:
    """Largest error of the total, and of a few sums beside exact integers: near the ends, and inside where that is cheap."""
    size = n * (sides - 1) + 1
    middle = (size // 50, size // 3, size // 2) if n <= 1000 else (size // 50,) if n <= 10_000 else ()
    got = np.asarray(got, float)
    worst = abs(float(got.sum()) - 1) / unit_roundoff(F64)
    if n * math.log2(sides) > 1e5:  # integers of millions of digits: the moments only
        distance = np.arange(size) - (size - 1) / 2
        return max(worst, abs(float(np.dot(got, distance**2)) / (n * (sides**2 - 1) / 12) - 1) / unit_roundoff(F64))
    for k in {0, 1, sides, 10 * sides, *middle}:
        exact = references.exact_dice_count(n, sides, k) / sides**n
        if exact > 1e-300:
            worst = max(worst, error_in_units(got[[k, size - 1 - k]], exact, exact, F64))
    return worst


def _dice(n: int, sides: int) -> Problem:
    error = functools.partial(_dice_error, n, sides)
    slow = n * (sides - 1) > 300_000  # minutes by squaring
    return Problem(
        run=lambda: ll.dice(n, sides).probs,
        reference=None if slow else lambda: references.dice_pmf(n, sides),
        error=error,
        peer_error=error,
        tolerance=1e4,
        kernel="dice",
        arguments=(n, sides),
    )


def _kept_dice(n: int, sides: int, kept: int) -> Problem:
    def error(got: np.ndarray) -> float:
        exact = np.array([ways / sides**n for ways in references.exact_kept_counts(n, sides, kept)])
        return error_in_units(got, exact, exact, F64)

    return Problem(
        run=lambda: ll.dice(f"{n}d{sides}kh{kept}").probs,
        reference=lambda: references.kept_dice_pmf(n, sides, kept),
        error=error,
        tolerance=1e4,
    )


def _counts(n: int, sides: int) -> Problem:
    size = n * (sides - 1) + 1
    places = {0, 1, sides, size // 50, size // 3 if n <= 1000 else 10 * sides}
    exact = {k: references.exact_dice_count(n, sides, k) for k in places}

    def error(got: Any) -> float:
        """How many of a few counts are wrong."""
        counts = got[0] if isinstance(got, tuple) else got
        return float(sum(int(counts[i]) != exact[k] for k in places for i in (k, size - 1 - k)))

    return Problem(
        run=lambda: ll.dice(n, sides).counts(),
        reference=(lambda: references.dice_counts(n, sides)) if n <= 1000 else None,
        error=error,
        peer_error=error,
        tolerance=0.0,
        kernel="dice_counts",
        arguments=(n, sides),
    )


def _poisson_binomial(n: int) -> Problem:
    p = seeded().random(n)

    def error(got: np.ndarray) -> float:
        """Largest error of the total, the mean, the variance, and P(X = 0) where that exact product is a normal number."""
        k = np.arange(n + 1)
        mean, variance = float(p.sum()), float((p * (1 - p)).sum())
        worst = max(abs(float(got.sum()) - 1), abs(float(np.dot(got, k)) / mean - 1))
        worst = max(worst, abs(float(np.dot(got, (k - mean) ** 2)) / variance - 1)) / unit_roundoff(F64)
        exact = float(np.prod((1 - p).astype(np.longdouble)))
        return max(worst, error_in_units(got[0], exact, exact, F64)) if exact > 1e-300 else worst

    return Problem(
        run=lambda: ll.convolve(ll.Bernoulli(p)).probs,
        reference=(lambda: references.convolve(np.stack([1 - p, p], axis=-1))) if n <= 10_000 else None,
        error=error,
        peer_error=error,
        tolerance=1e4,
        kernel="poisson_binomial",
        arguments=(p,),
    )


def _convolve(count: int, size: int) -> Problem:
    rng = seeded()
    pmfs = [row / row.sum() for row in rng.uniform(0.1, 1, (count, size))]
    variables = [ll.Discrete(pmf) for pmf in pmfs]

    def error(got: np.ndarray) -> float:
        exact = np.ones(1, dtype=np.longdouble)
        for pmf in pmfs:
            exact = np.convolve(exact, pmf.astype(np.longdouble))
        return error_in_units(got, exact, exact, F64)

    return Problem(
        run=lambda: ll.convolve(variables).probs,
        reference=lambda: references.convolve(pmfs),
        error=error,
        peer_error=error,
        tolerance=1e4,
    )


def _batch(what: str, rows: int, k: int) -> Problem:
    p = seeded().dirichlet(np.ones(k), rows)
    d, x, wide = ll.Discrete(p), np.arange(rows) % k, p.astype(np.longdouble)
    run: dict[str, Callable[[], Any]] = {"cdf": lambda: d.cdf(x), "sum": lambda: (d + d).probs}
    reference: dict[str, Callable[[], Any]] = {
        "cdf": lambda: references.rows_cdf(p, x), "sum": lambda: references.rows_sum(p, p)
    }  # fmt: skip
    exact = references.rows_cdf(wide, x) if what == "cdf" else references.rows_sum(wide, wide)
    return Problem(
        run=run[what],
        reference=reference[what],
        error=lambda got: error_in_units(got, exact, exact, F64),
        tolerance=1e4,
        inputs=(p,),
    )


def dice_cases(scale: int) -> Iterator[Case]:
    for n, sides in ((100, 6), (1000, 6), (10_000, 6), (10_000, 20), (1_000_000, 6)):
        if scale > 1 and n > 1000:
            continue
        size = n * (sides - 1) + 1
        yield Case(f"dice.{n}d{sides}", F64, (n, sides), functools.partial(_dice, n, sides), size)
    for n, sides, kept in ((4, 6, 3), (8, 10, 5), (20, 20, 10)):
        make = functools.partial(_kept_dice, n, sides, kept)
        yield Case(f"dice.{n}d{sides}kh{kept}", F64, (n, sides, kept), make, kept * (sides - 1) + 1)
    for n in sorted({1000, 10_000 // scale}):
        yield Case(f"dice.counts.{n}d6", "int", (n, 6), functools.partial(_counts, n, 6), 5 * n + 1, unit="wrong")
    for n in sorted({500, 100_000 // scale}):
        yield Case(f"dice.poisson_binomial.{n}", F64, (n,), functools.partial(_poisson_binomial, n), n + 1)
    count, size = 16, 128
    rows, k = 100_000 // scale, 10
    for what in ("cdf", "sum"):
        yield Case(f"dice.batch.{what}", F64, (rows, k), functools.partial(_batch, what, rows, k), rows * k)
    yield Case("dice.convolve", F64, (count, size), functools.partial(_convolve, count, size), count * (size - 1) + 1)
