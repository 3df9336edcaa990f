"""What the methods that draw share."""

from typing import Any


def new_axes(function: str) -> Any:
    """Axes of a new figure, for `function`; ImportError where matplotlib is missing."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(f'{function} needs matplotlib: pip install "loglik[plot]"') from None
    return pyplot.subplots(layout="constrained")[1]
