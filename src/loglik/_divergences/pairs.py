"""Closed forms of divergences by pair of families: tables, how a family enters one, and how an entry is evaluated.

An entry is registered beside the class that is defined second of the two. It is a function ``(function, p, q)``, `function`
being who is asked, for errors; `elementwise` makes one from a function of blocks of parameters, in blocks and over the threads.
Entries for a base class serve all its families that have none of their own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from loglik._engine import elementwise as engine
from loglik._engine import validate
from loglik._engine.slopes import Argument, Slopes, elementwise_gradients

Form = Callable[[str, Any, Any], Any]
Gradients = Callable[[str, Any, Any, Any, Callable[[], Any]], Any]


class Entry(NamedTuple):
    """A closed form, and its gradients where there are some: ``(function, p, q, wrt, value)``."""

    form: Form
    gradients: Gradients | None


class ClosedForms:
    """Closed forms of one kind of divergence, by the classes of p and q."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self._entries: dict[tuple[type, type], Entry] = {}

    def add(self, p: type, q: type, entry: Entry) -> None:
        self._entries[p, q] = entry

    def find(self, p: Any, q: Any) -> Entry | None:
        """The entry for the classes of p and q, or for the nearest of their bases."""
        exact = self._entries.get((type(p), type(q)))
        if exact is not None:
            return exact
        for first in type(p).__mro__:
            for second in type(q).__mro__:
                if (first, second) in self._entries:
                    return self._entries[first, second]
        return None

    def pairs(self) -> list[tuple[type, type]]:
        """What there is, in the order of registration."""
        return list(self._entries)

    def with_gradients(self) -> list[tuple[type, type]]:
        """The pairs that have gradients."""
        return [pair for pair, entry in self._entries.items() if entry.gradients is not None]


KL, JS, CROSS_ENTROPY = ClosedForms("KL"), ClosedForms("JS"), ClosedForms("H")


def register(table: ClosedForms, p: type, q: type, form: Form, gradients: Gradients | None = None) -> None:
    """Enter a closed form for a pair of families."""
    table.add(p, q, Entry(form, gradients))


# ------------------------------------------------------------------------------------------- evaluation


def result_dtype(p: Any, q: Any) -> np.dtype:
    """Floating type of what compares p and q. Python numbers among the parameters are weak, as everywhere."""
    return validate.result_dtype(*p._floating(), *q._floating())


def batch(function: str, p: Any, q: Any) -> tuple[int, ...]:
    """The batch shape of p and q together."""
    return validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)


def in_blocks(
    function: str, p: Any, q: Any, formula: Callable[..., Any], nanoseconds: float, *, wide: bool = False, most: Any = None
) -> Any:
    """``formula(*parameters of p, *parameters of q)`` for each item of the batch, in blocks over the threads.

    A formula that is no ufunc computes in float64 if `wide`. `most`: the largest value that a result of each dtype may have.
    """
    batch(function, p, q)
    dtype = result_dtype(p, q)
    call = formula if isinstance(formula, np.ufunc) else engine.like_ufunc(formula, "float64" if wide else "result")
    parameters = [np.asarray(t, d.dtype)[()] for d in (p, q) for t in d._theta]
    value = engine.apply(function, call, *parameters, dtype=dtype, nanoseconds=nanoseconds)
    return value if most is None else np.minimum(value, most[dtype])


def elementwise(formula: Callable[..., Any], nanoseconds: float, *, wide: bool = False) -> Form:
    """The form of a pair whose divergence is a function of blocks of the parameters of p, then of q."""

    def form(function: str, p: Any, q: Any) -> Any:
        return in_blocks(function, p, q, formula, nanoseconds, wide=wide)

    return form


def infinite(function: str, p: Any, q: Any) -> Any:
    """The form of a pair where p has mass that q never has."""
    return np.full(batch(function, p, q), np.inf, result_dtype(p, q))[()]


def gradients_in_blocks(
    function: str, p: Any, q: Any, wrt: Any, value: Callable[[], Any], slopes: Callable[..., tuple[Any, ...]]
) -> Any:
    """(value, gradient) or (value, (gradients, ...)); ``slopes(*parameters of p, *parameters of q)`` gives a function without
    arguments for the derivative in each parameter."""
    arguments = {
        f"{side}.{name}": Argument(np.asarray(given), d.dtype)
        for side, d in (("p", p), ("q", q))
        for name, given in d._arguments().items()
    }

    def by_name(blocks: dict[str, np.ndarray]) -> Slopes:
        return dict(zip(arguments, slopes(*blocks.values()), strict=True))

    return elementwise_gradients(
        function, lambda out: value(), arguments, tuple(arguments), by_name,
        value_shape=batch(function, p, q), dtype=result_dtype(p, q), wrt=wrt, nanoseconds=50.0,
    )  # fmt: skip


def elementwise_slopes(slopes: Callable[..., tuple[Any, ...]]) -> Gradients:
    """The gradients of a pair from a function of blocks of the parameters of p, then of q."""

    def gradients(function: str, p: Any, q: Any, wrt: Any, value: Callable[[], Any]) -> Any:
        return gradients_in_blocks(function, p, q, wrt, value, slopes)

    return gradients
