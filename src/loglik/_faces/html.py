"""What a notebook shows of a distribution: a table and a small picture, as HTML that needs nothing else.

Text and axes have the colour of the page (currentColor), the picture a blue that is readable on light and dark ones. Numbers are
rounded; `repr` has all digits.
"""

import html
import math
from typing import Any

import numpy as np

_WIDTH, _HEIGHT, _FLOOR, _TOP, _SIDE = 240, 130, 108, 8, 14  # of the picture; where its axis and its highest point are
_BLUE = "#4a8fd6"
_BARS = 80  # and as many points of a line where there would be more
_OUTCOMES = 10_000  # no picture of more, which take long to find


def page(d: Any) -> str:
    """The whole of `_repr_html_`."""
    notes = [f"batch {d.batch_shape}" if d.batch_shape else "", str(d.dtype) if d.dtype != np.float64 else ""]
    title = " ".join([f"<b>{type(d).__name__}</b>", *(html.escape(note) for note in notes if note)])
    style = "text-align:left;font-weight:normal;vertical-align:top;padding-right:1em"
    rows = "".join(
        f'<tr><th scope="row" style="{style}">{html.escape(name)}</th>'
        f'<td style="text-align:left">{_cell(value)}</td></tr>'
        for name, value in _rows(d)
    )
    table = f'<div><div style="margin-bottom:.3em">{title}</div><table style="color:inherit">{rows}</table></div>'
    return f'<div style="display:flex;flex-wrap:wrap;align-items:center;gap:1.5em">{table}{_picture(d)}</div>'


def _rows(d: Any) -> list[tuple[str, Any]]:
    if type(d).__name__ == "Discrete":
        rows = [("outcomes", f"{d.start} to {d.start + d._length - 1}".replace("-", "−"))]
        notation = repr(d)
        if notation.startswith("dice("):
            rows.insert(0, ("dice", notation.removeprefix("dice('").removesuffix("')")))
    else:
        rows = list(d._arguments().items())
    rows.append(("mean", d.mean))
    if "variance" not in dict(rows) and 1 < math.prod(d.event_shape) <= 8:
        rows.append(("correlation", d.correlation))
    rows.append(("sd", d.std))
    return rows


def _is_small(d: Any) -> bool:
    return bool(d.batch_shape) or "_masses" in d.__dict__ or d._length <= _OUTCOMES


def _cell(value: Any) -> str:
    """A value in few characters: what is large is shown in part."""
    if isinstance(value, str | bool):
        return html.escape(str(value))
    array = np.asarray(value)
    if array.ndim == 0:
        return _number(float(array))
    with np.printoptions(threshold=16, edgeitems=2, precision=4, linewidth=60):
        text = str(array)
    return f'<pre style="margin:0;background:none;color:inherit">{html.escape(text)}</pre>'


def _number(value: float) -> str:
    return f"{value:.5g}".replace("-", "−")


# ------------------------------------------------------------------------------------------- pictures


def _picture(d: Any) -> str:
    """An <svg> where there is one thing to draw."""
    if d.batch_shape:
        return ""
    kind = type(d).__name__
    if kind == "Normal" or (kind == "MultivariateNormal" and d.event_shape == (1,)):
        mean, std = (float(np.ravel(v)[0]) for v in (d.mean, d.std))
        return _bell(mean, std) if std > 0 else ""
    if kind == "Uniform":
        return _box(float(d.low), float(d.high))
    if kind == "Bernoulli":
        one, zero = d._both()
        return _bars([0, 1], [float(zero), float(one)])
    if kind == "Discrete":
        return _outcomes(d) if _is_small(d) else ""
    return _ellipses(d) if kind == "MultivariateNormal" and d.event_shape == (2,) else ""


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


def _path(points: Any, *, closed: bool = True) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    shape = "polygon" if closed else "polyline"
    return f'<{shape} points="{text}" fill="{_BLUE}" fill-opacity=".3" stroke="{_BLUE}" stroke-width="1.5"/>'


