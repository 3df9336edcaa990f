"""Chapter 4: sums of dice become Normal."""

from typing import Any

import numpy as np

from loglik.tour._text import Style, beside, columns, table

TITLE = "Dice: from 1 to 100, towards the Normal"

QUESTION = """\
The sum of n dice, exactly, beside the Normal of the same mean and variance. How fast do they meet?
(Distance: half the sum of |P(k) - density(k)| over all sums k.)"""

CODE = """\
sums = {n: ll.dice(n, 6) for n in (1, 2, 3, 5, 10, 20, 50, 100)}
normals = {n: d.normal_approximation() for n, d in sums.items()}
error = {n: sums[n].probs - normals[n].prob(sums[n].support) for n in sums}
distance = {n: np.abs(error[n]).sum() / 2 for n in sums}
all_ones = ll.dice(1000, 6).log_probs[0]  # the chance is 6**-1000, far below the smallest float"""

DRAWN, BARS, HEIGHT = (1, 2, 3, 10, 100), 15, 5


def show(v: dict[str, Any], style: Style) -> list[str]:
    sums, distance = v["sums"], v["distance"]
    largest = max(distance.values())
    lines = table(
        ("dice", "mean", "std", "most likely", "its chance", "distance", "distance x n"),
        (
            (
                str(n),
                f"{float(d.mean):.1f}",
                f"{float(d.std):.3f}",
                str(int(d.support[np.argmax(d.probs)])),
                f"{float(d.probs.max()):.5f}",
                f"{distance[n]:.5f}",
                f"{distance[n] * n:.3f}",
            )
            for n, d in sums.items()
        ),
    )
    lines += ["", "  The distance halves when the number of dice doubles:", ""]
    lines += [f"    {n:>4}  {'█' * round(60 * distance[n] / largest) or '▏'}" for n in sums]
    lines += ["", "  The probabilities, over four standard deviations:", ""]
    lines += beside([[*_bars(sums[n]), f"n = {n}".center(BARS)] for n in DRAWN])
    lines += [
        "",
        f"  log P(1000 dice all show 1) = {float(v['all_ones']):.6f}; -1000 log 6 = {-1000 * np.log(6):.6f}",
    ]
    return lines


def _bars(d: Any) -> list[str]:
    """Bars of the probability in cells of equal width around the mean, up to two standard deviations away."""
    edges = float(d.mean) + float(d.std) * np.linspace(-2, 2, BARS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    nearest = np.clip(np.rint(centres - d.support[0]).astype(int), 0, len(d.probs) - 1)
    return columns(d.probs[nearest], HEIGHT)
