"""Drawing with matplotlib, of plain data."""

from collections.abc import Callable
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


def draw_normal(
    ax: Any, outcomes: np.ndarray, step: int, mean: Any, std: Any, density: Callable[[np.ndarray], np.ndarray]
) -> None:
    """The density of a Normal over the probabilities of outcomes that are `step` apart."""
    low, high = max(outcomes[0] - step, mean - 5 * std), min(outcomes[-1] + step, mean + 5 * std)
    x = np.linspace(low, high, 400)
    # The step makes an area of the density: what falls to one bar.
    y = step * density(x)
    ax.plot(x, y, color="#c0392b", linewidth=1.5, label=f"Normal: mean {float(mean):.6g}, sd {float(std):.4g}")


def finish(ax: Any) -> None:
    """Start the probabilities at zero; name the axes, and make room for a legend."""
    ax.set(xlabel="outcome", ylabel="probability")
    ax.locator_params(axis="x", integer=True)
    legend = ax.legend(frameon=False, loc="upper right")
    # Room for it above all that is drawn: in a small panel every other place has bars. A third more for the margins.
    share = min(1.35 * legend.get_window_extent().height / ax.get_window_extent().height, 0.6)
    ax.set_ylim(0, ax.dataLim.y1 / (1 - share))
