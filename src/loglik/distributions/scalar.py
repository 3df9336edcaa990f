"""What families on the line share, made from a declaration.

A family declares its parameters with their ranges and gives *functions of blocks*: points first, then the parameters in order,
all arrays (or scalars) of one floating type. They check nothing, leave floating-point warnings to the caller, and use no state
but `_form`, the name of the parameter that was chosen where there is a choice. Everything around them is here, once:
validation, broadcasting, dtypes, blocks and threads, ``out=``, ``wrt=``, dask, moments, sampling, batches.

`univariate` adds what a density needs, `lattice` what outcomes that are integers need.
"""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from loglik import ufuncs
from loglik._engine import elementwise, sampling, validate
from loglik._engine.slopes import Argument, Slopes, elementwise_gradients
from loglik.distributions.base import Distribution, apart, keep

Function = Callable[..., Any]
FLOAT64 = np.dtype(np.float64)
INFINITY = float("inf")
NO_BATCH: tuple[int, ...] = ()


class Range(NamedTuple):
    """Where a parameter may lie, and how an error says it. The ends belong to it where it is `closed`."""

    low: float
    high: float
    condition: str
    closed: bool = False

    def contains(self, value: Any) -> Any:
        """Whether `value` lies within, element by element; never true for NaN."""
        if self.low == -INFINITY and self.high == INFINITY:
            return ~np.isnan(value) if self.closed else np.isfinite(value)
        return (self.low <= value) & (value <= self.high) if self.closed else (self.low < value) & (value < self.high)

    def has(self, value: float) -> bool:
        """`contains` for a number."""
        return self.low <= value <= self.high if self.closed else self.low < value < self.high


REAL = Range(-INFINITY, INFINITY, "finite")
POSITIVE = Range(0.0, INFINITY, "positive and finite")
PROBABILITY = Range(0.0, 1.0, "within [0, 1]", closed=True)
LOGIT = Range(-INFINITY, INFINITY, "a number (±inf allowed)", closed=True)


class _Evaluation(NamedTuple):
    """Which function of blocks a public method evaluates, and how."""

    function: str
    wide: bool
    nanoseconds: float  # rough cost of an element: decides when threads pay
    upper: bool | None = None  # which tail, where the function asks


_EVALUATIONS = {
    "log_prob": _Evaluation("_log_prob", False, 2.0),
    "cdf": _Evaluation("_tail", False, 8.0, upper=False),
    "sf": _Evaluation("_tail", False, 8.0, upper=True),
    "log_cdf": _Evaluation("_log_tail", False, 8.0, upper=False),
    "log_sf": _Evaluation("_log_tail", False, 8.0, upper=True),
    "quantile": _Evaluation("_quantile_of", False, 8.0),
    "prob_between": _Evaluation("_between_of", True, 30.0),
    "log_prob_between": _Evaluation("_log_between", True, 60.0),
}


class _Method(NamedTuple):
    """A method of one family: its name in errors, what it calls like a ufunc, and the cost of an element."""

    name: str
    function: Function
    nanoseconds: float


