"""Gradients of Kullback-Leibler divergences in the parameters of p and q."""

from collections.abc import Callable
from typing import Any

import numpy as np

from loglik import _validate
from loglik._closed_forms import Outcome, bernoulli_outcomes, result_dtype
from loglik._normal_pairs import NormalGradients, normal_pair
from loglik.distributions._base import Distribution
from loglik.distributions._sums import value_and_gradients
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.normal import Normal

Formulas = dict[str, tuple[tuple[int, ...], Callable[[], Any]]]


def kl_gradients(function: str, p: Distribution, q: Distribution, wrt: Any, value: Callable[[], Any]) -> tuple[Any, Any]:
    """(value, gradient) or (value, (gradients, ...)) of KL(p ‖ q), which `value` gives."""
    lead = _validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)
    if isinstance(p, Normal) and isinstance(q, Normal):
        formulas = _normal(p, q)
    elif isinstance(p, Bernoulli) and isinstance(q, Bernoulli):
        formulas = _bernoulli(p, q)
    elif isinstance(p, Normal | MultivariateNormal) and isinstance(q, Normal | MultivariateNormal):
        formulas = _gaussian(function, p, q)
    else:
        value()  # whether there is a closed form at all
        raise NotImplementedError(
            f"{function}: no gradients (wrt) for KL({type(p).__name__} ‖ {type(q).__name__}); there are some for Normal, "
            "MultivariateNormal and Bernoulli"
        )
    return value_and_gradients(function, value, formulas, lead=lead, dtype=result_dtype(p, q), wrt=wrt)


def _normal(p: Normal, q: Normal) -> Formulas:
    a, s, b, t = (np.asarray(value, np.float64) for value in (p.loc, p.scale, q.loc, q.scale))
    with np.errstate(all="ignore"):
        shift = np.where(np.isfinite(a - b), (a - b) / t, 2 * ((a / 2 - b / 2) / t))
        excess = (s - t) / t  # σp/σq - 1

    def by_q_scale() -> Any:
        return -(excess * (2 + excess) + shift * shift) / t

    return {
        "p.loc": (np.shape(p._loc), lambda: shift / t),
        "p.scale": (np.shape(p._scale), lambda: excess * ((s + t) / t / s)),
        "q.loc": (np.shape(q._loc), lambda: -shift / t),
        "q.scale": (np.shape(q._scale), by_q_scale),
    }


def _bernoulli(p: Bernoulli, q: Bernoulli) -> Formulas:
    one, zero = bernoulli_outcomes(p, q)
    formulas: Formulas = {}
    if p._logits is None:
        formulas["p.probs"] = (p.batch_shape, lambda: one.log_ratio() - zero.log_ratio())
    else:
        formulas["p.logits"] = (p.batch_shape, lambda: _by_p_logits(p, q, one, zero))
    if q._logits is None:
        formulas["q.probs"] = (q.batch_shape, lambda: _by_q_probs(one, zero))
    else:
        formulas["q.logits"] = (q.batch_shape, lambda: one.difference)
    return formulas


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
