from typing import Any, Literal, TypedDict, overload

import numpy as np
from numpy import ufunc
from numpy.typing import NDArray

# levels

class LevelProperties(TypedDict):
    name: str
    description: str
    vector_bits: int
    fma: bool

def version() -> str: ...
def isa() -> str: ...
def compiled_isas() -> list[str]: ...
def available_isas() -> list[str]: ...
def cpu_name() -> str: ...
def compiler() -> str: ...
def level_properties(name: str) -> LevelProperties: ...

# ufuncs

def make_ufuncs(level: str, docs: dict[str, str] = {}) -> dict[str, ufunc]: ...
def kernel_types() -> dict[str, tuple[str, str | None]]: ...

# losses


def loss_block(
    loss: str,
    form: str,
    targets: np.ndarray | int | None,
    model: tuple[np.ndarray | int, ...],
    weights: np.ndarray | None = None,
    scale: float = 1.0,
    values: np.ndarray | None = None,
    gradients: tuple[np.ndarray | int | None, ...] = (None, None),
    width: int = 1,
    smoothing: float = 0.0,
    ignored: Any = None,
    tolerance: float = 0.0,
    step: int = 0,
    elements: int = 0,
    is_double: bool = False,
    level: str | None = None,
) -> tuple[list[float], int, int]: ...

# gradients

EACH_MAX: int

def mvn_gradient(
    form: str,
    each: bool,
    x: NDArray[Any],
    loc: NDArray[Any],
    matrix: NDArray[Any],
    value: NDArray[Any],
    rows: NDArray[Any] | None = None,
    row_sums: NDArray[Any] | None = None,
    sums: NDArray[Any] | None = None,
    outer: NDArray[Any] | None = None,
    gradient: NDArray[Any] | None = None,
    stream: bool = False,
    level: str | None = None,
) -> None: ...

# sums

_Doubles = NDArray[np.float64]
_Powers = NDArray[np.int64]

@overload
def dice_pmf(n: int, s: int, scaled: Literal[False], level: str | None = None) -> _Doubles: ...
@overload
def dice_pmf(n: int, s: int, scaled: Literal[True], level: str | None = None) -> tuple[_Doubles, _Powers]: ...
@overload
def dice_pmf(
    n: int, s: int, scaled: bool, level: str | None = None
) -> _Doubles | tuple[_Doubles, _Powers]: ...
def dice_counts(n: int, s: int, first: int, last: int, digits: int, level: str | None = None) -> list[int]: ...

# moments

def moments_update(
    state: NDArray[np.float64],
    x: NDArray[Any],
    weights: NDArray[np.float64] | None = None,
    diagonal: bool = False,
    step: int = 0,
    extremes: bool = True,
    level: str | None = None,
) -> None: ...

# random

def philox_words(key: int, stream: int, counter: int, out: np.ndarray, level: str | None = None) -> None: ...
def fill_uniform(
    key: int,
    stream: int,
    start: int,
    out: np.ndarray,
    level: str | None = None,
    scale: float = 1.0,
    shift: float = 0.0,
    last: float = ...,
) -> None: ...
ORDER_BINS: int

def order_counts(
    x: np.ndarray,
    weights: np.ndarray | None,
    low: int,
    shift: int,
    counts: np.ndarray,
    sums: np.ndarray,
    level: str | None = None,
) -> None: ...
def order_gather(
    x: np.ndarray, weights: np.ndarray | None, low: int, high: int, level: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]: ...
def absolute_deviations(x: np.ndarray, weights: np.ndarray | None, center: float, level: str | None = None) -> float: ...
def fill_normal(
    key: int, stream: int, start: int, out: np.ndarray, level: str | None = None, scale: float = 1.0, shift: float = 0.0
) -> None: ...
def fill_laplace(
    key: int, stream: int, start: int, out: np.ndarray, level: str | None = None, scale: float = 1.0, shift: float = 0.0
) -> None: ...
def fill_discrete(
    key: int, start: int, cdf: np.ndarray, guide: np.ndarray, out: np.ndarray, level: str | None = None
) -> None: ...
def mvn_log_ratio_moments(
    key: int,
    stream: int,
    excess: np.ndarray,
    shift: np.ndarray,
    constant: np.ndarray,
    begin: int,
    end: int,
    block: int,
    first: int,
    last: int,
    mean: np.ndarray,
    squares: np.ndarray,
    js: bool = False,
    level: str | None = None,
) -> None: ...

# probes

def probe_fma(rounds: int, single: bool) -> float: ...
def probe_streams(inputs: list[NDArray[Any]], outputs: list[NDArray[Any]]) -> int: ...

def __getattr__(name: str) -> Any: ...  # the rest of sums: arrays in, arrays out, called from `_discrete` only
