"""Dice: `die`, `dice`, and a table of a distribution as text."""

import math

from loglik._dice.text import QUANTILES, bar, percent, shortened, wrapped
from loglik._discrete.checks import integer
from loglik._discrete.variable import fair_dice
from loglik.distributions.comparison import prob_equal, prob_greater
from loglik.distributions.discrete import Discrete

__all__ = ["dice", "die", "render"]


def die(sides: int) -> Discrete:
    """One fair die with the outcomes 1 to `sides`.

    Raises
    ------
    ValueError
        If `sides` is below 1 or above 2^26.
    TypeError
        If it is not an integer.

    Examples
    --------
    >>> import loglik as ll
    >>> float(ll.die(6).mean)
    3.5
    """
    return dice(1, sides)


def dice(n: int | str, sides: int | None = None) -> Discrete:
    r"""Sum of `n` fair dice with `sides` sides, or of what a notation such as ``"3d6+2"`` says.

    Parameters
    ----------
    n : int or str
        Number of dice (0 or more), or a notation.
    sides : int, optional
        Number of sides, 1 or more; only beside a number of dice.

    Returns
    -------
    Discrete
        With exact ``counts()``.

    Raises
    ------
    ValueError
        If `n` is below 0, `sides` below 1, or the sum has more than 2^26 outcomes; for a notation that is not
        understood, with the place and what was expected there.
    TypeError
        If `n` is neither an integer nor a string, or `sides` no integer.

    Notes
    -----
    Notation; spaces and case do not matter:

    ==================== ==============================================================================
    ``3d6``, ``d%``      three dice of six sides, one of a hundred; ``4dF`` are dice of -1, 0 and 1
    ``+ - * ( )``        sums; one side of ``*`` is an integer: ``2*1d6`` doubles the outcome, ``2d6`` rolls twice
    ``4d6kh3``           of four dice the highest three; ``kl`` the lowest, ``dl1`` and ``dh1`` drop. ``k3`` is ``kh3``,
                         ``d1`` is ``dl1``; several in turn: ``5d6dl1dh1``
    ``{2d6+d8}kh2``      the same of unequal dice, each one an entry; ``{2d6, d12}kh1``: each total is an entry
    ``3d6!``             exploding: a die that shows its highest face is rolled again and added, as long as it does
    ``2d6r1``, ``r<=2``  rerolled once (also ``ro1``), whatever comes then; ``rr1``: as long as a 1 comes
    ``5d10>=8``          how many dice show 8 or more; also ``> < <= =``
    ==================== ==============================================================================

    Rerolling comes before exploding, and that before keeping or counting. An exploding die is one die, its value the sum of
    its rolls; it is cut where the probability left is below 2⁻⁶⁰, and `truncated_mass` of the result says what was lost.
    (Programs differ in ``r1``: once as here in Foundry, as long as it comes in Roll20, which writes ``ro1`` for once.)

    An error has three lines: what is wrong, the notation, and a mark below the character.

    Method: the probabilities :math:`c_k` of n dice with s sides, counted from the lowest sum, obey

    .. math:: (k+1)\,c_{k+1} = (n+k)\,c_k - (ns+s-1-k)\,c_{k+1-s} + (ns-n+s-k)\,c_{k-s}

    which follows from :math:`(1-x)(1-x^s) f' = n f\,((1-x^s) - s x^{s-1}(1-x))` for the generating function
    :math:`f = ((1-x^s)/(1-x))^n`. It runs up to the mode in pairs of doubles with separate powers of two; the
    other half is the mirror image. Every probability is right to one unit in the last place, in the far tails
    too. Keeping is a recursion over the faces in exact integers, where only sums are told apart, not rolls; for equal dice
    beyond about a second of that it is a sum of positive terms in doubles, without ``counts()`` and with a relative
    error of at most 8·s·k·2⁻⁵³ for k dice kept (8·s·n·2⁻⁵³ where n dice lose some at both ends). How many of n equal dice
    meet a condition is binomial, right to four units for any n.

    Examples
    --------
    >>> import loglik as ll
    >>> float(ll.dice(2, 6).prob(7)), 6 / 36
    (0.16666666666666666, 0.16666666666666666)
    >>> float(ll.dice("3d6 + 2").mean)
    12.5
    >>> ll.dice("4d6kh3").counts()[0][-4:]  # of 1296 rolls, those that total 15, 16, 17 and 18
    [131, 94, 54, 21]
    >>> float(ll.dice(10000, 6).log_prob(10000))  # six to the power of -10000
    -17917.59469228055
    """
    if isinstance(n, str):
        if sides is not None:
            raise TypeError(f"dice: sides must be left out beside a notation, got {sides!r}")
        from loglik._dice.notation import parse  # not before somebody writes it

        return Discrete._from_variable(parse(n))
    if sides is None:
        integer("dice", "n", n)
        raise TypeError('dice: sides is missing; write dice(3, 6) or dice("3d6")')
    n, sides = integer("dice", "n", n), integer("dice", "sides", sides)
    if n < 0:
        raise ValueError(f"dice: n must be at least 0, got {n}")
    if sides < 1:
        raise ValueError(f"dice: sides must be at least 1, got {sides}")
    return Discrete._from_variable(fair_dice(n, sides))


# ---------------------------------------------------------------------------------------- as text

