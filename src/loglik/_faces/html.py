"""What a notebook shows of a distribution: a table and a small picture, as HTML that needs nothing else.

Numbers are rounded; `repr` has all digits.
"""

import html
from collections.abc import Iterable
from typing import Any

import numpy as np

from loglik._faces import svg
from loglik._faces.pictures import Picture


def page(
    name: str, batch_shape: tuple[int, ...], dtype: np.dtype, rows: Iterable[tuple[str, Any]], picture: Picture | None
) -> str:
    """A heading with the name, the shape of a batch and an unusual dtype; a table of names and values; the picture."""
    notes = [f"batch {batch_shape}" if batch_shape else "", str(dtype) if dtype != np.float64 else ""]
    title = " ".join([f"<b>{name}</b>", *(html.escape(note) for note in notes if note)])
    style = "text-align:left;font-weight:normal;vertical-align:top;padding-right:1em"
    body = "".join(
        f'<tr><th scope="row" style="{style}">{html.escape(label)}</th>'
        f'<td style="text-align:left">{_cell(value)}</td></tr>'
        for label, value in rows
    )
    table = f'<div><div style="margin-bottom:.3em">{title}</div><table style="color:inherit">{body}</table></div>'
    drawn = "" if picture is None else svg.draw(picture)
    return f'<div style="display:flex;flex-wrap:wrap;align-items:center;gap:1.5em">{table}{drawn}</div>'


def _cell(value: Any) -> str:
    """A value in few characters: what is large is shown in part."""
    if isinstance(value, str | bool):
        return html.escape(str(value))
    array = np.asarray(value)
    if array.ndim == 0:
        return svg.number(float(array))
    with np.printoptions(threshold=16, edgeitems=2, precision=4, linewidth=60):
        text = str(array)
    return f'<pre style="margin:0;background:none;color:inherit">{html.escape(text)}</pre>'
