from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

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
def __getattr__(name: str) -> Any: ...  # the rest: arrays in, arrays out, called from _pmf.py only
