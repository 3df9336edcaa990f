"""One step of the tour: a question, a few lines of code, the values they show, and a picture.

The code is kept as text and executed as in a notebook: a line that is an expression shows its value. So what is
shown is what ran, and the pictures are made from the variables that it left.
"""

import ast
import textwrap
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from loglik.estimate import Estimate

PREAMBLE = """\
import numpy as np
import loglik as ll
from loglik.data import load_body, load_digits"""

WIDTH = 76  # of what is shown


class Step:
    """A step; each one is a subclass with these names."""

    name: ClassVar[str]
    """For ``--only``."""
    title: ClassVar[str]
    topics: ClassVar[tuple[int, ...]]
    """Which of `loglik.tour.TOPICS` it shows."""
    question: ClassVar[str]
    formula: ClassVar[str] = ""
    """In Unicode, one formula a line."""
    code: ClassVar[str]
    needs: ClassVar[str] = ""
    """Name of an earlier step whose variables the code uses."""
    caption: ClassVar[str]
    """What the figure shows."""
    legend: ClassVar[str] = ""
    """What the picture in the terminal shows, where that is not plain."""
    size: ClassVar[tuple[float, float]] = (7.2, 3.0)
    """Width and height of the figure in inches."""

    def run(self, variables: dict[str, Any]) -> list[Any]:
        """Execute the code in `variables`; the values that it shows."""
        shown: list[Any] = []
        variables["print"] = shown.append
        for statement in ast.parse(self.code).body:
            if isinstance(statement, ast.Expr) and not _prints(statement.value):
                code = compile(ast.Expression(statement.value), f"<tour: {self.name}>", "eval")
                shown.append(eval(code, variables))
            else:
                exec(compile(ast.Module([statement], []), f"<tour: {self.name}>", "exec"), variables)
        return shown

    def charts(self, v: Any) -> list[Any]:
        """Curves (`_figures.Chart`), of which the picture and the figure are made unless a step makes its own."""
        raise NotImplementedError

    def picture(self, v: Any) -> list[str]:
        """A picture made of characters, at most `_text.WIDTH` wide: the last chart."""
        lines: list[str] = self.charts(v)[-1].text()
        return lines

    def figure(self, v: Any, fig: Any) -> None:
        """Draw on an empty `matplotlib.figure.Figure`, in the colours of `_figures`: the charts side by side."""
        charts = self.charts(v)
        for ax, chart in zip(fig.subplots(1, len(charts), squeeze=False)[0], charts, strict=True):
            chart.draw(ax)


def _prints(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "print"


class Done(NamedTuple):
    """A step that was executed."""

    shown: list[Any]
    variables: SimpleNamespace

    def printed(self) -> list[str]:
        """The values as text."""
        return [line for value in self.shown for line in display(value)]


class Session:
    """Executes steps, each once, in variables of its own (and those of the step that it needs)."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = {step.name: step for step in steps}
        self._done: dict[str, tuple[list[Any], dict[str, Any]]] = {}

    def __call__(self, name: str) -> Done:
        shown, variables = self._run(name)
        return Done(shown, SimpleNamespace(**variables))

    def _run(self, name: str) -> tuple[list[Any], dict[str, Any]]:
        if name not in self._done:
            step = self._steps[name]
            variables = dict(self._run(step.needs)[1]) if step.needs else {}
            exec(PREAMBLE, variables)
            self._done[name] = step.run(variables), variables
        return self._done[name]


def display(value: Any) -> list[str]:
    """Lines for a value: numbers with eight digits, a dict as a table, a tuple side by side."""
    if isinstance(value, dict):
        rows = [[_cell(key), *map(_cell, v if isinstance(v, tuple) else (v,))] for key, v in value.items()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["   ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    if isinstance(value, tuple):
        return "   ".join(map(_cell, value)).splitlines()
    return [line for part in _cell(value).splitlines() for line in textwrap.wrap(part, WIDTH)]


def _cell(value: Any) -> str:
    if isinstance(value, Estimate) and value.stderr > 1e-9:
        return f"{value.value:.5f} ± {value.stderr:.5f}"
    if isinstance(value, Estimate):
        return f"{value.value:.16g}"
    if isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return f"{value:.8g}"
    if isinstance(value, (tuple, list)) and any(isinstance(v, (float, np.floating)) for v in value):
        return f"({', '.join(map(_cell, value))})"
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=6, suppress_small=True, max_line_width=WIDTH)
    return str(value)
