"""The Bernoulli distribution."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from loglik import ufuncs
from loglik._divergences import pairs
from loglik._divergences.outcomes import LOG_2_DOWN, Outcome, cross_term
from loglik._engine import expectation
from loglik._fitting import priors
from loglik._fitting.ones import check_bits, count_ones
from loglik._fitting.report import make_report, rounded
from loglik._fitting.statistics import Moments
from loglik._kernels import fill_uniform
from loglik.distributions.lattice import Lattice
from loglik.distributions.scalar import LOGIT, PROBABILITY


class Bernoulli(Lattice):
    """Distribution on {0, 1} with P(X = 1) = p and P(X = 0) = 1 - p.

    Exactly one of `probs` and `logits` is given. Logits z = log(p/(1 - p)) keep the digits of both probabilities where one
    of them is near 1.

    Parameters
    ----------
    probs : array_like, optional
        Probability p of 1, within [0, 1].
    logits : array_like, optional
        Its logit, not NaN; ±inf are the probabilities 1 and 0.

    Raises
    ------
    ValueError
        If a parameter is outside its range (the message names the first index and its value).
    TypeError
        If not exactly one parameter is given, or it is not real.

    Notes
    -----
    - log_prob is log p for 1, log(1 - p) for 0, -inf for anything else: at most 2 ulp. Its gradients are 1/p and -1/(1 - p) in
      a probability, σ(-z) and -σ(z) in a logit, for the outcomes 1 and 0; NaN for anything else.
    - cdf is 0 below 0, 1 - p below 1, 1 from there on. quantile(q) is 0 where q is at most cdf(0), or 1 - q at least sf(0): so
      neither of the two probabilities loses digits.
    - entropy = -p log p - (1 - p) log(1 - p), with 0 log 0 = 0: at most 8 ulp.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.Bernoulli(0.75).log_prob([0, 1])
    array([-1.38629436, -0.28768207])
    >>> print(ll.Bernoulli(logits=0.0).entropy().round(12))
    0.69314718056
    >>> ll.Bernoulli(0.25).quantile([0.0, 0.75, 0.8, 1.0])
    array([0., 0., 1., 1.])
    """

    _ranges: ClassVar = {"probs": PROBABILITY, "logits": LOGIT}
    _choice = ("probs", "logits")
    _draw_nanoseconds = 2.0
    _probs: Any
    _logits: Any

    def __init__(self, probs: Any = None, *, logits: Any = None) -> None:
        self._construct(probs=probs, logits=logits)

    # ------------------------------------------------------------------------------------------- parameters

    def _both(self, given: Any) -> tuple[Any, Any]:
        """P(X = 1) and P(X = 0), each with full relative accuracy."""
        return (given, 1 - given) if self._form == "probs" else (ufuncs.sigmoid(given), ufuncs.sigmoid(-given))

    def _log_both(self, given: Any) -> tuple[Any, Any]:
        """Logarithms of `_both`."""
        if self._form == "probs":
            return ufuncs.log(given), ufuncs.log1p(-given)
        return ufuncs.log_sigmoid(given), ufuncs.log_sigmoid(-given)

    @property
    def probs(self) -> Any:
        """P(X = 1) as an array of `dtype`."""
        return self._summary(lambda given: self._both(given)[0])

    @property
    def logits(self) -> Any:
        """log(p/(1 - p)) as an array of `dtype`."""
        if self._form == "logits":
            return np.asarray(self._logits, self.dtype)[()]
        with np.errstate(divide="ignore"):
            one, zero = self._log_both(np.asarray(self._probs, self.dtype).astype(np.float64))
        return (one - zero).astype(self.dtype)[()]

    def wide_probs(self) -> tuple[np.ndarray, np.ndarray]:
        """P(X = 1) and P(X = 0) in float64."""
        return self._both(np.asarray(self._theta[0], np.float64))

    def wide_log_probs(self) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of `wide_probs`."""
        with np.errstate(divide="ignore"):
            return self._log_both(np.asarray(self._theta[0], np.float64))

    # ------------------------------------------------------------------------------------------- functions of blocks

    def _log_prob(self, x: Any, given: Any) -> Any:
        if self._form == "logits":
            return ufuncs.bernoulli_log_prob(x, given)
        return _by_outcome(x, *self._log_both(given), -np.inf)

    def _slopes(self, x: Any, given: Any) -> tuple[Any, ...]:
        def by_given() -> Any:
            if self._form == "logits":
                return _by_outcome(x, ufuncs.sigmoid(-given), -ufuncs.sigmoid(given), np.nan)
            return _by_outcome(x, 1 / given, -1 / (1 - given), np.nan)

        return lambda: np.nan, by_given

    def _tail(self, x: Any, given: Any, *, upper: bool) -> Any:
        one, zero = self._both(given)
        return _steps(x, 1.0, one, 0.0) if upper else _steps(x, 0.0, zero, 1.0)

    def _log_tail(self, x: Any, given: Any, *, upper: bool) -> Any:
        one, zero = self._log_both(given)
        return _steps(x, 0.0, one, -np.inf) if upper else _steps(x, -np.inf, zero, 0.0)

    def _quantile_of(self, q: Any, given: Any) -> Any:
        one, zero = self._both(given)
        upper = (q > zero) & (1 - q < one) | (zero == 0) | (q == 1) & (one > 0)
        return np.where(np.isnan(q), np.nan, upper)

    def _between_of(self, a: Any, b: Any, given: Any) -> Any:
        one, zero = self._both(given)
        has_zero, has_one = (a <= 0) & (b >= 0), (a <= 1) & (b >= 1)
        value = np.where(has_zero & has_one, 1.0, np.where(has_zero, zero, np.where(has_one, one, 0.0)))
        return np.where(np.isnan(a) | np.isnan(b), np.nan, value)

    def _extent(self) -> tuple[int, int]:
        return 0, 1

    # ------------------------------------------------------------------------------------------- moments

    def _mean(self, given: Any) -> Any:
        return self._both(given)[0]

    def _variance(self, given: Any) -> Any:
        one, zero = self._both(given)
        return one * zero

    def _skewness(self, given: Any) -> Any:
        one, zero = self._both(given)
        return (zero - one) / np.sqrt(one * zero)

    def _kurtosis(self, given: Any) -> Any:
        one, zero = self._both(given)
        return 1 / (one * zero) - 6

    def _mode(self, given: Any) -> Any:
        one, zero = self._both(given)
        return one > zero

    def _entropy(self, given: Any) -> Any:
        wide = given.astype(np.float64)
        return _cross_entropy(self._both(wide), self._log_both(wide))

    def _expectation(self, function: str, g: expectation.Values) -> expectation.Expectation:
        one, zero = self.wide_probs()
        return expectation.of_outcomes(np.stack([zero, one], axis=-1), g(np.array([0.0, 1.0])))

    def _picture(self) -> Any:
        from loglik._faces import pictures

        one, zero = self.wide_probs()
        return pictures.Masses([0, 1], [float(zero), float(one)])

    # ------------------------------------------------------------------------------------------- sampling

    def _draw_parameters(self, given: np.ndarray) -> tuple[np.ndarray, ...]:
        return (self._both(given)[0],)

    def _draw(self, key: int, start: int, values: np.ndarray, one: Any) -> None:
        """1 where a uniform number on [0, 1) is below P(X = 1)."""
        uniform = np.empty(len(values))
        fill_uniform(key, 0, start, uniform)
        np.less(uniform, one, out=values)

    # ------------------------------------------------------------------------------------------- fit

    _prior = priors.Beta
    _statistics = staticmethod(count_ones)

    @classmethod
    def _moments_as_statistics(cls, function: str, moments: Moments) -> Moments:
        check_bits(function, moments)
        return moments._replace(squares=moments.weight * moments.mean)

    @classmethod
    def _fitted(cls, function: str, m: Moments, prior: Any, dtype: np.dtype) -> "Bernoulli":
        ones, divisor = m.squares, m.weight  # the weight of the ones: see `count_ones`
        if prior is not None:
            p = prior.check(function)
            ones, divisor = ones + (p.a - 1), divisor + (p.a - 1 + (p.b - 1))
        probs = rounded(np.clip(ones / divisor, 0, 1), dtype)
        result = cls(probs)
        p1 = np.asarray(probs, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            zeros = m.weight - m.squares
            of_ones = np.where(m.squares > 0, m.squares * np.log(p1), 0.0)
            log_likelihood = of_ones + np.where(zeros > 0, zeros * np.log1p(-p1), 0.0)
        return make_report(result, m, prior, 1, log_likelihood, {"probs": np.sqrt(p1 * (1 - p1) / m.weight)})


def _by_outcome(x: Any, one: Any, zero: Any, other: float) -> Any:
    value = np.where(x == 1, one, np.where(x == 0, zero, other))
    return np.where(np.isnan(x), np.nan, value)


def _steps(x: Any, below: float, between: Any, above: float) -> Any:
    """`below` for x < 0, `between` for 0 ≤ x < 1, `above` from 1 on."""
    value = np.where(x < 0, below, np.where(x < 1, between, above))
    return np.where(np.isnan(x), np.nan, value)


# ------------------------------------------------------------------------------------------- divergences


def _cross_entropy(shares: tuple[Any, Any], logs: tuple[Any, Any]) -> Any:
    """-p log q - (1 - p) log(1 - q), both terms not negative, with 0 log 0 = 0."""
    one, zero = (cross_term(share, log) for share, log in zip(shares, logs, strict=True))
    return one + zero + 0.0


class _Pair:
    """Functions of blocks of the parameters of two Bernoulli variables that were given in these forms."""

    def __init__(self, p: Bernoulli, q: Bernoulli) -> None:
        self._p, self._q = _blank(p._form), _blank(q._form)
        self._by_probs = p._form == "probs", q._form == "probs"

    def outcomes(self, a: Any, b: Any) -> tuple[Outcome, Outcome]:
        """The outcomes 1 and 0."""
        (p1, p0), (q1, q0) = self._p._both(a), self._q._both(b)
        if all(self._by_probs):
            difference = q1 - p1
        elif any(self._by_probs):
            # on the side where a given probability is below 1/2, and neither it nor its complement was rounded
            given = p1 if self._by_probs[0] else q1
            difference = np.where(given < 0.5, q1 - p1, p0 - q0)
        else:
            difference = _sigmoid_difference(a, b)
        (log_p1, log_p0), (log_q1, log_q0) = self._p._log_both(a), self._q._log_both(b)
        return Outcome(p1, q1, difference, log_p1, log_q1), Outcome(p0, q0, -difference, log_p0, log_q0)

    def kl(self, a: Any, b: Any) -> Any:
        one, zero = self.outcomes(a, b)
        return one.relative_entropy() + zero.relative_entropy()

    def js(self, a: Any, b: Any) -> Any:
        one, zero = self.outcomes(a, b)
        return one.js() + zero.js()

    def cross_entropy(self, a: Any, b: Any) -> Any:
        return _cross_entropy(self._p._both(a), self._q._log_both(b))

    def kl_slopes(self, a: Any, b: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
        one, zero = self.outcomes(a, b)

        def by_p() -> Any:
            if self._by_probs[0]:
                return one.log_ratio() - zero.log_ratio()
            # p (1 - p) (zp - zq); 0 where p is 0 or 1, whatever the logits
            difference = one.log_ratio() - zero.log_ratio() if self._by_probs[1] else a - b
            variance = one.p * zero.p
            return np.where(variance == 0, 0.0, variance * difference)

        def by_q() -> Any:
            if not self._by_probs[1]:
                return one.difference
            # (q - p)/(q (1 - q)); where p is certain it has no 0 in the denominator
            usual = one.difference / one.q / zero.q
            return np.where(one.p == 0, 1 / zero.q, np.where(zero.p == 0, -1 / one.q, usual))

        return by_p, by_q


@functools.cache
def _blank(form: str) -> Bernoulli:
    """A Bernoulli that knows the form of its parameter and nothing else."""
    blank = object.__new__(Bernoulli)
    blank.__dict__["_form"] = form
    return blank


def _sigmoid_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """σ(b) - σ(a) = σ(max)·σ(-min)·(1 - exp(-|b - a|)) with the sign of b - a."""
    distance = np.where(a == b, 0.0, b - a)
    size = ufuncs.sigmoid(np.maximum(a, b)) * ufuncs.sigmoid(-np.minimum(a, b)) * -ufuncs.expm1(-np.abs(distance))
    return np.copysign(size, distance)


def _kl(function: str, p: Bernoulli, q: Bernoulli) -> Any:
    if p._form == q._form == "probs":
        return pairs.in_blocks(function, p, q, ufuncs.bernoulli_kl, 5.0)
    return pairs.in_blocks(function, p, q, _Pair(p, q).kl, 40.0, wide=True)


def _js(function: str, p: Bernoulli, q: Bernoulli) -> Any:
    if p._form == q._form == "probs":
        return pairs.in_blocks(function, p, q, ufuncs.bernoulli_js, 8.0)
    return pairs.in_blocks(function, p, q, _Pair(p, q).js, 80.0, wide=True, most=LOG_2_DOWN)


def _kl_gradients(function: str, p: Bernoulli, q: Bernoulli, wrt: Any, value: Callable[[], Any]) -> Any:
    return pairs.gradients_in_blocks(function, p, q, wrt, value, _Pair(p, q).kl_slopes)


def _cross(function: str, p: Bernoulli, q: Bernoulli) -> Any:
    return pairs.in_blocks(function, p, q, _Pair(p, q).cross_entropy, 20.0, wide=True)


pairs.register(pairs.KL, Bernoulli, Bernoulli, _kl, _kl_gradients)
pairs.register(pairs.JS, Bernoulli, Bernoulli, _js)
pairs.register(pairs.CROSS_ENTROPY, Bernoulli, Bernoulli, _cross)