def _bell(mean: float, std: float) -> str:
    z = np.linspace(-4.0, 4.0, 81)
    x = _SIDE + (z + 4) / 8 * (_WIDTH - 2 * _SIDE)
    y = _FLOOR - (_FLOOR - _TOP) * np.exp(-0.5 * z * z)
    ticks = [(_WIDTH / 2 + k * (_WIDTH - 2 * _SIDE) / 8, _number(mean + k * std)) for k in (-2, 0, 2)]
    return _svg("density, with the mean and two standard deviations", _path(zip(x, y, strict=True)) + _axis(ticks))


def _box(low: float, high: float) -> str:
    left, right, top = 50.0, _WIDTH - 50.0, 30.0
    box = _path([(left, _FLOOR), (left, top), (right, top), (right, _FLOOR)])
    return _svg("density", box + _axis([(left, _number(low)), (right, _number(high))]))


def _bars(outcomes: Any, probs: Any) -> str:
    """Bars for few outcomes, an outline for many; the ends and the highest one are named."""
    n, peak = len(outcomes), max(probs)
    step = (_WIDTH - 2 * _SIDE) / n
    x = [_SIDE + (i + 0.5) * step for i in range(n)]
    y = [_FLOOR - (_FLOOR - _TOP) * p / peak for p in probs]
    if n <= _BARS:
        width = min(0.8 * step, 40.0)
        body = "".join(
            f'<rect x="{at - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_FLOOR - top:.1f}" '
            f'fill="{_BLUE}" fill-opacity=".6"/>'
            for at, top in zip(x, y, strict=True)
        )
    else:
        body = _path([(x[0], _FLOOR), *zip(x, y, strict=True), (x[-1], _FLOOR)])
    named = {0, n - 1}
    mode = probs.index(peak)
    if min(mode, n - 1 - mode) * step > 50:
        named.add(mode)
    if n <= 8:
        named = set(range(n))
    return _svg("probabilities", body + _axis([(x[i], str(outcomes[i]).replace("-", "−")) for i in sorted(named)]))


def _outcomes(d: Any) -> str:
    """The outcomes that have all but a millionth of the probability."""
    x, p, _ = d._visible()
    if len(x) > 2 * _BARS:  # of each stretch the most probable
        cuts = np.linspace(0, len(x), 2 * _BARS + 1).astype(int)[:-1]
        tops = np.maximum.reduceat(p, cuts)
        x, p = x[cuts], tops
    return _bars(x.tolist(), p.astype(np.float64).tolist())


def _ellipses(d: Any) -> str:
    """One, two and three standard deviations, in a square where those of both coordinates are equally long."""
    size, half = 150, 52.0
    mean, std = np.asarray(d.mean, np.float64), np.asarray(d.std, np.float64)
    if not (np.all(np.isfinite(std)) and np.all(std > 0)):
        return ""
    angle = np.linspace(0, 2 * math.pi, 73)
    unit = np.asarray(d.scale_tril, np.float64) / std[:, None] @ np.stack([np.cos(angle), np.sin(angle)])
    x0, y0 = size / 2 + 12, size / 2 - 8
    body = ""
    for deviations in (3, 2, 1):
        scale = half / 3 * deviations
        body += _path(zip(x0 + scale * unit[0], y0 - scale * unit[1], strict=True))
    left, floor = x0 - half - 6, y0 + half + 6
    body += f'<polyline points="{left:.1f},{y0 - half:.1f} {left:.1f},{floor:.1f} {x0 + half:.1f},{floor:.1f}" '
    body += 'fill="none" stroke="currentColor"/>'
    for k in (-2, 0, 2):
        at = k * half / 3
        body += f'<text x="{x0 + at:.1f}" y="{floor + 14:.1f}" text-anchor="middle">{_number(mean[0] + k * std[0])}</text>'
        body += f'<text x="{left - 4:.1f}" y="{y0 - at + 4:.1f}" text-anchor="end">{_number(mean[1] + k * std[1])}</text>'
    return _svg("one, two and three standard deviations", body, size + 30, size)
