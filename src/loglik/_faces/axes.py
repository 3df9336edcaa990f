"""Drawing with matplotlib, of plain data."""

from typing import Any

import numpy as np

_BARS = 200  # more are drawn as a line of steps


def new_axes(function: str) -> Any:
    """Axes of a new figure, for `function`; ImportError where matplotlib is missing."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(f'{function} needs matplotlib: pip install "loglik[plot]"') from None
    return pyplot.subplots(layout="constrained")[1]


def draw_masses(ax: Any, outcomes: np.ndarray, probs: np.ndarray, step: int, **style: Any) -> None:
    """Probabilities of outcomes that are `step` apart, as bars, or as a filled line of steps where they are many."""
    if len(outcomes) <= _BARS:
        ax.bar(outcomes, probs, width=0.85 * step, **style)
    else:
        ax.stairs(probs, np.append(outcomes, outcomes[-1] + step) - step / 2, fill=True, **style)


def finish(ax: Any) -> None:
    """Start the probabilities at zero; name the axes, and make room for a legend."""
    ax.set(xlabel="outcome", ylabel="probability")
    ax.locator_params(axis="x", integer=True)
    legend = ax.legend(frameon=False, loc="upper right")
    # Room for it above all that is drawn: in a small panel every other place has bars. A third more for the margins.
    share = min(1.35 * legend.get_window_extent().height / ax.get_window_extent().height, 0.6)
    ax.set_ylim(0, ax.dataLim.y1 / (1 - share))
