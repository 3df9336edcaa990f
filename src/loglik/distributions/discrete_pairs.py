"""Closed forms of pairs with a `Discrete`, registered in `pairs`."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._discrete import pmf_rows, scaled_pmf
from loglik._discrete.scaled_pmf import Pmf
from loglik._divergences import pairs, probability_rows
from loglik._divergences.outcomes import LOG_2_DOWN, Outcome, cross_term
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.discrete import Discrete

_TINY = float(np.finfo(np.float64).tiny)


def _finish(values: Any, p: Any, q: Any, *, log_2: bool = False) -> Any:
    """float64 values in the dtype of the result; at most log 2 if asked."""
    dtype = pairs.result_dtype(p, q)
    if log_2:
        values = np.minimum(values, LOG_2_DOWN[dtype])
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(values).astype(dtype)[()]


class _Overlap(NamedTuple):
    """Two discrete variables, or rows of them, on the outcomes that both list, and what either has beside them."""

    p: np.ndarray
    q: np.ndarray
    log_p: np.ndarray | None
    log_q: np.ndarray | None
    p_outside: Any
    q_outside: Any
    p_escapes: Any  # p has an outcome, however improbable, that q has not

    @property
    def logs(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Logarithms of p and q; None if they are no more than those of the probabilities."""
        return None if self.log_p is None or self.log_q is None else (self.log_p, self.log_q)


def _overlap(p: Discrete, q: Discrete, p_masses: Pmf, q_masses: Pmf) -> _Overlap:
    start = max(p._start, q._start)
    stop = max(start, min(p._start + p._length, q._start + q._length))
    plain = p_masses.exponents is None and q_masses.exponents is None

    def parts(d: Discrete, masses: Pmf) -> tuple[np.ndarray, np.ndarray | None, Any, Any]:
        """Probabilities and logarithms in common, the other probabilities, and whether any of those is possible."""
        first, last = min(start - d._start, d._length), min(stop - d._start, d._length)
        every = d.probs if masses is d._masses and not d.batch_shape else pmf_rows.probs(masses, d.dtype)
        logs = None if plain else _double(scaled_pmf.logs(masses.values, masses.exponents))
        outside = _total(every[..., :first]) + _total(every[..., last:])
        if logs is None:
            return every[..., first:last], None, outside, outside > 0
        possible = (logs[..., :first] > -np.inf).any(axis=-1) | (logs[..., last:] > -np.inf).any(axis=-1)
        return _double(every[..., first:last]), logs[..., first:last], outside, possible

    p_probs, p_logs, p_outside, escapes = parts(p, p_masses)
    q_probs, q_logs, q_outside, _ = parts(q, q_masses)
    if p_logs is not None and q_logs is not None:
        escapes = escapes | ((p_logs > -np.inf) & (q_logs == -np.inf)).any(axis=-1)
    return _Overlap(p_probs, q_probs, p_logs, q_logs, p_outside, q_outside, escapes)


def _total(probs: np.ndarray) -> Any:
    # one row is cast in parts by NumPy, which several short ones would share
    return probs.sum(dtype=np.float64) if probs.ndim == 1 else probs.astype(np.float64).sum(axis=-1)


def _listed(value: Callable[[_Overlap], Any], *, log_2: bool = False) -> pairs.Form:
    """A form of two `Discrete`, batches included, from the value for their overlap."""

    def form(function: str, p: Discrete, q: Discrete) -> Any:
        def of(p_masses: Pmf, q_masses: Pmf) -> Any:
            return value(_overlap(p, q, p_masses, q_masses))

        if p.batch_shape or q.batch_shape:
            return _finish(pmf_rows.paired(function, p._masses, q._masses, of, "p", "q"), p, q, log_2=log_2)
        return _finish(of(p._masses, q._masses), p, q, log_2=log_2)

    return form


def _unless(infinite: Any, value: Any) -> Any:
    """The value, or infinity; for one pmf without arrays, which would take longer than its sum."""
    return np.where(infinite, np.inf, value) if isinstance(infinite, np.ndarray) else np.inf if infinite else value


def _logs(d: Discrete) -> np.ndarray:
    """Logarithms of the probabilities, right where those underflow."""
    return _double(scaled_pmf.logs(d._masses.values, d._masses.exponents))


def _kl_overlap(both: _Overlap) -> Any:
    if both.logs is None:
        value = probability_rows.total(ufuncs.categorical_kl, both.p, both.q) + both.q_outside
        return _unless(both.p_escapes, value)
    log_p, log_q = both.logs
    terms = ufuncs.relative_entropy(both.p, both.q)
    # Probabilities of q below the normal numbers, perhaps 0, by their logarithms.
    faint = (both.q < _TINY) & (both.p > 0)
    if faint.any():
        with np.errstate(invalid="ignore"):
            apart = both.p * (log_p - log_q) + (both.q - both.p)
        terms = np.where(faint, np.maximum(apart, 0.0), terms)
    return _unless(both.p_escapes, terms.sum(axis=-1) + both.q_outside)


def _js_overlap(both: _Overlap) -> Any:
    alone = 0.5 * np.log(2.0) * (both.p_outside + both.q_outside)
    return probability_rows.total(ufuncs.categorical_js, both.p, both.q) + alone


