"""Chapter 3: how far apart are two classes of digits?"""

from typing import Any

import numpy as np

from loglik.tour._text import Style, table

TITLE = "Divergence: from 3 to 8 is not from 8 to 3"

QUESTION = """\
Fit a Gaussian in 64 dimensions to the pixels of the 3s and one to the 8s (grey levels 0 to 16; a
variance of 1 is added to each pixel: some never change, and a density needs a positive definite
covariance). How many nats does an image give away about its class? By formula, and by sampling."""

CODE = """\
grey = digits.images.reshape(-1, 64).astype(float)
def fit(x):
    return ll.MultivariateNormal(x.mean(axis=0), np.cov(x.T) + np.eye(64))
three, eight = fit(grey[labels == 3]), fit(grey[labels == 8])
pairs = (three, eight), (eight, three)
exact = [ll.kl_divergence(p, q) for p, q in pairs]
sampled = [ll.estimate_kl(p, q, n=100_000, rng=1) for p, q in pairs]"""


def show(v: dict[str, Any], style: Style) -> list[str]:
    rows = []
    for name, exact, e in zip(("KL(3 to 8)", "KL(8 to 3)"), v["exact"], v["sampled"], strict=True):
        inside = e.low <= exact <= e.high
        rows.append(
            (
                name,
                f"{exact:.4f}",
                f"{e.value:.4f}",
                f"{e.stderr:.4f}",
                f"{e.low:.3f} to {e.high:.3f}",
                "inside" if inside else "outside",
            )
        )
    lines = table(("nats", "formula", "samples", "std error", "95 % interval", "formula is"), rows)
    lines += [
        "",
        "  (A 95 % interval misses in 5 of 100 runs; rng=1 makes this one repeatable.)",
        "",
        "  All pairs by the formula, from row to column:",
        "",
    ]
    fits = [v["fit"](v["grey"][v["labels"] == k]) for k in range(10)]
    kl = np.array([[float(v["ll"].kl_divergence(p, q)) for q in fits] for p in fits])
    lines += table(("", *map(str, range(10))), ((str(i), *(f"{x:.0f}" for x in kl[i])) for i in range(10)))
    both = kl + kl.T
    np.fill_diagonal(both, np.inf)
    i, j = np.unravel_index(np.argmin(both), both.shape)
    np.fill_diagonal(both, -np.inf)
    a, b = np.unravel_index(np.argmax(both), both.shape)
    lines += ["", f"  Both directions together, {i} and {j} are most alike, {a} and {b} least."]
    return lines
