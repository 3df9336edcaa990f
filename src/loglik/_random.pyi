from typing import Any

import numpy as np
from numpy.typing import NDArray

def philox_words(key: int, stream: int, counter: int, out: NDArray[np.uint32], level: str | None = None) -> None: ...
def fill_uniform(key: int, stream: int, start: int, out: NDArray[Any], level: str | None = None) -> None: ...
def fill_normal(key: int, stream: int, start: int, out: NDArray[Any], level: str | None = None) -> None: ...
def mvn_log_ratio_moments(
    key: int,
    stream: int,
    excess: NDArray[np.float64],
    shift: NDArray[np.float64],
    constant: NDArray[np.float64],
    begin: int,
    end: int,
    block: int,
    first: int,
    last: int,
    mean: NDArray[np.float64],
    squares: NDArray[np.float64],
    level: str | None = None,
) -> None: ...
