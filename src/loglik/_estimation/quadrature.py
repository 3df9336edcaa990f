"""Divergences of univariate distributions by adaptive quadrature along the line.

A distribution that can be integrated (`_has_line`) gives a *line* (``distribution._line(shape)``): where to cut the line, the
logarithm of its density for rows of points, and its support, for each item of a batch broadcast to `shape`.
"""

import math
from typing import Any

import numpy as np

from loglik import ufuncs
from loglik._engine.quadrature import integrate

DEFAULT_RTOL = 1e-10
"""Where no tolerance is asked for."""


def is_univariate(distribution: Any) -> bool:
    """Whether there is a quadrature for it."""
    return getattr(distribution, "_has_line", False)


def divergence(
    p: Any, q: Any, shape: tuple[int, ...], *, js: bool, rtol: float, atol: float
) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """KL(p ‖ q) or JS(p, q) for each item of a batch of `shape`: value, error, largest number of points, whether all errors are
    within max(atol, rtol·value)."""
    first, second = p._line(shape), q._line(shape)

    def integrand(item: np.ndarray, x: np.ndarray) -> np.ndarray:
        log_p, log_q = first.log_prob(item, x), second.log_prob(item, x)
        with np.errstate(all="ignore"):
            density_p, density_q = np.exp(log_p), np.exp(log_q)
            outside = np.isneginf(log_p) & np.isneginf(log_q)
            ratio = np.where(outside, 0.0, log_p - log_q)
            if js:
                return 0.5 * (density_p + density_q) * ufuncs.js_integrand(ratio)
            # p log(p/q) + q - p: the terms q - p integrate to 0, and with them nothing cancels.
            small = np.abs(ratio) < 0.5  # there from q/p - 1, which keeps the digits of near densities
            near = -density_p * ufuncs.log1pmx(np.expm1(np.where(small, -ratio, 0.0)))
            far = np.where(density_p == 0, density_q, density_p * ratio + (density_q - density_p))
            return np.where(small, near, far)

    edges = np.sort(np.concatenate([first.edges(), second.edges()], axis=1), axis=1)
    infinite = np.zeros(len(edges), bool)
    if not js:  # where p has density and q has none
        (p_low, p_high), (q_low, q_high) = first.support(), second.support()
        infinite = (p_low < q_low) | (p_high > q_high)
    value, error, size, points = integrate(integrand, edges, ~infinite, rtol, atol)
    converged = bool((error <= np.maximum(atol, rtol * size))[~infinite].all())
    value[infinite], error[infinite] = math.inf, 0.0
    if js:
        value = np.clip(value, 0.0, math.log(2.0))
    return value.reshape(shape), error.reshape(shape), points, converged
