from typing import Any

from numpy.typing import NDArray

def bernoulli_nll_block(
    targets: NDArray[Any],
    model: NDArray[Any],
    weights: NDArray[Any] | None,
    from_logits: bool,
    scale: float,
    values: NDArray[Any] | None,
    gradient: NDArray[Any] | None,
) -> tuple[float, int, int]: ...
