"""``loglik tour``: the whole of a lecture on probabilities, in steps, as text or as a page with figures.

The chapters are modules with a TITLE and STEPS (`loglik.tour._step`).
"""

import os
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from loglik.tour import distributions, divergence, likelihood, speed
from loglik.tour._step import PREAMBLE, Done, Session, Step
from loglik.tour._text import WIDTH, Style, rule

__all__ = ["CHAPTERS", "STEPS", "TOPICS", "run", "select", "write_html"]

CHAPTERS: tuple[Any, ...] = (distributions, likelihood, divergence, speed)
STEPS: tuple[Step, ...] = tuple(step for chapter in CHAPTERS for step in chapter.STEPS)

# What the lecture "Probabilities for Deep Learning" teaches, by number.
TOPICS = {
    1: "Diagnostic test (Bayes)",
    2: "Sum of dice",
    3: "Probability, expectation, variance",
    4: "Uniform",
    5: "Normal",
    6: "Covariance, correlation",
    7: "Multivariate normal",
    8: "Marginalisation, conditioning",
    9: "Degenerate case",
    10: "Data matrix",
    11: "Bernoulli",
    12: "IID samples, images",
    13: "Density estimation: MLE and MAP",
    14: "Bertrand's paradox",
    15: "Likelihood of an IID sequence",
    16: "Log-likelihood of m points",
    17: "MLE and the L2 loss",
    18: "MLE and cross-entropy",
    19: "Generative use",
    20: "KL divergence",
    21: "KL of two normals",
    22: "KL by Monte Carlo",
    23: "KL and MLE",
    24: "Jensen–Shannon divergence",
}


def select(text: str | None = None, *, speed: bool = True) -> list[tuple[int, Step]]:
    """Steps with their numbers: all, or those named in `text`, for example ``"7"``, ``"3-5,dice"``.

    Raises
    ------
    ValueError
        For a name that no step has, or a number out of range.
    """
    every = list(enumerate(STEPS, 1))
    if text is None:
        return every if speed else [(i, step) for i, step in every if step.name != "speed"]
    chosen: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        named = [i for i, step in every if step.name == part.strip()]
        if named:
            chosen.update(named)
        elif first.isdecimal() and (last.isdecimal() if dash else True) and 1 <= int(first) <= int(last or first) <= len(STEPS):
            chosen.update(range(int(first), int(last or first) + 1))
        else:
            names = ", ".join(step.name for step in STEPS)
            raise ValueError(f"tour: no step {part.strip()!r}; there are 1 to {len(STEPS)}, or by name: {names}")
    return [(i, step) for i, step in every if i in chosen]


def _chapters(steps: Sequence[tuple[int, Step]]) -> Iterator[tuple[str, list[tuple[int, Step]]]]:
    for chapter in CHAPTERS:
        inside = [(i, step) for i, step in steps if step in chapter.STEPS]
        if inside:
            yield chapter.TITLE, inside


def step_text(number: int, step: Step, done: Done, style: Style) -> list[str]:
    """The lines of a step."""
    lines = [style.title(f"{number}. {step.title}") + f"  [{step.name}]", rule(), *textwrap.wrap(step.question, WIDTH)]
    if step.formula:
        lines += ["", *(f"        {line}" for line in step.formula.splitlines())]
    lines += ["", *(style.code(f"    {line}") for line in step.code.splitlines()), ""]
    lines += [f"  > {line}" for line in done.printed()]
    lines += ["", *step.picture(done.variables), *([f"    {step.legend}"] if step.legend else [])]
    return [style.line(line) for line in [*lines, ""]]


def run(only: str | None = None, *, speed: bool = True, file: TextIO | None = None) -> None:
    """Print the tour.

    Parameters
    ----------
    only : str, optional
        Numbers, ranges and names of steps, with commas between; all by default.
    speed : bool
        Also measure each loop against its NumPy reference; most of the tour's time.
    file : text file, optional
        Where to print; standard output by default.
    """
    import loglik

    out = sys.stdout if file is None else file
    steps = select(only, speed=speed)
    style = Style(
        colour=out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
        ascii_only=not _has("█⣿μ", out),
    )

    def say(*lines: str) -> None:
        print(*lines, sep="\n", file=out, flush=True)

    began, session = time.perf_counter(), Session(STEPS)
    say(rule("="), style.title("loglik: probabilities for deep learning, on real data"), rule("="), "")
    say(f"loglik {loglik.__version__} with {loglik.isa()} kernels, {loglik.get_num_threads()} threads.")
    say("Logarithms are natural: log-likelihoods and divergences are in nats.")
    say("Each step is a question, code that ran after the three lines below, the values")
    say("(>) of its lines that are expressions, and a picture.")
    say("The same as a page with figures: loglik tour --html FOLDER", "")
    say(*(style.code(f"    {line}") for line in PREAMBLE.splitlines()), "")
    for title, inside in _chapters(steps):
        say("", style.title(title.upper()), rule("="), "")
        for number, step in inside:
            say(*step_text(number, step, session(step.name), style))
    say(rule("="), f"The tour took {time.perf_counter() - began:.1f} seconds.")


def _has(characters: str, out: TextIO) -> bool:
    """Whether the stream can take them."""
    try:
        characters.encode(getattr(out, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def write_html(folder: str | os.PathLike[str], only: str | None = None, *, speed: bool = True) -> Path:
    """Write the tour as one page, `folder`/index.html, with everything in it.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError('--html needs matplotlib: pip install "loglik[tour]"') from None
    from loglik.tour import _html

    steps, session = select(only, speed=speed), Session(STEPS)
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    path /= "index.html"
    path.write_text(_html.page(list(_chapters(steps)), session, TOPICS), encoding="utf-8")
    return path
