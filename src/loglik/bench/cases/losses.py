"""Benchmarks of the losses."""

import functools
from collections.abc import Iterator

import numpy as np

import loglik as ll
from loglik.bench import references
from loglik.bench.problem import F32, F64, Case, Problem, error_in_units, seeded


def _bernoulli(wanted: str, dtype: str, n: int) -> Problem:
    rng = seeded()
    targets, logits = rng.integers(0, 2, n).astype(dtype), rng.uniform(-8, 8, n).astype(dtype)
    terms = references.bernoulli_nll(targets[::97].astype(np.longdouble), logits[::97].astype(np.longdouble))
    arguments = (targets, logits)
    if wanted == "none":
        out = np.empty(n, dtype)
        return Problem(
            run=lambda: ll.bernoulli_nll(targets, logits=logits, reduction="none", out=out),
            fresh=lambda: ll.bernoulli_nll(targets, logits=logits, reduction="none"),
            reference=lambda: references.bernoulli_nll(targets, logits),
            error=lambda got: error_in_units(got[::97], terms, terms, dtype),
            tolerance=100.0,
            inputs=arguments,
            outputs=(out,),
            kernel="bernoulli_nll",
            arguments=arguments,
        )
    total = float(references.bernoulli_nll(targets.astype(F64), logits.astype(F64)).sum())
    if wanted == "sum":
        return Problem(
            run=lambda: ll.bernoulli_nll(targets, logits=logits, reduction="sum"),
            reference=lambda: references.bernoulli_nll_sum(targets, logits),
            error=lambda got: error_in_units(got, total, total, dtype),
            tolerance=1000.0,
            inputs=arguments,
            kernel="bernoulli_nll_sum",
            arguments=arguments,
        )
    value, gradient = ll.bernoulli_nll(targets, logits=logits, reduction="sum", wrt="logits")
    value = np.asarray(value)
    z = logits[::97].astype(np.longdouble)
    probability, hit = references.sigmoid(z), targets[::97]
    return Problem(
        run=lambda: ll.bernoulli_nll(targets, logits=logits, reduction="sum", wrt="logits", out=(value, gradient)),
        fresh=lambda: ll.bernoulli_nll(targets, logits=logits, reduction="sum", wrt="logits"),
        reference=lambda: references.bernoulli_nll_gradient(targets, logits),
        error=lambda got: max(
            error_in_units(got[0], total, total, dtype),
            error_in_units(got[1][::97], probability - hit, probability + hit, dtype),
        ),
        tolerance=1000.0,
        inputs=arguments,
        outputs=(gradient,),
        kernel="bernoulli_nll_gradient",
        arguments=arguments,
    )


def _gaussian(form: str, wanted: str, dtype: str, n: int) -> Problem:
    rng = seeded()
    targets, mean = rng.uniform(-8, 8, (2, n)).astype(dtype)
    variance = rng.uniform(0.5, 2, n)
    spread = {"variance": variance, "log_variance": np.log(variance), "scale": np.sqrt(variance)}[form].astype(dtype)
    wide = [a.astype(F64) for a in (targets, mean, spread)]
    wide[2] = {"variance": wide[2], "log_variance": np.exp(wide[2]), "scale": wide[2] ** 2}[form]
    total = float(references.gaussian_nll(*wide).sum())
    terms = total + float(np.abs(np.log(wide[2])).sum())
    arguments, names = (targets, mean, spread), ("mean", form)
    if wanted == "sum":
        return Problem(
            run=lambda: ll.gaussian_nll(targets, mean=mean, reduction="sum", **{form: spread}),
            reference=lambda: references.gaussian_nll_sum(*arguments, form),
            error=lambda got: error_in_units(got, total, terms, dtype),
            tolerance=1000.0,
            inputs=arguments,
            kernel=f"gaussian_nll_sum_{form}",
            arguments=arguments,
        )
    value, gradients = ll.gaussian_nll(targets, mean=mean, reduction="sum", wrt=names, **{form: spread})
    out = (np.asarray(value), gradients)
    slope = (wide[1] - wide[0]) / wide[2]
    return Problem(
        run=lambda: ll.gaussian_nll(targets, mean=mean, reduction="sum", wrt=names, out=out, **{form: spread}),
        fresh=lambda: ll.gaussian_nll(targets, mean=mean, reduction="sum", wrt=names, **{form: spread}),
        reference=lambda: references.gaussian_nll_gradient(*arguments, form),
        error=lambda got: max(
            error_in_units(got[0], total, terms, dtype), error_in_units(got[1][0], slope, np.abs(slope), dtype)
        ),
        tolerance=1000.0,
        inputs=arguments,
        outputs=gradients,
    )


