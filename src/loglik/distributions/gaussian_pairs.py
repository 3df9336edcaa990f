"""Closed forms of pairs of normal distributions with a `MultivariateNormal` among them, registered in `pairs`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from loglik._divergences import pairs
from loglik._divergences.normal_pairs import NormalGradients, NormalPair, normal_pair
from loglik._engine.slopes import value_and_gradients
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.normal import Normal

Formulas = dict[str, tuple[tuple[int, ...], Callable[[], Any]]]


def _pair(function: str, p: Any, q: Any) -> NormalPair:
    pair = normal_pair(function, p, q)
    assert pair is not None
    return pair


def _kl(function: str, p: Any, q: Any) -> Any:
    pair = _pair(function, p, q)
    return np.asarray(pair.kl(), pair.dtype)[()]


def _cross_entropy(function: str, p: Any, q: Any) -> Any:
    pair = _pair(function, p, q)
    return np.asarray(pair.cross_entropy(), pair.dtype)[()]


def _kl_gradients(function: str, p: Any, q: Any, wrt: Any, value: Callable[[], Any]) -> Any:
    parts = _pair(function, p, q).gradients()
    formulas: Formulas = {}
    for name, d, sign in (("p", p, 1.0), ("q", q, -1.0)):
        for key, shape, formula in _in_parameters(name, d, sign, parts):
            formulas[f"{name}.{key}"] = (shape, formula)
    value_shape, dtype = pairs.batch(function, p, q), pairs.result_dtype(p, q)
    return value_and_gradients(function, value, formulas, value_shape=value_shape, dtype=dtype, wrt=wrt)


def _in_parameters(
    name: str, d: Any, sign: float, parts: NormalGradients
) -> list[tuple[str, tuple[int, ...], Callable[[], Any]]]:
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


for _p, _q in ((MultivariateNormal, MultivariateNormal), (Normal, MultivariateNormal), (MultivariateNormal, Normal)):
    pairs.register(pairs.KL, _p, _q, _kl, _kl_gradients)
    pairs.register(pairs.CROSS_ENTROPY, _p, _q, _cross_entropy)
