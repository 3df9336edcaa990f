"""Pieces of a table of probabilities as text: numbers, bars, wrapped lines."""

import math

_EIGHTHS = " ▏▎▍▌▋▊▉"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def percent(probability: float, log_probability: float) -> str:
    """Four decimals of a percentage, or a power of ten where that would show next to nothing."""
    if probability >= 1e-5 or log_probability == -math.inf:
        return f"{100 * probability:.4f} %"
    if probability >= 1e-290:
        return f"{100 * probability:.2e} %"
    exponent = log_probability / math.log(10) + 2
    return f"{10 ** (exponent % 1):.2f}e{math.floor(exponent)} %"


def bar(length: float, ascii_only: bool) -> str:
    """A bar of `length` columns."""
    if ascii_only:
        return "#" * round(length)
    eighths = round(8 * length)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` columns; all but the first are indented further."""
    import textwrap

    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + "  ") or [""]


def shortened(name: str, width: int) -> str:
    """A name cut to `width` columns."""
    return name if len(name) <= width else name[: width - 3] + "..."
