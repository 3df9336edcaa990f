"""Benchmarks of multivariate Gaussians: densities, gradients, mixtures, factors."""

import functools
from collections.abc import Iterator

import numpy as np

import loglik as ll
from loglik.bench import references
from loglik.bench.problem import BOTH, F32, F64, Case, Problem, error_in_units, seeded


def random_gaussian(rng: np.random.Generator, dtype: str, d: int, *batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and well-conditioned covariances."""
    a = rng.standard_normal((*batch, d, d), dtype=F32)
    covariance = (a @ a.swapaxes(-1, -2)) / d + np.eye(d, dtype=F32)
    return rng.standard_normal((*batch, d)).astype(dtype), covariance.astype(dtype)


def _mvn_error(got: np.ndarray, x: np.ndarray, loc: np.ndarray, covariance: np.ndarray, dtype: str) -> float:
    exact = references.exact_mvn_log_prob(x, loc, covariance)
    return error_in_units(got, exact, np.abs(exact) + x.shape[-1], dtype)


def _mvn_shared(dtype: str, n: int, d: int) -> Problem:
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d)
    x = rng.standard_normal((n, d)).astype(dtype)
    p, out = ll.MultivariateNormal(loc, covariance), np.empty(n, dtype)
    return Problem(
        run=lambda: p.log_prob(x, out=out),
        fresh=lambda: p.log_prob(x),
        reference=lambda: references.mvn_log_prob_shared(x, loc, covariance),
        error=lambda got: _mvn_error(got[:50], x[:50], loc, covariance, dtype),
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
        kernel="mvn_shared",
        arguments=(x, loc, covariance),
    )


def _mvn_points(dtype: str, n: int, d: int) -> Problem:
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d, n)
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty(n, dtype)
    return Problem(
        run=lambda: ll.mvn_log_prob(x, loc, covariance, out=out),
        fresh=lambda: ll.mvn_log_prob(x, loc, covariance),
        reference=lambda: references.mvn_log_prob(x, loc, covariance),
        error=lambda got: _mvn_error(got[:50], x[:50], loc[:50], covariance[:50], dtype),
        tolerance=100.0 * d,
        inputs=(x, loc, covariance),
        outputs=(out,),
        flops=n * (d**3 / 3 + d * d),
        kernel="mvn_points",
        arguments=(x, loc, covariance),
    )


def _mvn_built(dtype: str, n: int, d: int, each: bool) -> Problem:
    """Construction (checks, condition, factor) and one call: a Gaussian for every point, or one for all."""
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d, *((n,) if each else ()))
    x = rng.standard_normal((n, d)).astype(dtype)
    reference = references.mvn_log_prob if each else references.mvn_log_prob_shared
    few = min(n, 50)
    first = (loc[:few], covariance[:few]) if each else (loc, covariance)
    return Problem(
        run=lambda: ll.MultivariateNormal(loc, covariance).log_prob(x),
        reference=lambda: reference(x, loc, covariance),
        error=lambda got: _mvn_error(got[:few], x[:few], *first, dtype),
        tolerance=100.0 * d,
        inputs=(x, loc, covariance),
        outputs=(np.empty(n, dtype),),
        flops=(n if each else 1) * d**3 / 3 + float(n) * d * d,
        kernel="mvn_points" if each else "mvn_shared",
        arguments=(x, loc, covariance),
    )


def _mvn_grid(dtype: str, k: int, n: int, d: int) -> Problem:
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d, k)
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty((n, k), dtype)
    p = ll.MultivariateNormal(loc, covariance)
    return Problem(
        run=lambda: p.log_prob(x[:, None, :], out=out),
        fresh=lambda: p.log_prob(x[:, None, :]),
        reference=lambda: references.mvn_log_prob_grid(x, loc, covariance),
        error=lambda got: _mvn_error(got[:20], x[:20, None], loc, covariance, dtype),
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * k * d * d,
        kernel="mvn_grid",
        arguments=(x, loc, covariance),
    )


def _mixture(dtype: str, k: int, n: int, d: int) -> Problem:
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d, k)
    x = rng.standard_normal((n, d)).astype(dtype)
    weights = np.log(rng.dirichlet(np.ones(k))).astype(dtype)
    p = ll.MultivariateNormal(loc, covariance)

    def error(got: np.ndarray) -> float:
        exact = references.exact_mvn_log_prob(x[:20, None], loc, covariance)
        return error_in_units(got[:20], references.log_mixture(exact, weights), np.abs(exact).max(-1) + d, dtype)

    return Problem(
        run=lambda: ll.mixture_log_prob(x, weights, p),
        reference=lambda: references.mixture_log_prob(x, weights, loc, covariance),
        error=error,
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(np.empty(n, dtype),),
        flops=float(n) * k * d * d,
        kernel="mixture",
        arguments=(x, weights, loc, covariance),
    )


def _mvn_form(form: str, each: bool, dtype: str, n: int, d: int) -> Problem:
    """Gaussians given by precision, factor or variance: one for all points, or one for each."""
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d, *((n,) if each else ()))
    if form == "variance":
        covariance = covariance * np.eye(d, dtype=dtype)
    matrix = {
        "precision": lambda: np.linalg.inv(covariance),
        "scale_tril": lambda: np.linalg.cholesky(covariance),
        "variance": lambda: np.ascontiguousarray(np.diagonal(covariance, axis1=-2, axis2=-1)),
    }[form]()
    if form == "precision":
        matrix = (matrix + matrix.swapaxes(-1, -2)) / 2
    reference = {
        "precision": references.mvn_log_prob_precision,
        "scale_tril": references.mvn_log_prob_tril,
        "variance": references.mvn_log_prob_variance,
    }[form]
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty(n, dtype)
    p = ll.MultivariateNormal(loc, **{form: matrix})
    first = slice(0, 50)

    def error(got: np.ndarray) -> float:
        if form == "precision":  # the covariance that belongs to the rounded precision
            wide = np.linalg.inv(np.asarray(matrix[first] if each else matrix, np.float64))
            return _mvn_error(got[first], x[first], loc[first] if each else loc, wide, dtype)
        parameters = (loc[first], covariance[first]) if each else (loc, covariance)
        return _mvn_error(got[first], x[first], *parameters, dtype)

    return Problem(
        run=lambda: p.log_prob(x, out=out),
        fresh=lambda: p.log_prob(x),
        reference=lambda: reference(x, loc, matrix),
        error=error,
        tolerance=100.0 * d,
        inputs=(x, loc, matrix) if each else (x,),
        outputs=(out,),
        flops=float(n) * (2 * d if form == "variance" else d * d),
    )


def _mvn_singular(dtype: str, n: int, d: int) -> Problem:
    """Points on the support of a covariance of half the rank."""
    rng = seeded()
    a, z = rng.standard_normal((d, d // 2)), rng.standard_normal((n, d // 2))
    covariance, loc, out = (a @ a.T).astype(dtype), np.zeros(d, dtype), np.empty(n, dtype)
    covariance = (covariance + covariance.T) / 2
    x = (z @ a.T).astype(dtype)
    p = ll.MultivariateNormal(loc, covariance, allow_singular=True)
    exact = -0.5 * (z * z).sum(-1) - 0.5 * np.linalg.slogdet(a.T @ a)[1] - d // 2 * references.HALF_LOG_2PI
    return Problem(
        run=lambda: p.log_prob(x, out=out),
        fresh=lambda: p.log_prob(x),
        reference=lambda: references.mvn_log_prob_singular(x, loc, covariance, d // 2),
        error=lambda got: error_in_units(got, exact, np.abs(exact) + d, dtype),
        tolerance=1000.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _mvn_missing(dtype: str, n: int, d: int) -> Problem:
    """One coordinate in twenty is missing, at random: hundreds of patterns."""
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d)
    x, out = rng.standard_normal((n, d)).astype(dtype), np.empty(n, dtype)
    x[rng.random((n, d)) < 0.05] = np.nan
    p = ll.MultivariateNormal(loc, covariance)

    def error(got: np.ndarray) -> float:
        def error_of_row(row: np.ndarray, value: np.ndarray) -> float:
            seen = ~np.isnan(row)
            return _mvn_error(value, row[None, seen], loc[seen], covariance[np.ix_(seen, seen)], dtype)

        return max(error_of_row(x[i], got[i : i + 1]) for i in range(50) if not np.isnan(x[i]).all())

    return Problem(
        run=lambda: p.log_prob(x, out=out, nan_policy="marginalize"),
        fresh=lambda: p.log_prob(x, nan_policy="marginalize"),
        reference=lambda: references.mvn_log_prob_missing(x, loc, covariance),
        error=error,
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _mvn_gradient(each: bool, dtype: str, n: int, d: int) -> Problem:
    """Value and all gradients from a built object; "value" is the same call without `wrt`, whose time is the yardstick."""
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d, *((n,) if each else ()))
    x = rng.standard_normal((n, d)).astype(dtype)
    p, names = ll.MultivariateNormal(loc, covariance), ("x", "loc", "covariance")
    reference = references.mvn_gradient_points if each else references.mvn_gradient_shared
    out, alone = p.log_prob(x, wrt=names), np.empty(n, dtype)

    def flat(result: tuple[np.ndarray, tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
        return result[0], *result[1]

    def error(got: tuple[np.ndarray, ...]) -> float:
        few, mine = (x, loc, covariance), got
        if each:
            few, mine = (x[:50], loc[:50], covariance[:50]), tuple(a[:50] for a in got)
        exact = reference(*(a.astype(F64) for a in few))
        return max(error_in_units(a, b, np.abs(b).max(), dtype) for a, b in zip(mine, exact, strict=True))

    return Problem(
        run=lambda: flat(p.log_prob(x, wrt=names, out=out)),
        fresh=lambda: flat(p.log_prob(x, wrt=names)),
        reference=lambda: reference(x, loc, covariance),
        error=error,
        tolerance=1000.0 * d,
        inputs=(x, loc, covariance),
        outputs=(out[0], *out[1]),
        flops=float(n) * (2 * d**3 / 3 + 2 * d * d if each else 3 * d * d),
        kernel="mvn_gradient",
        arguments=(x, loc, covariance),
        extra={"value": lambda: p.log_prob(x, out=alone)},
    )


def _whiten(dtype: str, n: int, d: int) -> Problem:
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d)
    factor, x = np.linalg.cholesky(covariance), rng.standard_normal((n, d)).astype(dtype)
    out = np.empty((n, d), dtype)

    def error(got: np.ndarray) -> float:
        back = np.asarray(got[:50], np.longdouble) @ np.asarray(factor, np.longdouble).T + loc
        return error_in_units(back, x[:50], np.abs(x[:50]) + np.abs(loc), dtype)

    return Problem(
        run=lambda: ll.ufuncs.whiten(x, loc, factor, out=out),
        fresh=lambda: ll.ufuncs.whiten(x, loc, factor),
        reference=lambda: references.whiten(x, loc, factor),
        error=error,
        tolerance=100.0 * d,
        inputs=(x,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _unwhiten(dtype: str, n: int, d: int) -> Problem:
    rng = seeded()
    loc, covariance = random_gaussian(rng, dtype, d)
    factor, z = np.linalg.cholesky(covariance), rng.standard_normal((n, d)).astype(dtype)
    out = np.empty((n, d), dtype)

    def error(got: np.ndarray) -> float:
        terms = np.asarray(factor, np.longdouble) * z[:50, None, :]
        return error_in_units(got[:50], terms.sum(-1) + loc, np.abs(terms).sum(-1) + np.abs(loc), dtype)

    return Problem(
        run=lambda: ll.ufuncs.unwhiten(z, loc, factor, out=out),
        fresh=lambda: ll.ufuncs.unwhiten(z, loc, factor),
        reference=lambda: references.unwhiten(z, loc, factor),
        error=error,
        tolerance=d + 1.0,
        inputs=(z,),
        outputs=(out,),
        flops=float(n) * d * d,
    )


def _asymmetry(dtype: str, n: int, d: int) -> Problem:
    _, covariance = random_gaussian(seeded(), dtype, d, n)
    covariance = (covariance + covariance.swapaxes(-1, -2)) / 2
    covariance[n // 2, d - 1, 0] += 1
    out, want = np.empty(n, np.int32), np.zeros(n, np.int32)
    want[n // 2] = (d - 1) * d
    return Problem(
        run=lambda: ll.ufuncs.asymmetry(covariance, out=out),
        fresh=lambda: ll.ufuncs.asymmetry(covariance),
        reference=lambda: references.asymmetry(covariance),
        error=lambda got: float(np.abs(got - want).max()),
        tolerance=0.0,
        inputs=(covariance,),
        outputs=(out,),
    )


def _cholesky(dtype: str, n: int, d: int) -> Problem:
    _, covariance = random_gaussian(seeded(), dtype, d, n)
    out, info = ll.ufuncs.cholesky(covariance)

    def error(got: tuple[np.ndarray, np.ndarray]) -> float:
        exact = references.exact_cholesky(covariance[:20])
        return error_in_units(got[0][:20], exact, np.abs(exact).max(axis=(-2, -1), keepdims=True), dtype)

    return Problem(
        run=lambda: ll.ufuncs.cholesky(covariance, out=(out, info)),
        fresh=lambda: ll.ufuncs.cholesky(covariance),
        reference=lambda: references.cholesky(covariance),
        error=error,
        tolerance=100.0 * d,
        inputs=(covariance,),
        outputs=(out,),
        flops=n * d**3 / 3,
        kernel="cholesky",
        arguments=(covariance,),
    )


def gaussian_cases(scale: int) -> Iterator[Case]:
    for dtype in BOTH:
        for n, d in ((1_000_000, 2), (1_000_000, 8), (200_000, 32), (100_000, 64), (20_000, 256)):
            m = n // scale
            yield Case(f"mvn.shared.d{d}", dtype, (m, d), functools.partial(_mvn_shared, dtype, m, d), m)
    for dtype in BOTH:
        for n, d in ((200_000, 2), (100_000, 4), (100_000, 8), (50_000, 16), (20_000, 32), (5_000, 64)):
            m = n // scale
            yield Case(f"mvn.points.d{d}", dtype, (m, d), functools.partial(_mvn_points, dtype, m, d), m)
    for dtype in BOTH:
        for n, d, each in ((100_000, 8, True), (20_000, 32, True), (4096, 1024, False)):
            m, regime = max(n // scale, 64), "points" if each else "shared"
            build = functools.partial(_mvn_built, dtype, m, d if scale == 1 or each else 200, each)
            yield Case(f"mvn.{regime}.built.d{d}", dtype, (m, d), build, m)
    for dtype in BOTH:
        k, n, d = 32, 100_000 // scale, 16
        build = functools.partial(_mvn_grid, dtype, k, n, d)
        yield Case(f"mvn.grid.k{k}.d{d}", dtype, (n, k, d), build, n * k)
        build = functools.partial(_mixture, dtype, k, n, d)
        yield Case(f"mvn.mixture.k{k}.d{d}", dtype, (n, k, d), build, n * k)
    for dtype in BOTH:
        for form in ("precision", "scale_tril", "variance"):
            for each, n, d in ((False, 200_000, 16), (True, 50_000, 16)):
                m, regime = n // scale, "points" if each else "shared"
                build = functools.partial(_mvn_form, form, each, dtype, m, d)
                yield Case(f"mvn.{regime}.{form}.d{d}", dtype, (m, d), build, m)
        for each, n, d in (
            (False, 1_000_000, 8), (False, 200_000, 16), (False, 100_000, 64), (False, 20_000, 256),
            (True, 100_000, 8), (True, 50_000, 16), (True, 20_000, 32),
        ):  # fmt: skip
            m, regime = n // scale, "points" if each else "shared"
            build = functools.partial(_mvn_gradient, each, dtype, m, d)
            yield Case(f"mvn.grad.{regime}.d{d}", dtype, (m, d), build, m)
        m = 200_000 // scale
        yield Case("mvn.singular.d16", dtype, (m, 16), functools.partial(_mvn_singular, dtype, m, 16), m)
        yield Case("mvn.missing.d16", dtype, (m, 16), functools.partial(_mvn_missing, dtype, m, 16), m)
        yield Case("mvn.whiten.d16", dtype, (m, 16), functools.partial(_whiten, dtype, m, 16), m)
        yield Case("mvn.unwhiten.d16", dtype, (m, 16), functools.partial(_unwhiten, dtype, m, 16), m)
        m = 100_000 // scale
        yield Case("mvn.asymmetry.d8", dtype, (m, 8, 8), functools.partial(_asymmetry, dtype, m, 8), m)
    for dtype in BOTH:
        for n, d in ((100_000, 8), (5_000, 64), (1, 512)):
            m = max(1, n // scale)
            yield Case(f"cholesky.d{d}", dtype, (m, d, d), functools.partial(_cholesky, dtype, m, d), m)
