"""Figures of the tour's page: matplotlib's SVG in colours that follow the page, light or dark.

A figure is drawn in the colours below. Each stands for a variable of the page's style sheet and is replaced by it
in the SVG; whatever else has a colour (images, heat maps) looks right on both grounds.
"""

import io
import re
from typing import Any, NamedTuple

import numpy as np

from loglik.tour import _text
from loglik.tour._step import Done, Step

INK, MUTED, GROUND = "#010101", "#020202", "#030303"
BLUE, RED, GREEN, GOLD = "#040404", "#050505", "#060606", "#070707"
VARIABLES = {INK: "ink", MUTED: "muted", GROUND: "ground", BLUE: "blue", RED: "red", GREEN: "green", GOLD: "gold"}

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's own font
    "svg.hashsalt": "loglik",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "figure.facecolor": "none",
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
}


def svg(step: Step, done: Done) -> str:
    """The step's figure, to be put into a page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS):
        fig = Figure(figsize=step.size, layout="constrained")
        step.figure(done.variables, fig)
        out = io.StringIO()
        fig.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var(--{name})")
    # Names inside the SVG must differ from those of the page's other figures.
    for name in sorted(set(re.findall(r'\bid="([^"]+)"', text)), key=len, reverse=True):
        text = re.sub(rf'(id="|href="#|url\(#){re.escape(name)}(?=["\)])', rf"\g<1>{step.name}-{name}", text)
    return re.sub(r'width="[^"]*pt"|height="[^"]*pt"|\n\s*', lambda m: "\n" if m[0][0] == "\n" else "", text)


class Chart(NamedTuple):
    """Curves over x, described once for the terminal and for the page."""

    x: np.ndarray
    curves: dict[str, Any]
    x_label: str
    y_range: tuple[float, float]
    y_label: str = "density"
    colours: tuple[str, ...] = (BLUE, RED, GOLD)
    fill: bool = False
    dots: tuple[Any, Any] = ((), ())

    def text(self) -> list[str]:
        """Draw with characters."""
        return _text.chart(self.x, self.curves, self.y_range, x_label=self.x_label, dots=self.dots)

    def draw(self, ax: Any) -> None:
        """Draw on axes of matplotlib."""
        for (label, y), colour in zip(self.curves.items(), self.colours, strict=False):
            if self.fill:
                ax.fill_between(self.x, y, color=colour, alpha=0.2, lw=0)
            ax.plot(self.x, y, color=colour, label=label, lw=1.2 if colour == MUTED else None)
        ax.plot(*self.dots, "o", color=self.colours[0])
        ax.set(xlabel=self.x_label, ylabel=self.y_label, ylim=self.y_range)
        if len(self.curves) > 1:
            ax.legend()


def note(ax: Any, text: str, at: Any, offset: tuple[float, float], **style: Any) -> None:
    """A text beside a point, `offset` in points from it."""
    ax.annotate(text, at, offset, textcoords="offset points", **style)


def grid(ax: Any, pictures: np.ndarray, *, per_row: int = 10, vmax: float = 1.0) -> None:
    """Images of one size, `per_row` in a row, as one: tiles of paper with gaps between."""
    height, width = np.shape(pictures)[1:]
    rows = -(-len(pictures) // per_row)
    tiles = np.full((rows * (height + 1) - 1, per_row * (width + 1) - 1), np.nan)
    for i, picture in enumerate(pictures):
        top, left = i // per_row * (height + 1), i % per_row * (width + 1)
        tiles[top : top + height, left : left + width] = np.clip(picture, 0, vmax)
    show_image(ax, tiles, vmax=vmax)


def show_image(ax: Any, picture: np.ndarray, *, vmax: float = 1.0) -> None:
    """Ink on paper; paper is light grey, so that its edge is seen."""
    ax.imshow(picture, vmin=-0.07 * vmax, vmax=vmax)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
