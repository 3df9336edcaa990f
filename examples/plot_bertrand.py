"""
Bertrand's paradox: what is a random chord?
===========================================

Three ways to draw a chord of a circle "at random", three answers to the same question: how likely is it longer than the side
of the inscribed triangle? A probability needs a distribution to be taken from.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# Two endpoints on the circle; a point on a radius, with the chord across it; or a point in the disc as the midpoint.

n, side = 200_000, np.sqrt(3)
rng = np.random.default_rng(5)
angle, unit = ll.Uniform(0.0, 2 * np.pi), ll.Uniform(0.0, 1.0)
half_angle = np.abs(angle.sample(n, rng=rng) - angle.sample(n, rng=rng)) / 2
distances = {  # of the chord from the centre
    "endpoints": np.abs(np.cos(half_angle)),
    "radius": unit.sample(n, rng=rng),
    "midpoint": np.sqrt(unit.sample(n, rng=rng)),
}
lengths = {name: 2 * np.sqrt(1 - d**2) for name, d in distances.items()}
answers = {  # share, mean length
    "endpoints": (1 / 3, 4 / np.pi),
    "radius": (1 / 2, np.pi / 2),
    "midpoint": (1 / 4, 4 / 3),
}

# %%
# The shares with their standard errors, beside the exact answers.

for name, (share, mean) in answers.items():
    longer, length = lengths[name] > side, lengths[name]
    print(f"random {name}:")
    print(f"  P(longer)   {longer.mean():.4f} ± {longer.std() / np.sqrt(n):.4f} (exactly {share:.4f})")
    print(f"  mean length {length.mean():.4f} ± {length.std() / np.sqrt(n):.4f} (exactly {mean:.4f})")

# %%
# A hundred chords of each kind, those longer than the side in the darker colour, and the estimate as chords are added.

turn = angle.sample(100, rng=rng)
circle = np.linspace(0, 2 * np.pi, 200)
fig, axes = plt.subplots(2, 3, figsize=(8.4, 5.6), height_ratios=(3, 2), sharey="row")
numbers = np.unique(np.geomspace(50, n, 12).astype(int))
for (top, bottom), (name, d) in zip(axes.T, distances.items(), strict=True):
    half = np.arccos(d[:100])
    for i in range(100):
        ends = turn[i] + half[i] * np.array([-1, 1])
        colour, front = ("C0", 2) if lengths[name][i] > side else ("C3", 1)
        top.plot(np.cos(ends), np.sin(ends), color=colour, linewidth=0.7, zorder=front)
    top.plot(np.cos(circle), np.sin(circle), color="black", linewidth=1)
    top.set(title=f"random {name}", aspect="equal", xticks=[], yticks=[])
    top.set_axis_off()
    share = np.array([(lengths[name][:k] > side).mean() for k in numbers])
    error = np.sqrt(share * (1 - share) / numbers)
    bottom.errorbar(numbers, share, 2 * error, fmt="o", markersize=3, capsize=2)
    bottom.axhline(answers[name][0], color="C1", linewidth=1.2)
    bottom.set(xscale="log", xlabel="chords", ylim=(0.05, 0.7))
axes[1, 0].set_ylabel("share longer, ± 2 se")
plt.show()
