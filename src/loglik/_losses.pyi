from typing import Any

import numpy as np

FORMS: dict[str, int]
LOSSES: tuple[str, ...]

def loss_block(
    loss: str,
    form: str,
    targets: np.ndarray | None,
    model: tuple[np.ndarray, ...],
    weights: np.ndarray | None = None,
    scale: float = 1.0,
    values: np.ndarray | None = None,
    gradients: tuple[np.ndarray | None, ...] = (None, None),
    width: int = 1,
    smoothing: float = 0.0,
    ignored: Any = None,
    tolerance: float = 0.0,
    step: int = 0,
    level: str | None = None,
) -> tuple[list[float], int, int]: ...
