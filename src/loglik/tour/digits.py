"""Chapter 2: Bernoulli likelihoods of handwritten digits."""

from typing import Any

import numpy as np

from loglik.tour._text import Style, beside, image, table

TITLE = "Digits: a Bernoulli for every pixel"

QUESTION = """\
1,797 handwritten digits, 8x8 pixels, ink (1) or paper (0). Every pixel of every class is a
Bernoulli variable; a Beta(1, 1) prior (as if a blank and a black image had been seen) keeps the
probabilities off 0 and 1. Learn from the first half: which class makes an image of the second
half most likely?"""

CODE = """\
digits = load_digits()
ink, labels = (digits.images >= 8).reshape(-1, 64).astype(float), digits.labels
learn, test = slice(0, 898), slice(898, None)
seen = [ink[learn][labels[learn] == k] for k in range(10)]
probs = np.stack([(s.sum(axis=0) + 1) / (len(s) + 2) for s in seen])
nll = ll.bernoulli_nll(ink[test, None], probs=probs, reduction="sum", axis=-1)  # (image, class)
guess = nll.argmin(axis=1)"""


def show(v: dict[str, Any], style: Style) -> list[str]:
    nll, guess, probs, truth = v["nll"], v["guess"], v["probs"], v["labels"][v["test"]]
    ink = v["ink"][v["test"]].reshape(-1, 8, 8)
    own = nll[np.arange(len(nll)), truth]
    right = guess == truth
    # Normalised over the classes, with equal prior: how sure the winner is.
    evidence = np.exp(nll.min(axis=1, keepdims=True) - nll).sum(axis=1)

    lines = ["  What was learned: the probability of ink, for each class", ""]
    pictures = [image(p.reshape(8, 8)) for p in probs]
    lines += [*beside(pictures[:5]), "", *beside(pictures[5:])]
    lines += [
        "",
        f"  accuracy on {len(truth)} new images: {right.mean():.1%} ({int((~right).sum())} wrong; "
        "guessing would be right in 10%)",
        f"  negative log-likelihood of an image under its own class: {own.mean():.2f} nats "
        f"({own.mean() / np.log(2) / 64:.3f} bits per pixel)",
        "",
    ]
    counts = [np.sum(truth == k) for k in range(10)]
    lines += table(
        ("class", *map(str, range(10))),
        (
            ("images", *(str(n) for n in counts)),
            ("right, %", *(f"{100 * right[truth == k].mean():.0f}" for k in range(10))),
            ("mean NLL", *(f"{own[truth == k].mean():.1f}" for k in range(10))),
        ),
    )
    best, worst = int(np.argmin(own)), int(np.argmax(own))
    candidate = ~right & (np.arange(len(right)) != worst)
    mistake = int(np.argmax(np.where(candidate, -evidence, -np.inf)))
    blocks = []
    for name, i in (("most likely", best), ("least likely", worst), ("surest mistake", mistake)):
        caption = [f"a {truth[i]}, taken for {guess[i]}", f"NLL {own[i]:.2f} nats"]
        blocks.append([name, *image(ink[i]), *caption])
    return [*lines, "", *beside(blocks, gap="        ")]