def render(
    d: Discrete, other: Discrete | None = None, *, names: tuple[str, ...] = (), width: int = 78, rows: int = 40,
    ascii_only: bool = False,
) -> str:  # fmt: skip
    """Table of outcomes, probabilities and bars, with mean, standard deviation and quantiles, as text.

    Parameters
    ----------
    d : Discrete
    other : Discrete, optional
        A second distribution, drawn beside the first, with the probabilities of being above and below it.
    names : tuple of str
        What to call them; needed for two.
    width : int
        Columns of the text, at least 40.
    rows : int
        Most lines of the table, at least 5. If there are more outcomes, neighbours are put together into
        equal bins where nearly all of the probability is, and one line each gives what is below and above.
    ascii_only : bool
        Draw the bars with ``#``.

    Examples
    --------
    >>> import loglik as ll
    >>> from loglik.dice import render
    >>> print(render(ll.dice("2d4"), width=60, ascii_only=True))
    2 to 8, mean 5, sd 1.58114
    quantiles 0.05: 2, 0.25: 4, 0.5: 5, 0.75: 6, 0.95: 8
    <BLANKLINE>
    2   6.2500 %  ############
    3  12.5000 %  #######################
    4  18.7500 %  ##################################
    5  25.0000 %  ##############################################
    6  18.7500 %  ##################################
    7  12.5000 %  #######################
    8   6.2500 %  ############
    """
    width, rows = max(width, 40), max(rows, 5)
    variables = [d] if other is None else [d, other]
    lines: list[str] = []
    for i, variable in enumerate(variables):
        if names:
            lines += wrapped(names[i], width)
        lines += _summary(variable, width, indent="  " if names else "")
    if other is not None:
        lines += ["", *_comparison(d, other, names, width)]
    bins = _bins(variables, rows)
    labels = [f"{first}..{last}" if last > first else str(first) for first, last in bins]
    values = [[_probability(v, *ends) for ends in bins] for v in variables]
    texts = [[percent(*value) for value in column] for column in values]
    label_width = max(map(len, labels))
    text_widths = [max(map(len, column)) for column in texts]
    # Two panels share the width, and one scale.
    room = max((width - label_width - sum(text_widths) - 4 * len(variables)) // len(variables), 3)
    most = max(probability for column in values for probability, _ in column)
    if other is not None:
        heads = (shortened(name, text_width + 2 + room) for name, text_width in zip(names, text_widths, strict=True))
        first_head, second_head = heads
        lines += ["", f"{'':{label_width}}  {first_head:{text_widths[0] + 2 + room}}  {second_head}".rstrip()]
    else:
        lines.append("")
    for row, label in enumerate(labels):
        cells = [
            f"{column[row]:>{text_width}}  {bar(probabilities[row][0] / most * room, ascii_only):{room}}"
            for column, probabilities, text_width in zip(texts, values, text_widths, strict=True)
        ]
        lines.append("  ".join([f"{label:>{label_width}}", *cells]).rstrip())
    return "\n".join(lines)


def _summary(d: Discrete, width: int, indent: str) -> list[str]:
    last = d.start + len(d.probs) - 1
    quantiles = ", ".join(f"{q:g}: {int(x)}" for q, x in zip(QUANTILES, d.quantile(QUANTILES), strict=True))
    lines = wrapped(f"{d.start} to {last}, mean {d.mean:.10g}, sd {d.std:.6g}", width, indent)
    lines += wrapped(f"quantiles {quantiles}", width, indent)
    if d.truncated_mass:
        lines += wrapped(f"without the {d.truncated_mass:.2g} that exploding dice have beyond their cut", width, indent)
    return lines


def _comparison(d: Discrete, other: Discrete, names: tuple[str, ...], width: int) -> list[str]:
    first, second = names
    rows = [
        (f"{first} is higher", prob_greater(d, other)),
        ("both are equal", prob_equal(d, other)),
        (f"{second} is higher", prob_greater(other, d)),
    ]
    texts = [percent(float(p), math.log(p) if p > 0 else -math.inf) for _, p in rows]
    room = max(map(len, texts))
    return [shortened(f"{text:>{room}}  {name}", width) for (name, _), text in zip(rows, texts, strict=True)]


def _bins(variables: list[Discrete], rows: int) -> list[tuple[int, int]]:
    """First and last outcome of every line."""
    start, last = min(d.start for d in variables), max(d.start + len(d.probs) - 1 for d in variables)
    if last - start < rows:
        return [(k, k) for k in range(start, last + 1)]
    low = min(int(d.quantile(1e-5)) for d in variables)
    high = max(int(d.quantile(1 - 1e-5)) for d in variables)
    step = -(-(high - low + 1) // (rows - 2))
    bins = [(first, min(first + step - 1, high)) for first in range(low, high + 1, step)]
    below, above = [(start, low - 1)] if low > start else [], [(high + 1, last)] if high < last else []
    return below + bins + above


def _probability(d: Discrete, first: int, last: int) -> tuple[float, float]:
    """Probability of a line, and its logarithm."""
    if first == last:
        return float(d.prob(first)), float(d.log_prob(first))
    if first <= d.start:
        return float(d.cdf(last)), float(d.log_cdf(last))
    if last >= d.start + len(d.probs) - 1:
        return float(d.sf(first - 1)), float(d.log_sf(first - 1))
    p = float(d.prob_between(first, last))
    return p, math.log(p) if p > 0 else -math.inf
