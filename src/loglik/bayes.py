"""Bayes' theorem: posterior probabilities of listed hypotheses, and what the result of a diagnostic test says.

Products of a prior and a likelihood are kept as a mantissa and an exponent until they are divided by their total, so none of
them is lost below the doubles, and the relative error of a posterior probability does not grow with the size of logarithms.
"""

from typing import Any, NamedTuple

import numpy as np

from loglik import ufuncs
from loglik._divergences import probability_rows
from loglik._engine import elementwise, validate
from loglik._engine.parallel import run_blocks
from loglik._faces.axes import new_axes

__all__ = ["DiagnosticTest", "diagnostic_test", "posterior"]

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.6931471805598903, 5.497923018708371e-14  # log 2 in 42 bits, so that multiples are exact, and the rest
_LEAST = -1e6  # differences of logarithms; no prior is small enough to tell smaller ones apart
_NOTHING = -(1 << 28)  # the exponent of 0
_SAFE, _SAFE_LOG = 1e-150, -340.0  # products of two such factors, divided by a total, are normal numbers
_FEW = 16  # hypotheses


def posterior(prior: Any, likelihood: Any = None, *, log_likelihood: Any = None, axis: int = -1) -> Any:
    r"""Posterior probabilities of hypotheses by Bayes' theorem.

    .. math:: P(h \mid D) = \frac{P(h)\, P(D \mid h)}{\sum_k P(k)\, P(D \mid k)}

    Exactly one of `likelihood` and `log_likelihood` is given.

    Parameters
    ----------
    prior : array_like
        Probabilities of the hypotheses along `axis`. They must total 1 within 8·K·eps of their dtype.
    likelihood : array_like, optional
        Probability or density of the data under each hypothesis: at least 0 and finite, on any common scale. Broadcasts with
        `prior`: several rows are several sets of data.
    log_likelihood : array_like, optional
        Its natural logarithm; -inf for what cannot be.
    axis : int, optional
        The axis of the hypotheses, the same length in both, counted in the argument with more axes.

    Returns
    -------
    ndarray
        Probabilities that total 1 along `axis`, of the broadcast shape, float32 if all floating inputs are float32 or
        float16. A NaN in the likelihood makes its row NaN.

    Raises
    ------
    ValueError
        If the prior is no distribution, a likelihood is negative or infinite, the evidence is zero (no hypothesis that is
        possible explains the data; the message names the row), or shapes do not fit.
    TypeError
        If not exactly one likelihood is given, or an argument is not real.

    Notes
    -----
    Relative error at most 8 + log₂ K units of u (u = 2⁻⁵³, float32 2⁻²⁴), also where products are far below the doubles:
    nothing underflows before the last division.

    The posterior is the prior of the next observation; `log_likelihood` of many independent ones is a sum.

    Examples
    --------
    Three coins; four heads in a row:

    >>> import numpy as np
    >>> import loglik as ll
    >>> coins = ll.Bernoulli([0.5, 0.75, 1.0])
    >>> heads = coins.log_prob(np.ones((4, 1))).sum(axis=0)
    >>> ll.posterior([0.8, 0.1, 0.1], log_likelihood=heads).round(3)
    array([0.275, 0.174, 0.551])
    """
    name = "posterior"
    if (likelihood is None) == (log_likelihood is None):
        got = "none" if likelihood is None else "both"
        raise TypeError(f"{name}: give exactly one of likelihood and log_likelihood, got {got}")
    key, given = ("likelihood", likelihood) if log_likelihood is None else ("log_likelihood", log_likelihood)
    arrays, back, lead = probability_rows.aligned(name, axis, prior=prior, **{key: given})
    chances, weights = arrays["prior"], arrays[key]
    probability_rows.check(name, "prior", np.moveaxis(chances, -1, back), back)
    _check_likelihood(name, key, np.moveaxis(weights, -1, back))

    count = chances.shape[-1]
    shape = list(lead)
    shape.insert(len(lead) + 1 + back, count)
    result = np.empty(shape, validate.result_dtype(prior, given))
    rows = np.moveaxis(result, back, -1)
    plain, scaled = (_product, _scaled_product) if log_likelihood is None else (_product_of_log, _scaled_product_of_log)
    at = 0 if count <= _FEW else -1  # few hypotheses: put first, sums over them are operations on whole rows

    def of_block(array: np.ndarray, piece: tuple[int | slice, ...]) -> np.ndarray:
        """The array with two dimensions; one row where it is the same for all."""
        block = array if array.size == count else np.broadcast_to(array, rows.shape)[piece]
        block = block.reshape(-1, count)
        return np.ascontiguousarray(block.T if at == 0 else block, np.float64)

    pieces = list(elementwise.split(lead, max(1, elementwise.BLOCK // (4 * count)))) if rows.size else []
    impossible: list[tuple[int, ...] | None] = [None] * len(pieces)

    def one(i: int) -> None:
        piece = pieces[i]
        with np.errstate(all="ignore"):
            a, b = np.broadcast_arrays(of_block(chances, piece), of_block(weights, piece))
            values, safe = plain(a, b, at)
            total = _total(values, at)
            values /= np.expand_dims(total, at)
            if not safe.all():  # each row on its own, so that its neighbours do not matter
                index = (slice(None), ~safe) if at == 0 else (~safe,)
                values[index], total[~safe] = _shares(*scaled(a[index], b[index], at), at)
            target = np.moveaxis(rows[piece], -1, at)
            target[...] = values.reshape(target.shape)
        if not total.all():
            start = [index.start if isinstance(index, slice) else index for index in piece]
            inner = iter(validate.first_index((total == 0).reshape(rows[piece].shape[:-1])))
            position = [s + next(inner) if isinstance(p, slice) else s for s, p in zip(start, piece, strict=True)]
            impossible[i] = (*position, *inner)

    run_blocks(one, len(pieces), seconds=rows.size * 40e-9)
    for found in impossible:
        if found is not None:
            position = list(map(str, found))
            position.insert(len(lead) + 1 + back, ":")
            where = f" in row [{', '.join(position)}]" if lead else ""
            raise ValueError(f"{name}: the evidence is 0{where}: no hypothesis with a prior above 0 has a {key} above "
                             f"{'0' if key == 'likelihood' else '-inf'}")  # fmt: skip
    return result


def _check_likelihood(function: str, name: str, array: np.ndarray) -> None:
    """NaN passes; no mask is made unless there is something to say."""
    least, most = np.fmin.reduce(array, axis=None, initial=0), np.fmax.reduce(array, axis=None, initial=0)
    if name == "likelihood" and (least < 0 or most == np.inf):
        validate.require(function, name, array, ~((array < 0) | (array == np.inf)), "at least 0 and finite")
    if most == np.inf:
        validate.require(function, name, array, array != np.inf, "below infinity")


# For blocks of rows with hypotheses along `axis`: products as they are, and in which rows they are safe; then products as
# mantissas and exponents of 2, for the other rows.


def _product(prior: np.ndarray, likelihood: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    safe = (prior.min(axis=axis) > _SAFE) & (likelihood.min(axis=axis) > _SAFE) & (likelihood.max(axis=axis) < 1 / _SAFE)
    return prior * likelihood, safe


def _scaled_product(a: np.ndarray, b: np.ndarray, _: int = -1) -> tuple[np.ndarray, np.ndarray]:
    (x, i), (y, j) = np.frexp(a), np.frexp(b)
    return x * y, i + j


def _differences(logs: np.ndarray, top: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """logs - top, and what rounding leaves out of it (Knuth)."""
    top = np.expand_dims(top, axis)
    difference = logs - top
    rest = difference - logs
    return difference, (logs - (difference - rest)) - (top + rest)


def _product_of_log(prior: np.ndarray, logs: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    difference, rest = _differences(logs, logs.max(axis=axis), axis)
    value = ufuncs.exp(difference)
    value += value * rest
    value *= prior
    return value, (prior.min(axis=axis) > _SAFE) & (difference.min(axis=axis) > _SAFE_LOG)


def _scaled_product_of_log(prior: np.ndarray, logs: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    top = np.where(prior > 0, logs, -np.inf).max(axis=axis)
    difference, rest = _differences(logs, np.where(np.isfinite(top), top, 0.0), axis)
    rest = np.where(difference > _LEAST, rest, 0.0)
    difference = np.maximum(difference, _LEAST)
    n = np.rint(difference * _LOG2E)
    mantissa, exponent = np.frexp(prior)
    power = ufuncs.exp((difference - n * _LN2_HIGH) - n * _LN2_LOW + rest)
    mantissa = np.where(logs == -np.inf, 0.0, mantissa * power)
    return mantissa, exponent + np.where(np.isnan(n), 0, n).astype(exponent.dtype)


def _shares(mantissa: np.ndarray, exponent: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Products over their totals, and the totals in units of the largest product."""
    exponent = np.where(mantissa == 0, _NOTHING, exponent)
    exponent -= exponent.max(axis=axis, keepdims=True)
    total = _total(np.ldexp(mantissa, exponent), axis)
    return np.ldexp(mantissa / np.expand_dims(total, axis), exponent), total


def _total(values: np.ndarray, axis: int) -> np.ndarray:
    """Sums in an order that does not depend on how many rows there are; that of NumPy over the first axis may."""
    if axis == -1:
        return np.ascontiguousarray(values).sum(axis=-1)
    total = values[0].copy()
    for each in values[1:]:
        total += each
    return total


class DiagnosticTest(NamedTuple):
    """What `diagnostic_test` returns."""

    ppv: Any
    """Positive predictive value: the probability of the condition after a positive result."""
    npv: Any
    """Negative predictive value: the probability of being free of it after a negative result."""
    lr_positive: Any
    """Likelihood ratio of a positive result: by how much it multiplies the odds of the condition."""
    lr_negative: Any
    """Likelihood ratio of a negative result."""

    def plot(self, ax: Any = None) -> Any:
        """Draw both predictive values of this test over the prevalence.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure if left out.

        Returns
        -------
        matplotlib.axes.Axes
            Nothing is shown or saved. The curves follow from the two likelihood ratios.

        Raises
        ------
        ValueError
            If this is the result of several tests.
        ImportError
            If matplotlib is not installed (``pip install "loglik[plot]"``).
        """
        if np.ndim(self.lr_positive):
            raise ValueError(f"DiagnosticTest.plot: one test is needed, this is an array of shape {self.lr_positive.shape}")
        ax = new_axes("DiagnosticTest.plot") if ax is None else ax
        prevalence = np.logspace(-4, 0, 401)[:-1]
        odds = prevalence / (1 - prevalence)
        with np.errstate(divide="ignore"):
            ax.plot(prevalence, 1 / (1 + 1 / (self.lr_positive * odds)), color="#c0392b", label="positive: has it (PPV)")
        ax.plot(prevalence, 1 / (1 + self.lr_negative * odds), color="#2f6fa8", label="negative: is free of it (NPV)")
        ax.set(xlabel="prevalence", ylabel="probability, given the result", xscale="log", ylim=(0, 1.02))
        ax.legend(frameon=False)
        return ax


def diagnostic_test(*, sensitivity: Any, specificity: Any, prevalence: Any) -> DiagnosticTest:
    r"""What the result of a test says about who has a condition, by Bayes' theorem.

    .. math::

        \mathrm{PPV} = \frac{s\,\pi}{s\,\pi + (1 - t)(1 - \pi)}, \qquad
        \mathrm{NPV} = \frac{t\,(1 - \pi)}{t\,(1 - \pi) + (1 - s)\,\pi}

    with the sensitivity s, the specificity t and the prevalence :math:`\pi`.

    Parameters
    ----------
    sensitivity : array_like
        P(positive | condition), within [0, 1].
    specificity : array_like
        P(negative | no condition), within [0, 1].
    prevalence : array_like
        P(condition) before the test, within [0, 1]. The three broadcast: an array of prevalences gives a curve.

    Returns
    -------
    DiagnosticTest
        A named tuple of `ppv`, `npv`, of the common shape, and of what does not depend on the prevalence,
        `lr_positive` = s/(1 - t) and `lr_negative` = (1 - s)/t. NaN where a result cannot occur, so that nothing follows
        from it. ``.plot()`` draws `ppv` and `npv` over all prevalences.

    Raises
    ------
    ValueError
        If an argument is outside [0, 1] or NaN (the message names the first index and its value), or shapes do not broadcast.
    TypeError
        If an argument is not real.

    Notes
    -----
    Relative error at most 6 u (u = 2⁻⁵³, float32 2⁻²⁴), also for a rare condition and a nearly perfect test.

    Examples
    --------
    A test that is "90 % accurate" says little about a rare condition:

    >>> import loglik as ll
    >>> test = ll.diagnostic_test(sensitivity=0.9, specificity=0.9, prevalence=[0.01, 0.1, 0.5])
    >>> test.ppv.round(4)
    array([0.0833, 0.5   , 0.9   ])
    >>> print(test.lr_positive.round(10))
    9.0
    """
    name = "diagnostic_test"
    given = {"sensitivity": sensitivity, "specificity": specificity, "prevalence": prevalence}
    arrays = {key: validate.as_array(name, key, value) for key, value in given.items()}
    for key, array in arrays.items():
        least, most = (bound.reduce(array, axis=None, initial=0) for bound in (np.minimum, np.maximum))
        if not (least >= 0 and most <= 1):
            validate.require(name, key, array, (array >= 0) & (array <= 1), "within [0, 1]")
    validate.broadcast_shapes(name, **{key: array.shape for key, array in arrays.items()})
    hit, clear, share = arrays.values()
    dtype, test_dtype = validate.result_dtype(*given.values()), validate.result_dtype(sensitivity, specificity)

    def value(function: Any, *of: np.ndarray, dtype: np.dtype) -> Any:
        return elementwise.apply(name, function, *of, dtype=dtype, nanoseconds=40.0)

    return DiagnosticTest(
        value(_ppv, hit, clear, share, dtype=dtype), value(_npv, hit, clear, share, dtype=dtype),
        value(_lr_positive, hit, clear, dtype=test_dtype), value(_lr_negative, hit, clear, dtype=test_dtype),
    )  # fmt: skip


# ---------------------------------------------------------------------------- functions of a block, called like ufuncs


def _finished(value: Any, dtype: np.dtype, out: np.ndarray | None) -> Any:
    value = np.asarray(value).astype(dtype)
    if out is None:
        return value[()]
    out[...] = value
    return out


def _ppv(hit: Any, clear: Any, share: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    hit, clear, share = (np.asarray(a, np.float64) for a in (hit, clear, share))
    return _finished(_part(share, hit, 1 - share, 1 - clear), dtype, out)


def _npv(hit: Any, clear: Any, share: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    hit, clear, share = (np.asarray(a, np.float64) for a in (hit, clear, share))
    return _finished(_part(1 - share, clear, share, 1 - hit), dtype, out)


def _part(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """ab/(ab + cd), also where the products underflow."""
    (x, i), (y, j) = _scaled_product(a, b), _scaled_product(c, d)
    i, j = np.where(x == 0, _NOTHING, i), np.where(y == 0, _NOTHING, j)
    shift = np.maximum(i, j)
    with np.errstate(all="ignore"):
        total = np.ldexp(x, i - shift) + np.ldexp(y, j - shift)
        return np.ldexp(x / total, i - shift)


def _lr_positive(hit: Any, clear: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    with np.errstate(all="ignore"):
        return _finished(np.asarray(hit, np.float64) / (1 - np.asarray(clear, np.float64)), dtype, out)


def _lr_negative(hit: Any, clear: Any, *, dtype: np.dtype, out: np.ndarray | None = None) -> Any:
    with np.errstate(all="ignore"):
        return _finished((1 - np.asarray(hit, np.float64)) / np.asarray(clear, np.float64), dtype, out)