def _laplace(form: str, wanted: str, dtype: str, n: int) -> Problem:
    rng = seeded()
    targets, loc = rng.uniform(-8, 8, (2, n)).astype(dtype)
    scale = rng.uniform(0.5, 2, n)
    spread = {"scale": scale, "log_scale": np.log(scale)}[form].astype(dtype)
    arguments, names = (targets, loc, spread), ("loc", form)
    total, slopes = references.laplace_nll_gradient(*(a.astype(F64) for a in arguments), form)
    if wanted == "sum":
        return Problem(
            run=lambda: ll.laplace_nll(targets, loc=loc, reduction="sum", **{form: spread}),
            reference=lambda: references.laplace_nll_sum(*arguments, form),
            error=lambda got: error_in_units(got, total, total, dtype),
            tolerance=1000.0,
            inputs=arguments,
            kernel=f"laplace_nll_sum_{form}",
            arguments=arguments,
        )
    value, gradients = ll.laplace_nll(targets, loc=loc, reduction="sum", wrt=names, **{form: spread})
    out = (np.asarray(value), gradients)
    return Problem(
        run=lambda: ll.laplace_nll(targets, loc=loc, reduction="sum", wrt=names, out=out, **{form: spread}),
        fresh=lambda: ll.laplace_nll(targets, loc=loc, reduction="sum", wrt=names, **{form: spread}),
        reference=lambda: references.laplace_nll_gradient(*arguments, form),
        error=lambda got: max(
            error_in_units(got[0], total, total, dtype), error_in_units(got[1][0], slopes[0], np.abs(slopes[0]), dtype)
        ),
        tolerance=1000.0,
        inputs=arguments,
        outputs=gradients,
    )


def _categorical(wanted: str, dtype: str, n: int, classes: int) -> Problem:
    rng = seeded()
    logits, targets = rng.uniform(-8, 8, (n, classes)).astype(dtype), rng.integers(0, classes, n)
    wide = logits.astype(F64)
    terms = references.categorical_nll(targets, wide)
    total = float(terms.sum())
    arguments = (targets, logits)
    if wanted == "sum":
        return Problem(
            run=lambda: ll.categorical_nll(targets, logits=logits, reduction="sum"),
            reference=lambda: references.categorical_nll(targets, logits).sum(),
            error=lambda got: error_in_units(got, total, total, dtype),
            tolerance=1000.0,
            inputs=arguments,
            kernel="categorical_nll_sum",
            arguments=arguments,
        )
    value, gradient = ll.categorical_nll(targets, logits=logits, reduction="sum", wrt="logits")
    value = np.asarray(value)
    exact = references.categorical_gradient(targets, wide)[1]
    size = exact + 2.0 * (np.arange(classes) == targets[:, None])  # p + target
    return Problem(
        run=lambda: ll.categorical_nll(targets, logits=logits, reduction="sum", wrt="logits", out=(value, gradient)),
        fresh=lambda: ll.categorical_nll(targets, logits=logits, reduction="sum", wrt="logits"),
        reference=lambda: references.categorical_gradient(targets, logits),
        error=lambda got: max(
            error_in_units(got[0], total, total, dtype), error_in_units(got[1], exact, size, dtype)
        ),
        tolerance=1000.0,
        inputs=arguments,
        outputs=(gradient,),
        kernel="categorical_nll_gradient",
        arguments=arguments,
    )


def _standard_normal(wanted: str, dtype: str, n: int, d: int) -> Problem:
    rng = seeded()
    loc, log_variance = rng.uniform(-2, 2, (n, d)).astype(dtype), rng.uniform(-3, 1, (n, d)).astype(dtype)
    wide = loc.astype(F64), log_variance.astype(F64)
    total, arguments, names = float(references.kl_standard_normal(*wide)), (loc, log_variance), ("loc", "log_variance")
    if wanted == "sum":
        return Problem(
            run=lambda: ll.kl_standard_normal(loc, log_variance, reduction="sum"),
            reference=lambda: references.kl_standard_normal(loc, log_variance),
            error=lambda got: error_in_units(got, total, total, dtype),
            tolerance=1000.0,
            inputs=arguments,
            kernel="kl_standard_normal",
            arguments=arguments,
        )
    value, gradients = ll.kl_standard_normal(loc, log_variance, reduction="sum", wrt=names)
    out, exact = (np.asarray(value), gradients), 0.5 * np.expm1(wide[1])
    return Problem(
        run=lambda: ll.kl_standard_normal(loc, log_variance, reduction="sum", wrt=names, out=out),
        fresh=lambda: ll.kl_standard_normal(loc, log_variance, reduction="sum", wrt=names),
        reference=lambda: references.kl_standard_normal_gradient(loc, log_variance),
        error=lambda got: max(
            error_in_units(got[0], total, total, dtype), error_in_units(got[1][1], exact, np.abs(exact), dtype)
        ),
        tolerance=1000.0,
        inputs=arguments,
        outputs=gradients,
    )


def loss_cases(scale: int) -> Iterator[Case]:
    for wanted in ("sum", "none", "gradient"):
        for dtype in (F32, F64):
            n = 10_000_000 // scale
            yield Case(f"loss.bernoulli_nll.{wanted}", dtype, (n,), functools.partial(_bernoulli, wanted, dtype, n), n)
    for wanted in ("sum", "gradient"):
        for dtype in (F32, F64):
            for rows, classes in ((8192, 1000), (262_144, 10)):
                n = rows // scale
                build = functools.partial(_categorical, wanted, dtype, n, classes)
                yield Case(f"loss.categorical_nll.{wanted}.k{classes}", dtype, (n, classes), build, n * classes)
            for form in ("variance", "log_variance", "scale"):
                n = 10_000_000 // scale
                build = functools.partial(_gaussian, form, wanted, dtype, n)
                yield Case(f"loss.gaussian_nll.{wanted}.{form}", dtype, (n,), build, n)
            for form in ("scale", "log_scale"):
                n = 10_000_000 // scale
                build = functools.partial(_laplace, form, wanted, dtype, n)
                yield Case(f"loss.laplace_nll.{wanted}.{form}", dtype, (n,), build, n)
            n, d = 4096 // scale, 512
            yield Case(f"loss.vae.{wanted}", dtype, (n, d), functools.partial(_standard_normal, wanted, dtype, n, d), n * d)
