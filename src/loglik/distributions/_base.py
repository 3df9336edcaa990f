"""What every distribution shares: immutability, equality, repr, pickling, and methods that follow from others."""

from typing import Any, ClassVar

import numpy as np


class Distribution:
    """Base of the distributions: an immutable value with parameters that broadcast.

    A subclass lists `_parameters` (the arguments of its constructor, in order), sets them through
    `_initialise` and supplies ``log_prob``. Each file has the same order of sections: construction, shape, density,
    moments, sampling.
    """

    _parameters: ClassVar[tuple[str, ...]] = ()

    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]
    dtype: np.dtype

    def _initialise(self, **attributes: Any) -> None:
        """Set attributes once; arrays become read-only."""
        for value in attributes.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        self.__dict__.update(attributes)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one instead of setting {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be deleted")

    def _arguments(self) -> dict[str, Any]:
        """The constructor's arguments as given (without those left at None)."""
        return {name: getattr(self, "_" + name) for name in self._parameters if getattr(self, "_" + name) is not None}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={_literal(value)}" for name, value in self._arguments().items())
        return f"{type(self).__name__}({arguments})"

    def __reduce__(self) -> tuple:
        return _rebuild, (type(self), self._arguments())

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self._arguments(), other._arguments()
        return mine.keys() == theirs.keys() and all(
            np.array_equal(mine[name], theirs[name]) and np.asarray(mine[name]).dtype == np.asarray(theirs[name]).dtype
            for name in mine
        )

    def __hash__(self) -> int:
        parts = ((name, np.asarray(value).tobytes()) for name, value in self._arguments().items())
        return hash((type(self).__name__, *parts))

    def log_prob(self, x: Any, *, out: Any = None, wrt: Any = None) -> Any:
        raise NotImplementedError

    def prob(self, x: Any) -> Any:
        """Density or probability of `x`: exp(log_prob(x))."""
        return np.exp(self.log_prob(x))


def _rebuild(cls: type, arguments: dict[str, Any]) -> Distribution:
    return cls(**arguments)


def _literal(value: Any) -> str:
    """Text that ``eval`` turns into an equal value where ``array`` and NumPy's dtype names are imported."""
    if isinstance(value, np.ndarray):
        with np.printoptions(threshold=2**31, floatmode="unique", linewidth=120):
            return repr(value) if value.ndim else repr(value[()])
    return repr(value)


def keep(given: Any, array: np.ndarray) -> Any:
    """A Python number as a float, anything else as an own read-only array."""
    if type(given) in (bool, int, float):
        return float(given)
    return array.copy() if isinstance(given, np.ndarray) else array
