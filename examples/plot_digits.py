"""
Digits: a Bernoulli for every pixel
===================================

Fit a distribution to images, score new images with it, and draw new images from it.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll
from loglik.data import load_digits

# %%
# 1,797 images of 8 × 8 pixels, ink or paper. Every pixel of every class is a Bernoulli variable; a Beta(2, 2) prior, worth
# one blank and one black image more in each class, keeps the probabilities off 0 and 1.

digits = load_digits()
ink, labels = (digits.images >= 8).astype(float), digits.labels
learn, test = slice(0, 898), slice(898, None)
seen = [ink[learn][labels[learn] == k] for k in range(10)]
prior = ll.priors.Beta(2.0, 2.0)
probs = np.stack([ll.Bernoulli.fit(s, prior=prior, axis=0).probs for s in seen])  # (class, row, column)

# %%
# Images are independent, and so are pixels given the class: log-likelihoods add. One call scores every image under every
# class; the class that makes it most likely is the guess.

pixels = (-2, -1)
nll = ll.bernoulli_nll(ink[test][:, None], probs=probs, reduction="sum", axis=pixels)
guess = nll.argmin(axis=1)
right = guess == labels[test]
own = nll[np.arange(len(nll)), labels[test]]
print(f"{right.mean():.1%} of {len(right)} new images right")
print(f"{own.mean():.2f} nats for an image under its own class")

# %%
# Fitted probabilities, an image of each class drawn from them, and the training image that is least likely.

new = ll.Bernoulli(probs).sample(rng=7)
odd = []
for images, p in zip(seen, probs, strict=True):
    odd.append(images[ll.bernoulli_nll(images, probs=p, reduction="sum", axis=pixels).argmax()])
fig, axes = plt.subplots(3, 10, figsize=(8.4, 3.0))
for row, images in zip(axes, (probs, new, odd), strict=True):
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image, cmap="Greys", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
for ax, text in zip(axes[:, 0], ("probability\nof ink", "drawn", "least\nlikely"), strict=True):
    ax.set_ylabel(text, rotation=0, ha="right", va="center")
for k, ax in enumerate(axes[0]):
    ax.set_title(k, loc="center")

# %%
# How far an image is from its class, in nats, for those that are recognised and those that are not.

fig, ax = plt.subplots(figsize=(7.2, 3.2))
bins = np.arange(5, 56, 2.5)
kinds = {"color": ["C4", "C1"], "label": ["recognised", "mistaken"]}
ax.hist([own[right], own[~right]], bins=bins, stacked=True, **kinds)
ax.set(xlabel="negative log-likelihood under its own class (nats)", ylabel="images")
ax.set_title("New images")
ax.legend()
plt.show()
