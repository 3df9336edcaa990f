from typing import Any

from numpy.typing import NDArray

FORMS: dict[str, int]
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
