"""Dice: `die`, `dice`, and a table of a distribution as text."""

import math

from loglik._notation import parse
from loglik.distributions.discrete import Discrete, _integer

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
    error of at most 8·s·k·2⁻⁵³ for k dice kept.

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
        return parse(n)
    if sides is None:
        _integer("dice", "n", n)
        raise TypeError('dice: sides is missing; write dice(3, 6) or dice("3d6")')
    n, sides = _integer("dice", "n", n), _integer("dice", "sides", sides)
    if n < 0:
        raise ValueError(f"dice: n must be at least 0, got {n}")
    if sides < 1:
        raise ValueError(f"dice: sides must be at least 1, got {sides}")
    return Discrete._from_dice(n, sides)


# ---------------------------------------------------------------------------------------- as text

_EIGHTHS = " ▏▎▍▌▋▊▉"


def render(d: Discrete, *, width: int = 78, rows: int = 40, ascii_only: bool = False) -> str:
    """Table of outcomes, probabilities and bars, with mean and standard deviation, as text.

    Parameters
    ----------
    d : Discrete
    width : int
        Columns of the text, at least 60.
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
    <BLANKLINE>
    2   6.2500 %  ############
    3  12.5000 %  #######################
    4  18.7500 %  ##################################
    5  25.0000 %  ##############################################
    6  18.7500 %  ##################################
    7  12.5000 %  #######################
    8   6.2500 %  ############
    """
    width, rows = max(width, 60), max(rows, 5)
    lines = _lines(d, rows)
    lowest, highest = d.start, d.start + len(d.probs) - 1
    head = f"{lowest} to {highest}, mean {d.mean:.10g}, sd {d.std:.6g}"
    labels, texts = [line[0] for line in lines], [_percent(*line[1:]) for line in lines]
    label_width, text_width = max(map(len, labels)), max(map(len, texts))
    room = width - label_width - text_width - 4
    most = max(probability for _, probability, _ in lines)
    bars = [_bar(probability / most * room, ascii_only) for _, probability, _ in lines]
    table = [
        f"{label:>{label_width}}  {text:>{text_width}}  {bar}".rstrip()
        for label, text, bar in zip(labels, texts, bars, strict=True)
    ]
    return "\n".join([head, "", *table])


def _lines(d: Discrete, rows: int) -> list[tuple[str, float, float]]:
    """(label, probability, its logarithm) of every line."""
    if len(d.probs) <= rows:
        return [
            (str(outcome), float(p), float(log_p))
            for outcome, p, log_p in zip(d.support.tolist(), d.probs, d.log_probs, strict=True)
        ]
    last = d.start + len(d.probs) - 1
    low, high = int(d.quantile(1e-5)), int(d.quantile(1 - 1e-5))
    step = -(-(high - low + 1) // (rows - 2))
    lines = []
    if low > d.start:
        lines.append((f"{d.start}..{low - 1}", float(d.cdf(low - 1)), float(d.log_cdf(low - 1))))
    for first in range(low, high + 1, step):
        end = min(first + step - 1, high)
        p = float(d.prob_between(first, end))
        lines.append(
            (f"{first}..{end}" if end > first else str(first), p, math.log(p) if p > 0 else -math.inf)
        )
    if high < last:
        lines.append((f"{high + 1}..{last}", float(d.sf(high)), float(d.log_sf(high))))
    return lines


def _percent(probability: float, log_probability: float) -> str:
    """Four decimals of a percentage, or a power of ten where that would show next to nothing."""
    if probability >= 1e-5 or log_probability == -math.inf:
        return f"{100 * probability:.4f} %"
    if probability >= 1e-290:
        return f"{100 * probability:.2e} %"
    exponent = log_probability / math.log(10) + 2
    return f"{10 ** (exponent % 1):.2f}e{math.floor(exponent)} %"


def _bar(length: float, ascii_only: bool) -> str:
    if ascii_only:
        return "#" * round(length)
    eighths = round(8 * length)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