def _cross_entropy_overlap(both: _Overlap) -> Any:
    if both.logs is None:
        value = probability_rows.total(ufuncs.categorical_cross_entropy, both.p, both.q)
    else:
        value = _sum_of_possible(both.p, both.logs[1])
    return _unless(both.p_escapes, value)


def _sum_of_possible(p: np.ndarray, log_q: np.ndarray) -> Any:
    """-Σ p log q over what is possible."""
    if p.ndim > 1:
        return np.array([_sum_of_possible(*row) for row in zip(p, log_q, strict=True)])
    some = p > 0
    return 0.0 - (p[some] * log_q[some]).sum()


def _bernoulli_in_discrete(b: Bernoulli, d: Discrete) -> tuple[Outcome, Outcome, Any]:
    """The outcomes 1 and 0 with p = b and q = d, and what the other probabilities of d total."""
    listing = functools.partial(_zero_and_one, d)
    listed = pmf_rows.per_row(d._masses, listing, np.float64, 5) if d.batch_shape else listing(d._masses)
    q0, q1, log_q0, log_q1, others = (listed[..., i][()] for i in range(5))
    q, log_q = (q0, q1), (log_q0, log_q1)
    (p1, p0), (log_p1, log_p0) = b.wide_probs(), b.wide_log_probs()
    zero_difference = q[0] - p0
    if b._form == "probs":  # p0 is rounded: p1 - (1 - q0), with the rounding of 1 - q0 beside it
        one_less = 1.0 - q[0]
        zero_difference = (p1 - one_less) - ((1.0 - one_less) - q[0])
    one = Outcome(p1, np.asarray(q[1]), q[1] - p1, log_p1, np.asarray(log_q[1]))
    zero = Outcome(p0, np.asarray(q[0]), zero_difference, log_p0, np.asarray(log_q[0]))
    return one, zero, others


def _zero_and_one(d: Discrete, masses: Pmf) -> np.ndarray:
    """P(0), P(1), their logarithms, and what the other probabilities total, for one pmf or for rows of them."""
    every = _double(pmf_rows.probs(masses, d.dtype))
    logs = pmf_rows.logs(masses, np.dtype(np.float64)) if every.ndim > 1 else _logs(d)
    listed, elsewhere = np.zeros((*every.shape[:-1], 5)), np.ones(d._length, bool)
    for outcome in (0, 1):
        index = outcome - d._start
        if 0 <= index < d._length:
            listed[..., outcome], listed[..., outcome + 2], elsewhere[index] = every[..., index], logs[..., index], False
        else:
            listed[..., outcome + 2] = -np.inf
    # possible but below the range of doubles: the least positive number
    values = np.where(logs > -np.inf, np.maximum(every, 5e-324), 0.0)[..., elsewhere]
    listed[..., 4] = np.ascontiguousarray(values).sum(axis=-1)
    return listed


def _kl_bernoulli_discrete(function: str, p: Bernoulli, q: Discrete) -> Any:
    one, zero, others = _bernoulli_in_discrete(p, q)
    return _finish(one.relative_entropy() + zero.relative_entropy() + others, p, q)


def _kl_discrete_bernoulli(function: str, p: Discrete, q: Bernoulli) -> Any:
    one, zero, others = _bernoulli_in_discrete(q, p)
    return _finish(np.where(others > 0, np.inf, one.turned().relative_entropy() + zero.turned().relative_entropy()), p, q)


def _js_mixed(function: str, p: Any, q: Any) -> Any:
    b, d = (p, q) if isinstance(p, Bernoulli) else (q, p)
    one, zero, others = _bernoulli_in_discrete(b, d)
    return _finish(one.js() + zero.js() + 0.5 * np.log(2.0) * others, p, q, log_2=True)


def _cross_entropy_bernoulli_discrete(function: str, p: Bernoulli, q: Discrete) -> Any:
    one, zero, _ = _bernoulli_in_discrete(p, q)
    return _finish(cross_term(one.p, one.log_q) + cross_term(zero.p, zero.log_q) + 0.0, p, q)


def _cross_entropy_discrete_bernoulli(function: str, p: Discrete, q: Bernoulli) -> Any:
    one, zero, others = _bernoulli_in_discrete(q, p)
    value = cross_term(one.q, one.log_p) + cross_term(zero.q, zero.log_p) + 0.0
    return _finish(np.where(others > 0, np.inf, value), p, q)


def _double(value: Any) -> np.ndarray:
    return np.asarray(value, np.float64)


pairs.register(pairs.KL, Discrete, Discrete, _listed(_kl_overlap))
pairs.register(pairs.KL, Bernoulli, Discrete, _kl_bernoulli_discrete)
pairs.register(pairs.KL, Discrete, Bernoulli, _kl_discrete_bernoulli)
pairs.register(pairs.JS, Discrete, Discrete, _listed(_js_overlap, log_2=True))
pairs.register(pairs.JS, Bernoulli, Discrete, _js_mixed)
pairs.register(pairs.JS, Discrete, Bernoulli, _js_mixed)
pairs.register(pairs.CROSS_ENTROPY, Discrete, Discrete, _listed(_cross_entropy_overlap))
pairs.register(pairs.CROSS_ENTROPY, Bernoulli, Discrete, _cross_entropy_bernoulli_discrete)
pairs.register(pairs.CROSS_ENTROPY, Discrete, Bernoulli, _cross_entropy_discrete_bernoulli)
