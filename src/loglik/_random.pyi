import numpy as np

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
def fill_normal(
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
