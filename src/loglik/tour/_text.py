"""Drawing in text: bars, images, tables and a map of points, at most 96 columns wide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH = 96
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"


@dataclass(frozen=True)
class Style:
    """Bold titles and dim code where the terminal has them."""

    colour: bool = False

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def title(self, text: str) -> str:
        return self._wrap("1", text)

    def code(self, text: str) -> str:
        return self._wrap("36", text)


def rule(character: str = "-") -> str:
    return character * WIDTH


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1, indent: str = "    ") -> list[str]:
    """Columns as wide as they need; the first `left` of them to the left, the others to the right."""
    grid = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[c]) for row in grid) for c in range(len(header))]
    lines = []
    for row in grid:
        cells = (
            cell.ljust(w) if c < left else cell.rjust(w) for c, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append((indent + "   ".join(cells)).rstrip())
    lines.insert(1, indent + "   ".join("-" * w for w in widths))
    return lines


def columns(values: np.ndarray, height: int) -> list[str]:
    """A chart of vertical bars, one column for each value, `height` lines high; the largest fills it."""
    top = float(np.max(values))
    eighths = np.rint(np.asarray(values) / top * height * 8).astype(int) if top > 0 else np.zeros(len(values), int)
    return ["".join(_EIGHTHS[int(np.clip(e - 8 * (height - 1 - row), 0, 8))] for e in eighths) for row in range(height)]


def image(pixels: np.ndarray) -> list[str]:
    """Values from 0 to 1 as shades, two characters for each pixel."""
    levels = np.rint(np.clip(pixels, 0, 1) * (len(_SHADES) - 1)).astype(int)
    return ["".join(2 * _SHADES[level] for level in row) for row in levels]


def beside(blocks: Sequence[Sequence[str]], *, gap: str = "   ", indent: str = "    ") -> list[str]:
    """Blocks of lines next to each other."""
    height = max(len(block) for block in blocks)
    widths = [max((len(line) for line in block), default=0) for block in blocks]
    return [
        (
            indent
            + gap.join((block[i] if i < len(block) else "").ljust(w) for block, w in zip(blocks, widths, strict=True))
        ).rstrip()
        for i in range(height)
    ]


def scatter(x: np.ndarray, y: np.ndarray, marks: dict[str, int], *, shape: tuple[int, int] = (16, 64)) -> list[str]:
    """A map of points: the more points in a cell, the darker; `marks` puts letters on single points."""
    rows, cols = shape
    column = np.rint((x - x.min()) / np.ptp(x) * (cols - 1)).astype(int)
    row = np.rint((y.max() - y) / np.ptp(y) * (rows - 1)).astype(int)
    counts = np.zeros(shape, int)
    np.add.at(counts, (row, column), 1)
    cells = [[" .:oO@"[min(count, 5)] for count in line] for line in counts]
    for letter, i in marks.items():
        cells[row[i]][column[i]] = letter
    return ["".join(line) for line in cells]
