"""Drawing with characters: bars, curves, images, tables and maps of points, at most 80 columns wide."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

WIDTH = 80
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_SHADES = " ░▒▓█"
_BRAILLE = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # of a braille character, 4 x 2

# For streams that have only ASCII; braille becomes lighter and darker characters.
_ASCII = str.maketrans(
    dict(zip("▁▂▃▄▅▆▇█▀▏░▒▓·×−–—’", "__--==##\"|:+%.x---'", strict=True))
    | {"≥": ">=", "≤": "<=", "∞": "inf", "√": "sqrt", "∫": "integral ", "½": "1/2", "‖": "||", "→": "->", "±": "+-"}
    | {"²": "^2", "³": "^3", "ⁿ": "^n", "ᵀ": "^T", "ᵏ": "^k", "ˣ": "^x", "⁻": "^-", "¹": "1", "Σ": "Sum", "∈": "in"}
    | {"…": "...", "≠": "!=", "≈": "~"}
    | {"μ": "mu", "σ": "sigma", "ρ": "rho", "π": "pi", "θ": "theta", "α": "alpha", "β": "beta", "λ": "lambda"}
    | {chr(_BRAILLE + i): " ..::-=*#"[i.bit_count()] for i in range(256)}
)


@dataclass(frozen=True)
class Style:
    """Bold titles and coloured code where the terminal has them; characters that the stream has."""

    colour: bool = False
    ascii_only: bool = False

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def title(self, text: str) -> str:
        return self._wrap("1", text)

    def code(self, text: str) -> str:
        return self._wrap("36", text)

    def line(self, text: str) -> str:
        """The text in characters that the stream can take."""
        if not self.ascii_only:
            return text
        plain = unicodedata.normalize("NFKD", text.translate(_ASCII))  # subscripts
        return plain.encode("ascii", "replace").decode()


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


def columns(values: Any, height: int, *, width: int = 1, top: float | None = None) -> list[str]:
    """A chart of vertical bars, each `width` wide, `height` lines high; the largest (or `top`) fills it."""
    values = np.asarray(values, float)
    top = float(np.max(values)) if top is None else top
    eighths = np.rint(values / top * height * 8).astype(int) if top > 0 else np.zeros(len(values), int)
    return [
        "".join(width * _EIGHTHS[int(np.clip(e - 8 * (height - 1 - row), 0, 8))] for e in eighths) for row in range(height)
    ]


def bars(labels: Sequence[str], values: Sequence[float], notes: Sequence[str], *, width: int = 40) -> list[str]:
    """A chart of horizontal bars: label, bar, note."""
    room, most = max(map(len, labels)), max(values)
    return [
        f"    {label:>{room}}  {('█' * round(width * value / most) or '▏'):<{width}}  {note}".rstrip()
        for label, value, note in zip(labels, values, notes, strict=True)
    ]


def shades(values: np.ndarray, *, width: int = 1, marks: dict[str, tuple[int, int]] | None = None) -> list[str]:
    """Values from 0 to 1 as shades, each `width` characters wide; letters at (row, column)."""
    levels = np.rint(np.clip(values, 0, 1) * (len(_SHADES) - 1)).astype(int)
    cells = [[width * _SHADES[level] for level in row] for row in levels]
    for letter, (i, j) in (marks or {}).items():
        cells[i][j] = letter
    return ["".join(row) for row in cells]


def bitmap(pixels: np.ndarray) -> list[str]:
    """Ink and paper, two pixels in each character."""
    ink = np.asarray(pixels) > 0.5
    return ["".join(" ▄▀█"[code] for code in row) for row in 2 * ink[::2] + ink[1::2]]


def _braille(ink: np.ndarray) -> list[str]:
    """Dots as characters, each four rows by two columns of them."""
    rows, cols = ink.shape[0] // 4, ink.shape[1] // 2
    codes = (ink.reshape(rows, 4, cols, 2) * _DOTS[:, None, :]).sum(axis=(1, 3))
    return ["".join(chr(_BRAILLE + code) if code else " " for code in row) for row in codes]


def images(pictures: np.ndarray, *, per_row: int = 5) -> list[str]:
    """A grid of images, grey ones in shades, those of 0 and 1 in half the size."""
    grey = not np.isin(pictures, (0, 1)).all()
    blocks = [shades(p, width=2) if grey else bitmap(p) for p in pictures]
    rows = [blocks[i : i + per_row] for i in range(0, len(blocks), per_row)]
    lines = [beside(row, gap="" if grey else "        ", indent="" if grey else "    ") for row in rows]
    return [line for row in lines for line in (*row, "")][:-1]


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


def chart(
    x: np.ndarray,
    curves: dict[str, Any],
    y_range: tuple[float, float],
    *,
    x_label: str = "",
    dots: tuple[Any, Any] = ((), ()),
    shape: tuple[int, int] = (9, 60),
) -> list[str]:
    """Curves over increasing `x` with their names, and dots (x, y), in a frame with the ends of both axes."""
    rows, cols = shape
    low, high = y_range
    at = np.linspace(x[0], x[-1], 2 * cols)
    # Heights in dots, from the top.
    level = np.array([np.rint((high - np.interp(at, x, y)) / (high - low) * (4 * rows - 1)) for y in curves.values()])
    level = level.reshape(-1, 2 * cols).clip(-1e6, 1e6).astype(int)
    ink = np.zeros((4 * rows, 2 * cols), bool)
    for line in level:
        for j in np.flatnonzero((line >= 0) & (line < 4 * rows)).tolist():
            step = line[j : j + 2].clip(0, 4 * rows - 1)  # to the next point
            ink[int(step.min()) : int(step.max()) + 1, j] = True
    cells = [list(line.ljust(cols)) for line in _braille(ink)]
    for a, b in zip(*dots, strict=True):
        row = int(np.rint((high - b) / (high - low) * (4 * rows - 1))) // 4
        cells[row][int(np.rint((a - x[0]) / (x[-1] - x[0]) * (2 * cols - 1))) // 2] = "o"
    if len(level) > 1:
        for i, name in enumerate(curves):
            row, column = _place(level[:, ::2] // 4, i, len(name), cells)
            cells[row][column : column + len(name)] = name
    ends = f"{high:g}", f"{low:g}"
    room = max(map(len, ends))
    labels = [ends[0], *[""] * (rows - 2), ends[1]]
    lines = [f"    {name:>{room}} |{''.join(line)}".rstrip() for name, line in zip(labels, cells, strict=True)]
    lines.append(" " * (4 + room) + " +" + "-" * cols)
    left, right = f"{x[0]:g}", f"{x[-1]:g}"
    lines.append((" " * (6 + room) + left + x_label.center(cols - len(left) - len(right)) + right).rstrip())
    return lines


def _place(rows: np.ndarray, i: int, width: int, cells: list[list[str]]) -> tuple[int, int]:
    """Where curve `i` is named: on it, far from the others and from their names, rather high and near the middle."""
    best, where = -np.inf, (0, 0)
    others = np.delete(rows, i, axis=0)
    for column in range(1, rows.shape[1] - width):
        row = int(rows[i, column + width // 2])
        if 0 <= row < len(cells) and not any(c.isalnum() for c in cells[row][max(column - 2, 0) : column + width + 2]):
            free = min(3, int(np.abs(others[:, column : column + width] - row).min()))
            score = free - 2 * row / len(cells) - abs(column + width / 2 - rows.shape[1] / 2) / rows.shape[1]
            if score > best:
                best, where = score, (row, column)
    return where


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
