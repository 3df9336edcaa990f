"""``loglik tour``: what the package does, on real data, as text in the terminal.

A chapter asks a question, shows the lines of code that answer it and then the numbers. The code that is
shown is the code that ran: it is kept as text and executed, and a chapter's figures are made from the
variables that it left.
"""

import os
import sys
import time
from typing import Any, TextIO

from loglik.tour import dice, digits, divergence, people, speed
from loglik.tour._text import Style, rule

__all__ = ["CHAPTERS", "run", "run_chapter"]

CHAPTERS = (people, digits, divergence, dice)

PREAMBLE = """\
import numpy as np
import loglik as ll
from loglik.data import load_body, load_digits
"""


def start() -> dict[str, Any]:
    """Variables of the tour after its imports."""
    variables: dict[str, Any] = {}
    _execute(PREAMBLE, variables)
    return variables


def _execute(code: str, variables: dict[str, Any]) -> None:
    exec(compile(code, "<tour>", "exec"), variables)


def _heading(number: int, chapter: Any, style: Style) -> list[str]:
    return [style.title(f"{number}. {chapter.TITLE}"), rule(), *chapter.QUESTION.splitlines(), ""]


def run_chapter(number: int, chapter: Any, variables: dict[str, Any], style: Style) -> list[str]:
    """Execute one chapter; its lines of text."""
    _execute(chapter.CODE, variables)
    lines = _heading(number, chapter, style)
    lines += [style.code(f"    {line}") for line in chapter.CODE.splitlines()]
    return [*lines, "", *chapter.show(variables, style), ""]


def run(*, speed: bool = True, file: TextIO | None = None) -> None:
    """Print the tour.

    Parameters
    ----------
    speed : bool
        Also measure each loop against its NumPy reference; most of the tour's time.
    file : text file, optional
        Where to print; standard output by default.
    """
    import loglik

    out = sys.stdout if file is None else file
    style = Style(colour=out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb")

    def say(*lines: str) -> None:
        print(*lines, sep="\n", file=out, flush=True)

    began = time.perf_counter()
    say(rule("="), style.title("loglik: a tour on real data"), rule("="), "")
    say(f"loglik {loglik.__version__} with {loglik.isa()} kernels, {loglik.get_num_threads()} threads.")
    say("Logarithms are natural: log-likelihoods and divergences are in nats.", "")
    say(*(style.code(f"    {line}") for line in PREAMBLE.splitlines()), "")
    variables = start()
    for number, chapter in enumerate(CHAPTERS, 1):
        say(*run_chapter(number, chapter, variables, style))
    if speed:
        say(*_speed(len(CHAPTERS) + 1, style))
    say(rule("="), f"The tour took {time.perf_counter() - began:.1f} seconds.")


def _speed(number: int, style: Style) -> list[str]:
    return [*_heading(number, speed, style), *speed.show(speed.measure(), style), ""]
