"""Divergences of pairs of distributions in closed form, by pair of families.

Each function takes (function, p, q), `function` being who is asked, for errors. What is not in a table here has no closed
form in this package.

Terms follow one scheme: KL is the sum over outcomes of a·log(a/b) + b - a >= 0, the Jensen-Shannon divergence with m = (a + b)/2
half the sum of the same from a to m and from b to m. The differences b - a come in beside a and b, computed from the
parameters, so that nearly equal pairs keep their digits.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._discrete import pmf_rows, scaled_pmf
from loglik._discrete.scaled_pmf import Pmf
from loglik._divergences import probability_rows
from loglik._divergences.normal_pairs import LOG_2PI, normal_pair
from loglik._engine import elementwise, validate
from loglik.distributions import bernoulli
from loglik.distributions.base import Distribution
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.discrete import Discrete
from loglik.distributions.mvnormal import MultivariateNormal
from loglik.distributions.normal import Normal
from loglik.distributions.uniform import Uniform

Form = Callable[[str, Any, Any], Any]

# KL of a uniform distribution from the normal one with its mean and variance: log(2πe/12)/2
_UNIFORM_TO_NORMAL = 0.17648520831067259
_TINY = float(np.finfo(np.float64).tiny)
# the largest number of each type that is at most log 2
_LOG_2_DOWN = {np.dtype(np.float64): np.log(2.0), np.dtype(np.float32): float.fromhex("0x1.62e42ep-1")}


def form_of(table: dict[tuple[type, type], Form], p: Any, q: Any) -> Form | None:
    """The entry of `table` for the families of p and q."""
    for (first, second), form in table.items():
        if isinstance(p, first) and isinstance(q, second):
            return form
    return None


def result_dtype(p: Distribution, q: Distribution) -> np.dtype:
    """Python numbers among the parameters are weak, as everywhere."""
    parameters = [value for d in (p, q) if not isinstance(d, Discrete) for value in d._arguments().values()]
    return validate.result_dtype(*parameters, *(np.empty(0, d.dtype) for d in (p, q) if isinstance(d, Discrete)))


def _finish(values: Any, p: Any, q: Any, *, log_2: bool = False) -> Any:
    """float64 values in the dtype of the result; at most log 2 if asked."""
    dtype = result_dtype(p, q)
    if log_2:
        values = np.minimum(values, _LOG_2_DOWN[dtype])
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(values).astype(dtype)[()]


def _lead(function: str, p: Any, q: Any) -> tuple[int, ...]:
    return validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)


def _double(value: Any) -> np.ndarray:
    return np.asarray(value, np.float64)


# ------------------------------------------------------------------------------------------- normal and uniform


def _kl_normal(function: str, p: Normal, q: Normal) -> Any:
    _lead(function, p, q)
    arguments = (p.loc, p.scale, q.loc, q.scale)
    return elementwise.apply(function, ufuncs.normal_kl, *arguments, dtype=result_dtype(p, q), nanoseconds=5.0)


def _kl_uniform(function: str, p: Uniform, q: Uniform) -> Any:
    _lead(function, p, q)
    arguments = (p.low, p.high, q.low, q.high)
    return elementwise.apply(function, ufuncs.uniform_kl, *arguments, dtype=result_dtype(p, q), nanoseconds=4.0)


def _kl_uniform_normal(function: str, p: Uniform, q: Normal) -> Any:
    """That of the normal with the same two moments, and a constant."""
    _lead(function, p, q)
    value = ufuncs.normal_kl(*_moments(p, q), 0.0, _double(q.scale))
    return _finish(value + _UNIFORM_TO_NORMAL, p, q)


def _moments(p: Uniform, q: Normal) -> tuple[np.ndarray, np.ndarray]:
    """Mean of p from that of q, and standard deviation of p."""
    low, high, loc = _double(p.low), _double(p.high), _double(q.loc)
    # quarters, so that no difference overflows
    mean = 2 * ((0.25 * low - 0.25 * loc) + (0.25 * high - 0.25 * loc))
    with np.errstate(over="ignore"):
        near = 0.5 * ((low - loc) + (high - loc))
    root = np.sqrt(12.0)
    with np.errstate(over="ignore"):
        width = high - low
    return np.where(np.isfinite(near), near, mean), np.where(np.isfinite(width), width / root, high / root - low / root)


def _infinite(function: str, p: Any, q: Any) -> Any:
    return _finish(np.full(_lead(function, p, q), np.inf), p, q)


def _kl_gaussian(function: str, p: Any, q: Any) -> Any:
    pair = normal_pair(function, p, q)
    assert pair is not None
    return np.asarray(pair.kl(), pair.dtype)[()]


def _cross_entropy_normal(function: str, p: Normal, q: Normal) -> Any:
    _lead(function, p, q)
    return _finish(_normal_cross_entropy(p.loc, p.scale, q), p, q)


def _normal_cross_entropy(loc: Any, scale: Any, q: Normal) -> np.ndarray:
    """log σq + (log 2π + (σ² + (μ - μq)²)/σq²)/2"""
    q_loc, q_scale = _double(q.loc), _double(q.scale)
    with np.errstate(all="ignore"):
        shift, ratio = (_double(loc) / 2 - q_loc / 2) / (q_scale / 2), _double(scale) / q_scale
        return np.log(q_scale) + 0.5 * (LOG_2PI + (ratio * ratio + shift * shift))


def _cross_entropy_uniform(function: str, p: Uniform, q: Uniform) -> Any:
    _lead(function, p, q)
    low, high = _double(q.low), _double(q.high)
    covered = (low <= _double(p.low)) & (_double(p.high) <= high)
    return _finish(np.where(covered, 0.0 - ufuncs.uniform_log_prob(low, low, high), np.inf), p, q)


def _cross_entropy_uniform_normal(function: str, p: Uniform, q: Normal) -> Any:
    _lead(function, p, q)
    mean, std = _moments(p, q)
    return _finish(_normal_cross_entropy(mean, std, Normal(np.zeros(()), q.scale)), p, q)


def _cross_entropy_gaussian(function: str, p: Any, q: Any) -> Any:
    pair = normal_pair(function, p, q)
    assert pair is not None
    return np.asarray(pair.cross_entropy(), pair.dtype)[()]


# ------------------------------------------------------------------------------------------- Bernoulli and discrete


class Outcome(NamedTuple):
    """Probabilities of one outcome (or of an array of them) under p and q in float64, q - p, and their logarithms."""

    p: np.ndarray
    q: np.ndarray
    difference: np.ndarray
    log_p: np.ndarray
    log_q: np.ndarray

    def log_ratio(self) -> np.ndarray:
        """log(p/q): from the difference where p and q are near, from the logarithms where the quotient has no normal number."""
        with np.errstate(all="ignore"):
            x, ratio = self.difference / self.p, self.p / self.q
            ordinary = (ratio > 1e-290) & (ratio < 1e290) & (self.p > _TINY)
            far = np.where(ordinary, ufuncs.log(np.where(ordinary, ratio, 1.0)), self.log_p - self.log_q)
            near = (x > -0.75) & (x < 2.0) & ordinary
            return np.where(near, -ufuncs.log1p(np.where(near, x, 0.0)), far)

    def relative_entropy(self) -> np.ndarray:
        """p·log(p/q) + q - p >= 0."""
        with np.errstate(all="ignore"):
            x = self.difference / self.p
            near = (x > -0.75) & (x < 2.0)
            apart = self.p * self.log_ratio() + self.difference
            value = np.where(near, 0.0 - self.p * ufuncs.log1pmx(np.where(near, x, 0.0)), apart)
            return np.where(self.p == 0, self.q, np.maximum(value, 0.0))

    def js(self) -> np.ndarray:
        """Half the relative entropies of p and of q to their mean."""
        half, mean = 0.5 * self.difference, 0.5 * self.p + 0.5 * self.q
        with np.errstate(all="ignore"):
            log_mean = np.logaddexp(self.log_p, self.log_q) - np.log(2.0)
        first = Outcome(self.p, mean, half, self.log_p, log_mean)
        second = Outcome(self.q, mean, -half, self.log_q, log_mean)
        return 0.5 * (first.relative_entropy() + second.relative_entropy())


def bernoulli_outcomes(p: Bernoulli, q: Bernoulli) -> tuple[Outcome, Outcome]:
    """The outcomes 1 and 0."""
    (p1, p0), (q1, q0) = p._both(np.float64), q._both(np.float64)
    (a1, a0), (b1, b0) = p._log_both(np.float64), q._log_both(np.float64)
    if p._logits is None and q._logits is None:
        difference = q1 - p1
    elif p._logits is None or q._logits is None:
        # on the side where a given probability is below 1/2, and neither it nor its complement was rounded
        given = p1 if p._logits is None else q1
        difference = np.where(given < 0.5, q1 - p1, p0 - q0)
    else:
        difference = _sigmoid_difference(_double(p._logits), _double(q._logits))
    return Outcome(p1, q1, difference, a1, b1), Outcome(p0, q0, -difference, a0, b0)


def _sigmoid_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """σ(b) - σ(a) = σ(max)·σ(-min)·(1 - exp(-|b - a|)) with the sign of b - a."""
    with np.errstate(all="ignore"):
        distance = np.where(a == b, 0.0, b - a)
        size = ufuncs.sigmoid(np.maximum(a, b)) * ufuncs.sigmoid(-np.minimum(a, b)) * -ufuncs.expm1(-np.abs(distance))
        return np.copysign(size, distance)


def _kl_bernoulli(function: str, p: Bernoulli, q: Bernoulli) -> Any:
    _lead(function, p, q)
    if p._logits is None and q._logits is None:
        arguments = (p.probs, q.probs)
        return elementwise.apply(function, ufuncs.bernoulli_kl, *arguments, dtype=result_dtype(p, q), nanoseconds=5.0)
    one, zero = bernoulli_outcomes(p, q)
    return _finish(one.relative_entropy() + zero.relative_entropy(), p, q)


def _js_bernoulli(function: str, p: Bernoulli, q: Bernoulli) -> Any:
    _lead(function, p, q)
    if p._logits is None and q._logits is None:
        arguments = (p.probs, q.probs)
        return elementwise.apply(function, ufuncs.bernoulli_js, *arguments, dtype=result_dtype(p, q), nanoseconds=8.0)
    one, zero = bernoulli_outcomes(p, q)
    return _finish(one.js() + zero.js(), p, q, log_2=True)


def _cross_entropy_bernoulli(function: str, p: Bernoulli, q: Bernoulli) -> Any:
    _lead(function, p, q)
    return _finish(bernoulli.cross_entropy(p, q), p, q)


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


def _listed(value: Callable[[_Overlap], Any], *, log_2: bool = False) -> Form:
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
    (p1, p0), (log_p1, log_p0) = b._both(np.float64), b._log_both(np.float64)
    zero_difference = q[0] - p0
    if b._logits is None:  # p0 is rounded: p1 - (1 - q0), with the rounding of 1 - q0 beside it
        one_less = 1.0 - q[0]
        zero_difference = (p1 - one_less) - ((1.0 - one_less) - q[0])
    one = Outcome(p1, np.asarray(q[1]), q[1] - p1, log_p1, np.asarray(log_q[1]))
    zero = Outcome(p0, np.asarray(q[0]), zero_difference, log_p0, np.asarray(log_q[0]))
    return one, zero, others


def _zero_and_one(d: Discrete, masses: Pmf) -> np.ndarray:
    """Of d, or of some of its rows: P(0), P(1), their logarithms, and what the other probabilities total."""
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


def _turned(o: Outcome) -> Outcome:
    return Outcome(o.q, o.p, -o.difference, o.log_q, o.log_p)


def _kl_bernoulli_discrete(function: str, p: Bernoulli, q: Discrete) -> Any:
    one, zero, others = _bernoulli_in_discrete(p, q)
    return _finish(one.relative_entropy() + zero.relative_entropy() + others, p, q)


def _kl_discrete_bernoulli(function: str, p: Discrete, q: Bernoulli) -> Any:
    one, zero, others = _bernoulli_in_discrete(q, p)
    return _finish(np.where(others > 0, np.inf, _turned(one).relative_entropy() + _turned(zero).relative_entropy()), p, q)


def _js_mixed(function: str, p: Any, q: Any) -> Any:
    b, d = (p, q) if isinstance(p, Bernoulli) else (q, p)
    one, zero, others = _bernoulli_in_discrete(b, d)
    return _finish(one.js() + zero.js() + 0.5 * np.log(2.0) * others, p, q, log_2=True)


def _dot_log(p: Any, log_q: Any) -> np.ndarray:
    """-p·log q with 0·log 0 = 0."""
    with np.errstate(invalid="ignore"):
        return np.where(p == 0, 0.0, -p * log_q)


def _cross_entropy_bernoulli_discrete(function: str, p: Bernoulli, q: Discrete) -> Any:
    one, zero, _ = _bernoulli_in_discrete(p, q)
    return _finish(_dot_log(one.p, one.log_q) + _dot_log(zero.p, zero.log_q) + 0.0, p, q)


def _cross_entropy_discrete_bernoulli(function: str, p: Discrete, q: Bernoulli) -> Any:
    one, zero, others = _bernoulli_in_discrete(q, p)
    value = _dot_log(one.q, one.log_p) + _dot_log(zero.q, zero.log_p) + 0.0
    return _finish(np.where(others > 0, np.inf, value), p, q)


# ------------------------------------------------------------------------------------------- the tables

_GAUSSIAN = [(MultivariateNormal, MultivariateNormal), (Normal, MultivariateNormal), (MultivariateNormal, Normal)]

KL: dict[tuple[type, type], Form] = {
    (Normal, Normal): _kl_normal,
    (Uniform, Uniform): _kl_uniform,
    (Uniform, Normal): _kl_uniform_normal,
    (Normal, Uniform): _infinite,
    (Bernoulli, Bernoulli): _kl_bernoulli,
    (Discrete, Discrete): _listed(_kl_overlap),
    (Bernoulli, Discrete): _kl_bernoulli_discrete,
    (Discrete, Bernoulli): _kl_discrete_bernoulli,
    **dict.fromkeys(_GAUSSIAN, _kl_gaussian),
}

JS: dict[tuple[type, type], Form] = {
    (Bernoulli, Bernoulli): _js_bernoulli,
    (Discrete, Discrete): _listed(_js_overlap, log_2=True),
    (Bernoulli, Discrete): _js_mixed,
    (Discrete, Bernoulli): _js_mixed,
}

CROSS_ENTROPY: dict[tuple[type, type], Form] = {
    (Normal, Normal): _cross_entropy_normal,
    (Uniform, Uniform): _cross_entropy_uniform,
    (Uniform, Normal): _cross_entropy_uniform_normal,
    (Normal, Uniform): _infinite,
    (Bernoulli, Bernoulli): _cross_entropy_bernoulli,
    (Discrete, Discrete): _listed(_cross_entropy_overlap),
    (Bernoulli, Discrete): _cross_entropy_bernoulli_discrete,
    (Discrete, Bernoulli): _cross_entropy_discrete_bernoulli,
    **dict.fromkeys(_GAUSSIAN, _cross_entropy_gaussian),
}