class Scalar(Distribution):
    """Base of the families on the line; see the module."""

    event_shape = ()
    _form: str | None = None
    """Name of the parameter that was given, where a family has a choice."""

    # ------------------------------------------------------------------------------------------- the declaration

    _ranges: ClassVar[dict[str, Range]]
    _choice: ClassVar[tuple[str, ...]] = ()
    """Parameters of which exactly one is given."""
    _kernel: ClassVar[Any] = None
    """The ufunc of the log-density or log-probability; where it is None, there is `_log_prob` instead."""
    _as_given: ClassVar[bool] = False
    """Whether points and parameters keep their own types in all functions of blocks but `_log_prob`, which else get them in
    that of the result, or in float64 (`_between`). So it is where points are integers."""
    _log_prob: Function  # (x, *θ)
    _slopes: Function  # (x, *θ) → derivatives of log_prob in x and in each parameter, as functions without arguments
    _tail: Function  # (x, *θ, upper=) → P(X ≤ x) or P(X > x)
    _log_tail: Function  # its logarithm
    _quantile: Function  # (p, upper, *θ): p ≤ 1/2 is the probability of the tail that `upper` names
    _between: Function  # (a, b, *θ) → P(a ≤ X ≤ b) for a ≤ b
    _mean: Function  # (*θ), like the following
    _variance: Function
    _skewness: Function
    _kurtosis: Function
    _mode: Function
    _entropy: Function

    _methods: ClassVar[dict[str | None, dict[str, "_Method"]]]
    _theta: tuple[Any, ...]

    def __init_subclass__(cls) -> None:
        if not hasattr(cls, "_ranges"):
            return
        cls._parameters = tuple(cls._ranges)
        for name in cls._ranges:
            if not hasattr(cls, name):
                setattr(cls, name, _parameter(name))
        cls._methods = {form: cls._methods_of(form) for form in cls._choice or (None,)}

    @classmethod
    def _methods_of(cls, form: str | None) -> dict[str, "_Method"]:
        blank = object.__new__(cls)  # functions of blocks know `_form` and nothing else
        blank.__dict__["_form"] = form
        result = {}
        for method, (name, wide, nanoseconds, upper) in _EVALUATIONS.items():
            function = getattr(blank, name, None)
            if method == "log_prob" and cls._kernel is not None:
                result[method] = _Method(f"{cls.__name__}.{method}", cls._kernel, 1.0)
            elif function is not None:
                bound = function if upper is None else functools.partial(function, upper=upper)
                as_given = cls._as_given and method != "log_prob"
                call = elementwise.like_ufunc(bound, "as given" if as_given else "float64" if wide else "result")
                result[method] = _Method(f"{cls.__name__}.{method}", call, nanoseconds)
        return result

    # ------------------------------------------------------------------------------------------- construction

    def _construct(self, **given: Any) -> None:
        """Check the parameters and keep them. Python numbers stay as they are: they are weak in what follows, so float32 data
        give float32 results."""
        function = type(self).__name__
        if self._choice:
            chosen = [name for name in self._choice if given[name] is not None]
            if len(chosen) != 1:
                listed = " and ".join(self._choice)
                raise TypeError(f"{function}: give exactly one of {listed}, got {'both' if chosen else 'none'}")
            self.__dict__.update({"_" + name: None for name in self._choice}, _form=chosen[0])
            given = {name: value for name, value in given.items() if name not in self._choice or name == chosen[0]}
        if all([type(v) is float and self._ranges[name].has(v) for name, v in given.items()]):  # noqa: C419 (quicker)
            kept, shape, dtype = given, NO_BATCH, FLOAT64
            self._check_together({name: np.asarray(v) for name, v in given.items()}, dtype)
        else:
            arrays = {name: validate.as_array(function, name, value) for name, value in given.items()}
            for name, array in arrays.items():
                validate.require(function, name, array, self._ranges[name].contains(array), self._ranges[name].condition)
            shape = validate.broadcast_shapes(function, **{name: a.shape for name, a in arrays.items()})
            dtype = validate.result_dtype(*given.values())
            self._check_together(arrays, dtype)
            kept = {name: keep(value, arrays[name]) for name, value in given.items()}
        self._initialise(**{"_" + name: v for name, v in kept.items()}, batch_shape=shape, dtype=dtype)
        self.__dict__["_theta"] = tuple(kept.values())

    def _check_together(self, arrays: dict[str, np.ndarray], dtype: np.dtype) -> None:
        """Raise ValueError where the parameters contradict each other."""

    def _in(self, dtype: np.dtype) -> Self:
        """This distribution with its parameters rounded to `dtype`."""
        with np.errstate(over="ignore"):
            return type(self)(**{name: np.asarray(value).astype(dtype) for name, value in self._arguments().items()})

    # ------------------------------------------------------------------------------------------- evaluation

    def _apply(self, method: str, x: Any, out: Any = None, name: str = "x") -> Any:
        """The values of a method at points: its function of blocks, over the threads; lazily for dask."""
        full_name, function, nanoseconds = self._methods[self._form][method]
        kind = type(x)
        if kind is float:  # weak: the parameters decide
            return elementwise.apply(full_name, function, x, *self._theta, dtype=self.dtype, out=out, nanoseconds=nanoseconds)
        if kind is np.ndarray and x.dtype is FLOAT64:
            points, dtype = x, FLOAT64
        elif validate.is_dask(x):
            return self._lazily(method, x, out=out)
        else:
            points = validate.as_array(full_name, name, x)
            dtype = validate.result_dtype(x, *self._theta)
        if self.batch_shape:
            validate.broadcast_shapes(full_name, **{name: points.shape, "batch": self.batch_shape})
        return elementwise.apply(full_name, function, points, *self._theta, dtype=dtype, out=out, nanoseconds=nanoseconds)

    def _apply_between(self, method: str, a: Any, b: Any, out: Any) -> Any:
        """The values of a method of two points, like `_apply`."""
        full_name, function, nanoseconds = self._methods[self._form][method]
        if validate.is_dask(a, b):
            return self._lazily_between(method, a, b, out)
        ends = [x if type(x) is float else validate.as_array(full_name, key, x) for key, x in (("a", a), ("b", b))]
        validate.broadcast_shapes(full_name, a=np.shape(ends[0]), b=np.shape(ends[1]), batch=self.batch_shape)
        dtype = validate.result_dtype(a, b, *self._theta)
        return elementwise.apply(full_name, function, *ends, *self._theta, dtype=dtype, out=out, nanoseconds=nanoseconds)

    def _lazily_between(self, method: str, a: Any, b: Any, out: Any) -> Any:
        """What a method of two points gives where one of them is a dask array, as one."""
        from loglik._engine import chunks

        name = f"{type(self).__name__}.{method}"
        return chunks.of_intervals(name, getattr(self, method), {"a": a, "b": b}, self.batch_shape, out)

    # ------------------------------------------------------------------------------------------- density

    def log_prob(self, x: Any, *, out: Any = None, wrt: str | tuple[str, ...] | None = None) -> Any:
        """Logarithm of the density, or of the probability of `x`, in nats. The formula stands with the class.

        Parameters
        ----------
        x : array_like
            Points; broadcast with the parameters. NaN gives NaN, what is outside the support -inf.
        out : ndarray, optional
            Where to put the result; with `wrt`, nested like the return value.
        wrt : str or tuple of str, optional
            What to take gradients in: ``"x"`` (if the distribution has a density) and the parameters by the names that they were
            given by.

        Returns
        -------
        ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, (gradients, ...))
            Of the broadcast shape, float32 if all floating inputs are float32 or float16. A gradient has the shape of its
            argument: that of the sum of all values.

        Raises
        ------
        ValueError
            If shapes do not broadcast, `out` does not fit, or `wrt` names something else or a name twice.
        TypeError
            If `x` is not real, or `wrt` or `out` has the wrong form.

        Notes
        -----
        Gradients are computed and added up in float64. Where the density is 0 its logarithm has no gradient, and it is NaN.

        Examples
        --------
        >>> import loglik as ll
        >>> value, (by_loc, by_scale) = ll.Normal(0.0, 2.0).log_prob([2.0, 4.0], wrt=("loc", "scale"))
        >>> by_loc, by_scale
        (np.float64(1.5), np.float64(1.5))
        """
        if wrt is None:
            return self._apply("log_prob", x, out)
        return self._gradients(x, wrt, out)

    def _gradients(self, x: Any, wrt: Any, out: Any) -> Any:
        if validate.is_dask(x):
            return self._lazily("log_prob", x, out=out, wrt=wrt)
        name = self._methods[self._form]["log_prob"].name
        points = apart(validate.as_array(name, "x", x), out)
        dtype = validate.result_dtype(x, *self._theta)
        arguments = {"x": Argument(points, dtype)}
        arguments |= {key: Argument(np.asarray(value), dtype) for key, value in self._arguments().items()}

        def slopes(blocks: dict[str, np.ndarray]) -> Slopes:
            return dict(zip(arguments, self._slopes(*blocks.values()), strict=True))

        return elementwise_gradients(
            name, lambda into: self.log_prob(x if out is None else points, out=into), arguments, self._differentiable(), slopes,
            value_shape=validate.broadcast_shapes(name, x=points.shape, batch=self.batch_shape), dtype=dtype, wrt=wrt, out=out,
            nanoseconds=15.0,
        )  # fmt: skip

    def _differentiable(self) -> tuple[str, ...]:
        """What `log_prob` has gradients in."""
        return ("x", *self._arguments())

    # ------------------------------------------------------------------------------------------- distribution function

    def cdf(self, x: Any, *, out: Any = None) -> Any:
        """P(X ≤ x).

        Parameters
        ----------
        x : array_like
            Points; broadcast with the parameters. NaN gives NaN.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray or scalar
            Of the broadcast shape, float32 if all floating inputs are float32 or float16.

        Raises
        ------
        ValueError
            If shapes do not broadcast, or `out` does not fit.
        TypeError
            If `x` is not real, or `out` is no array.
        """
        return self._apply("cdf", x, out)

    def sf(self, x: Any, *, out: Any = None) -> Any:
        """P(X > x), without the cancellation of 1 - cdf. Arguments and errors are those of `cdf`."""
        return self._apply("sf", x, out)

    def log_cdf(self, x: Any, *, out: Any = None) -> Any:
        """log P(X ≤ x) in nats, right in both tails. Arguments and errors are those of `cdf`."""
        return self._apply("log_cdf", x, out)

    def log_sf(self, x: Any, *, out: Any = None) -> Any:
        """log P(X > x) in nats, right in both tails. Arguments and errors are those of `cdf`."""
        return self._apply("log_sf", x, out)

    def quantile(self, q: Any, *, out: Any = None) -> Any:
        """The smallest x with P(X ≤ x) ≥ q, the inverse of `cdf`.

        Parameters
        ----------
        q : array_like
            Probabilities within [0, 1]; broadcast with the parameters. 0 and 1 give the ends of the support (for outcomes that
            are listed, the lowest and the highest that is possible), NaN gives NaN.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray or scalar
            Of the broadcast shape, float32 if all floating inputs are float32 or float16.

        Raises
        ------
        ValueError
            If an element of `q` is outside [0, 1] (the message names its index and value), shapes do not broadcast, or `out`
            does not fit.
        TypeError
            If `q` is not real, or `out` is no array.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Normal(1.0, 2.0).quantile([0.0, 0.5, 0.975])
        array([      -inf, 1.        , 4.91992797])
        """
        if not validate.is_dask(q):
            name = f"{type(self).__name__}.quantile"
            validate.require_probabilities(name, "q", validate.as_array(name, "q", q))
        return self._apply("quantile", q, out, "q")

    def _quantile_of(self, q: Any, *theta: Any) -> Any:
        """The quantile from the probability of the nearer tail; 1 - q is exact from 1/2 on."""
        return self._quantile(np.minimum(q, 1 - q), q > 0.5, *theta)

    def prob_between(self, a: Any, b: Any, *, out: Any = None) -> Any:
        """P(a ≤ X ≤ b), both ends included; 0 where a > b.

        Parameters
        ----------
        a, b : array_like
            Ends of the interval, ±inf included; broadcast with each other and the parameters. NaN gives NaN.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray or scalar
            Of the broadcast shape, float32 if all floating inputs are float32 or float16.

        Raises
        ------
        ValueError
            If shapes do not broadcast, or `out` does not fit.
        TypeError
            If `a` or `b` is not real, or `out` is no array.

        Notes
        -----
        Computed in float64, right in both tails and for short intervals, where cdf(b) - cdf(a) would cancel. The bound of the
        error stands with the class.

        Examples
        --------
        >>> import loglik as ll
        >>> ll.Normal(100.0, 15.0).prob_between([85, 70, 55], [115, 130, 145]).round(4)
        array([0.6827, 0.9545, 0.9973])
        >>> print(f"{ll.Normal().prob_between(30.0, 31.0):.10g}")  # cdf(31) - cdf(30) is 0
        4.906713927e-198
        """
        return self._apply_between("prob_between", a, b, out)

    def log_prob_between(self, a: Any, b: Any, *, out: Any = None) -> Any:
        """log P(a ≤ X ≤ b) in nats, also where the probability underflows; -inf where a > b.

        Arguments and errors are those of `prob_between`.

        Examples
        --------
        >>> import loglik as ll
        >>> print(ll.Normal().log_prob_between([-1.0, 50.0], [1.0, 60.0]).round(6))
        [-3.81715000e-01 -1.25483136e+03]
        """
        return self._apply_between("log_prob_between", a, b, out)

    def _between_of(self, a: Any, b: Any, *theta: Any) -> Any:
        """`_between`, and the cases that are the same for every family."""
        value = np.where(self._empty(a, b), 0.0, self._between(a, b, *theta))
        return np.where(np.isnan(a) | np.isnan(b), np.nan, value)

    def _empty(self, a: Any, b: Any) -> Any:
        """Whether there is nothing between a and b."""
        return a > b

    def _log_between(self, a: Any, b: Any, *theta: Any) -> Any:
        """From the probability, from what is outside where that is the smaller part, and from the logarithms of tails where the
        probability is too small for a number."""
        share, before = self._between_of(a, b, *theta), self._before(a)
        outside = self._tail(before, *theta, upper=False) + self._tail(b, *theta, upper=True)
        value = np.where(share > 0.5, ufuncs.log1p(-np.minimum(outside, 0.5)), ufuncs.log(share))
        faint = (share < 1e-290) & ~self._empty(a, b)
        if np.any(faint):
            value = np.where(faint, self._log_between_far(before, b, *theta), value)
        return value

    def _before(self, a: Any) -> Any:
        """What P(X < a) is the tail of."""
        return a

    def _log_between_far(self, a: Any, b: Any, *theta: Any) -> Any:
        """log P(a < X ≤ b): the difference of two tails of one side, by their logarithms."""
        below = [self._log_tail(end, *theta, upper=False) for end in (b, a)]
        above = [self._log_tail(end, *theta, upper=True) for end in (a, b)]
        lower = below[0] < above[0]
        larger, smaller = (np.where(lower, u, v) for u, v in zip(below, above, strict=True))
        return np.where(larger == -np.inf, -np.inf, larger + ufuncs.log1p(-ufuncs.exp(smaller - larger)))

    # ------------------------------------------------------------------------------------------- moments

    def _summary(self, function: Function) -> Any:
        """A function of the parameters, of the batch shape and `dtype`."""
        with np.errstate(all="ignore"):
            value = np.asarray(function(*[np.asarray(t, self.dtype) for t in self._theta]), self.dtype)
        return np.broadcast_to(value, self.batch_shape)[()] if value.shape != self.batch_shape else value[()]

    @property
    def mean(self) -> Any:
        """E[X], of the batch shape."""
        return self._summary(self._mean)

    @property
    def variance(self) -> Any:
        """Var[X], of the batch shape."""
        return self._summary(self._variance)

    @property
    def std(self) -> Any:
        """√Var[X], of the batch shape."""
        return self._summary(self._std)

    @property
    def skewness(self) -> Any:
        """E[(X - E[X])³]/std³, of the batch shape."""
        return self._summary(self._skewness)

    @property
    def kurtosis(self) -> Any:
        """Excess kurtosis, E[(X - E[X])⁴]/std⁴ - 3, of the batch shape."""
        return self._summary(self._kurtosis)

    @property
    def mode(self) -> Any:
        """Where log_prob is largest, of the batch shape; the lowest of several such points."""
        return self._summary(self._mode)

    @property
    def median(self) -> Any:
        """The quantile of 1/2, of the batch shape."""
        return self.quantile(self.dtype.type(0.5))

    def _std(self, *theta: Any) -> Any:
        return np.sqrt(self._variance(*theta))

    def entropy(self) -> Any:
        """Entropy E[-log_prob(X)] in nats (differential for a density), of the batch shape."""
        return self._summary(self._entropy)

    # ------------------------------------------------------------------------------------------- sampling

    _draw_nanoseconds: ClassVar[float] = 8.0

    def _fill(self, *parameters: np.ndarray) -> Callable[[np.ndarray, int], None]:
        """What fills an array with a sample from a key, block by block through `_draw`."""
        return functools.partial(
            sampling.in_blocks, columns=self.batch_shape, parameters=parameters, draw=self._draw,
            nanoseconds=self._draw_nanoseconds,
        )  # fmt: skip

    def _draw(self, key: int, start: int, values: np.ndarray, *parameters: Any) -> None:
        """Fill a block with the numbers start, start + 1, ... of a sample."""
        raise NotImplementedError


def _parameter(name: str) -> property:
    """The property of a parameter."""
    kept = "_" + name

    def parameter(self: Scalar) -> Any:
        return np.asarray(self.__dict__[kept], self.dtype)[()]

    return property(parameter, doc=f"The parameter {name} as an array of `dtype`.")
