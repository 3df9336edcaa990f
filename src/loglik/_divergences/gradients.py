"""Gradients of Kullback-Leibler divergences in the parameters of p and q."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._divergences.closed_forms import Outcome, bernoulli_outcomes, result_dtype
from loglik._divergences.normal_pairs import NormalGradients, normal_pair
from loglik._engine import validate
from loglik._engine.slopes import Argument, Slopes, elementwise_gradients, value_and_gradients
from loglik.distributions import bernoulli
from loglik.distributions.base import Distribution
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.normal import Normal

Formulas = dict[str, tuple[tuple[int, ...], Callable[[], Any]]]


def kl_gradients(function: str, p: Distribution, q: Distribution, wrt: Any, value: Callable[[], Any]) -> tuple[Any, Any]:
    """(value, gradient) or (value, (gradients, ...)) of KL(p ‖ q), which `value` gives."""
    lead = validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)
    dtype = result_dtype(p, q)
    slopes: Callable[[dict[str, np.ndarray]], Slopes] | None = None
    if isinstance(p, Normal) and isinstance(q, Normal):
        slopes = _normal
    elif isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        slopes = functools.partial(_bernoulli, p, q)
    if slopes is not None:
        arguments = {
            f"{side}.{name}": Argument(np.asarray(given), d.dtype)
            for side, d in (("p", p), ("q", q))
            for name, given in d._arguments().items()
        }
        return elementwise_gradients(
            function, lambda out: value(), arguments, tuple(arguments), slopes, lead=lead, dtype=dtype, wrt=wrt, nanoseconds=50.0
        )
    if isinstance(p, Normal | MultivariateNormal) and isinstance(q, Normal | MultivariateNormal):
        formulas = _gaussian(function, p, q)
    else:
        value()  # whether there is a closed form at all
        raise NotImplementedError(
            f"{function}: no gradients (wrt) for KL({type(p).__name__} ‖ {type(q).__name__}); there are some for Normal, "
            "MultivariateNormal and Bernoulli"
        )
    return value_and_gradients(function, value, formulas, lead=lead, dtype=dtype, wrt=wrt)


def _normal(blocks: dict[str, np.ndarray]) -> Slopes:
    a, s, b, t = (blocks[name] for name in ("p.loc", "p.scale", "q.loc", "q.scale"))
    difference = a - b
    shift = difference / t
    overflow = ~np.isfinite(difference)
    if overflow.any():
        shift = np.where(overflow, 2 * ((a / 2 - b / 2) / t), shift)
    excess = (s - t) / t  # σp/σq - 1
    return {
        "p.loc": lambda: shift / t,
        "p.scale": lambda: excess * ((s + t) / t / s),
        "q.loc": lambda: -shift / t,
        "q.scale": lambda: -(excess * (2 + excess) + shift * shift) / t,
    }


def _bernoulli(p: Bernoulli, q: Bernoulli, blocks: dict[str, np.ndarray]) -> Slopes:
    (of_p, of_q) = (f"{side}.{'probs' if d._logits is None else 'logits'}" for side, d in (("p", p), ("q", q)))
    p, q = bernoulli.part_of(p, blocks[of_p]), bernoulli.part_of(q, blocks[of_q])
    one, zero = bernoulli_outcomes(p, q)
    return {
        of_p: lambda: one.log_ratio() - zero.log_ratio() if p._logits is None else _by_p_logits(p, q, one, zero),
        of_q: lambda: _by_q_probs(one, zero) if q._logits is None else one.difference,
    }


def _by_p_logits(p: Bernoulli, q: Bernoulli, one: Outcome, zero: Outcome) -> np.ndarray:
    """p (1 - p) (zp - zq); 0 where p is 0 or 1, whatever the logits."""
    if q._logits is None:
        difference = one.log_ratio() - zero.log_ratio()
    else:
        difference = np.asarray(p._logits, np.float64) - np.asarray(q._logits, np.float64)
    variance = one.p * zero.p
    return np.where(variance == 0, 0.0, variance * difference)


def _by_q_probs(one: Outcome, zero: Outcome) -> np.ndarray:
    """(q - p)/(q (1 - q)); where p is certain it has no 0 in the denominator."""
    usual = one.difference / one.q / zero.q
    return np.where(one.p == 0, 1 / zero.q, np.where(zero.p == 0, -1 / one.q, usual))


def _gaussian(function: str, p: Any, q: Any) -> Formulas:
    pair = normal_pair(function, p, q)
    assert pair is not None
    parts = pair.gradients()
    formulas: Formulas = {}
    for name, d, sign in (("p", p, 1.0), ("q", q, -1.0)):
        for key, shape, formula in _of_one(name, d, sign, parts):
            formulas[f"{name}.{key}"] = (shape, formula)
    return formulas


def _of_one(name: str, d: Any, sign: float, parts: NormalGradients) -> list[tuple[str, tuple[int, ...], Callable[[], Any]]]:
    """Names, shapes and gradients of the parameters of one of the two."""
    if isinstance(d, Normal):
        return [
            ("loc", np.shape(d._loc), lambda: sign * parts.by_loc[..., 0]),
            ("scale", np.shape(d._scale), lambda: parts.in_matrix(name, "scale_tril")[..., 0, 0]),
        ]
    form = d._form
    return [
        ("loc", d._loc.shape, lambda: sign * parts.by_loc),
        (form, getattr(d, "_" + form).shape, lambda: parts.in_matrix(name, form)),
    ]
