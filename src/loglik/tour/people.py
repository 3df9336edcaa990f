"""Chapter 1: a Gaussian for people's height and weight."""

from typing import Any

import numpy as np

from loglik.tour._text import Style, scatter, table

TITLE = "People: how likely is a body?"

QUESTION = """\
Height and weight of 507 people. Fit a two-dimensional Gaussian by maximum likelihood.
How likely are the people under it, what is the correlation worth, and who is most unusual?"""

CODE = """\
body = load_body()
x = np.column_stack([body.height, body.weight])
people = ll.MultivariateNormal(x.mean(axis=0), np.cov(x.T, ddof=0))
log_prob = people.log_prob(x)
alone = ll.Normal(x.mean(axis=0), x.std(axis=0)).log_prob(x).sum()  # as if independent"""

UNUSUAL = 5


def show(v: dict[str, Any], style: Style) -> list[str]:
    x, body, log_prob = v["x"], v["body"], v["log_prob"]
    mean, covariance = x.mean(axis=0), np.cov(x.T, ddof=0)
    std = np.sqrt(np.diagonal(covariance))
    correlation = covariance[0, 1] / std.prod()
    total, gain = float(log_prob.sum()), float(log_prob.sum() - v["alone"])
    # In two dimensions exp(log p(x) - log p(mean)) is the probability of a point less likely than x.
    rarer = np.exp(log_prob - v["people"].log_prob(mean))
    order = np.argsort(log_prob)[:UNUSUAL]
    letters = dict(zip("ABCDE", order, strict=True))

    lines = [
        f"  height  {mean[0]:6.1f} cm ± {std[0]:4.1f}      weight  {mean[1]:5.1f} kg ± {std[1]:4.1f}      "
        f"correlation {correlation:.3f}",
        f"  log-likelihood  {total:.2f} nats, {total / len(x):.3f} per person",
        f"  without the correlation it would be {gain:.2f} nats lower "
        f"(-n/2 log(1 - r²) = {-len(x) / 2 * np.log1p(-(correlation**2)):.2f})",
        "",
        "  The most unusual people, and the chance that somebody drawn from the Gaussian is as unusual:",
        "",
    ]
    lines += table(
        ("", "sex", "age", "height cm", "weight kg", "log density", "chance"),
        (
            (
                letter,
                "male" if body.male[i] else "female",
                f"{body.age[i]:.0f}",
                f"{x[i, 0]:.1f}",
                f"{x[i, 1]:.1f}",
                f"{log_prob[i]:.3f}",
                f"1 in {1 / rarer[i]:,.0f}",
            )
            for letter, i in letters.items()
        ),
        left=2,
    )
    drawing = scatter(x[:, 0], x[:, 1], {letter: int(i) for letter, i in letters.items()})
    lines += ["", f"    {x[:, 1].max():.0f} kg"]
    lines += ["    |" + line.rstrip() for line in drawing]
    lines += [
        f"    {x[:, 1].min():.0f} kg" + "-" * 59,
        f"     {x[:, 0].min():.0f} cm" + f"{x[:, 0].max():.0f} cm".rjust(58),
    ]
    return lines
