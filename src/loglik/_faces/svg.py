"""Pictures as small SVG elements that need nothing else.

Text and axes have the colour of the page (currentColor), the rest a blue that is readable on light and dark ones.
"""

import html
import math
from typing import Any

import numpy as np

from loglik._faces.pictures import Box, Curve, Ellipses, Masses, Picture

_WIDTH, _HEIGHT, _FLOOR, _TOP, _SIDE = 240, 130, 108, 8, 14  # of the picture; where its axis and its highest point are
_BLUE = "#4a8fd6"
_BARS = 80  # and as many points of a line where there would be more


def number(value: float) -> str:
    """A number in few characters."""
    return f"{value:.5g}".replace("-", "−")


def draw(picture: Picture) -> str:
    """The picture as an <svg> element, or nothing where its numbers cannot be drawn."""
    match picture:
        case Curve():
            return _curve(picture)
        case Box():
            return _box(picture)
        case Masses():
            return _masses(picture)
        case Ellipses():
            return _ellipses(picture)


def _svg(name: str, body: str, width: int = _WIDTH, height: int = _HEIGHT) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'fill="currentColor" font-size="11" font-family="sans-serif"><title>{html.escape(name)}</title>{body}</svg>'
    )


def _axis(labels: list[tuple[float, str]]) -> str:
    """The line below, with ticks and their names at x."""
    line = f'<line x1="2" x2="{_WIDTH - 2}" y1="{_FLOOR}" y2="{_FLOOR}" stroke="currentColor"/>'
    for x, text in labels:
        margin = 3.2 * len(text)
        at = min(max(x, margin), _WIDTH - margin)
        line += f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_FLOOR}" y2="{_FLOOR + 4}" stroke="currentColor"/>'
        line += f'<text x="{at:.1f}" y="{_FLOOR + 17}" text-anchor="middle">{html.escape(text)}</text>'
    return line


def _area(points: Any) -> str:
    """The polygon with these corners, filled."""
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{text}" fill="{_BLUE}" fill-opacity=".3" stroke="{_BLUE}" stroke-width="1.5"/>'


def _curve(curve: Curve) -> str:
    low, high = curve.x[0], curve.x[-1]

    def place(x: Any) -> Any:
        return _SIDE + (x - low) / (high - low) * (_WIDTH - 2 * _SIDE)

    y = _FLOOR - (_FLOOR - _TOP) * (curve.heights / np.max(curve.heights))
    ticks = [(place(x), number(value)) for x, value in curve.ticks]
    return _svg(curve.caption, _area(zip(place(curve.x), y, strict=True)) + _axis(ticks))


def _box(box: Box) -> str:
    left, right, top = 50.0, _WIDTH - 50.0, 30.0
    corners = [(left, _FLOOR), (left, top), (right, top), (right, _FLOOR)]
    return _svg("density", _area(corners) + _axis([(left, number(box.low)), (right, number(box.high))]))


def _masses(masses: Masses) -> str:
    """Bars for few outcomes, an outline for many; the ends and the highest one are named."""
    x, p = np.asarray(masses.outcomes), np.asarray(masses.probs)
    if len(x) > 2 * _BARS:  # of each stretch the most probable
        cuts = np.linspace(0, len(x), 2 * _BARS + 1).astype(int)[:-1]
        x, p = x[cuts], np.maximum.reduceat(p, cuts)
    outcomes, probs = x.tolist(), p.astype(np.float64).tolist()
    n, peak = len(outcomes), max(probs)
    step = (_WIDTH - 2 * _SIDE) / n
    middles = [_SIDE + (i + 0.5) * step for i in range(n)]
    tops = [_FLOOR - (_FLOOR - _TOP) * p / peak for p in probs]
    if n <= _BARS:
        width = min(0.8 * step, 40.0)
        body = "".join(
            f'<rect x="{middle - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_FLOOR - top:.1f}" '
            f'fill="{_BLUE}" fill-opacity=".6"/>'
            for middle, top in zip(middles, tops, strict=True)
        )
    else:
        body = _area([(middles[0], _FLOOR), *zip(middles, tops, strict=True), (middles[-1], _FLOOR)])
    named = {0, n - 1}
    mode = probs.index(peak)
    if min(mode, n - 1 - mode) * step > 50:
        named.add(mode)
    if n <= 8:
        named = set(range(n))
    return _svg("probabilities", body + _axis([(middles[i], str(outcomes[i]).replace("-", "−")) for i in sorted(named)]))


def _ellipses(ellipses: Ellipses) -> str:
    """A square in which the standard deviations of both coordinates are equally long."""
    size, half = 150, 52.0
    mean, std = np.asarray(ellipses.mean, np.float64), np.asarray(ellipses.std, np.float64)
    if not (np.all(np.isfinite(std)) and np.all(std > 0)):
        return ""
    angle = np.linspace(0, 2 * math.pi, 73)
    unit = np.asarray(ellipses.scale_tril, np.float64) / std[:, None] @ np.stack([np.cos(angle), np.sin(angle)])
    x0, y0 = size / 2 + 12, size / 2 - 8
    body = ""
    for deviations in (3, 2, 1):
        scale = half / 3 * deviations
        body += _area(zip(x0 + scale * unit[0], y0 - scale * unit[1], strict=True))
    left, floor = x0 - half - 6, y0 + half + 6
    body += f'<polyline points="{left:.1f},{y0 - half:.1f} {left:.1f},{floor:.1f} {x0 + half:.1f},{floor:.1f}" '
    body += 'fill="none" stroke="currentColor"/>'
    for k in (-2, 0, 2):
        at = k * half / 3
        body += f'<text x="{x0 + at:.1f}" y="{floor + 14:.1f}" text-anchor="middle">{number(mean[0] + k * std[0])}</text>'
        body += f'<text x="{left - 4:.1f}" y="{y0 - at + 4:.1f}" text-anchor="end">{number(mean[1] + k * std[1])}</text>'
    return _svg("one, two and three standard deviations", body, size + 30, size)
