"""
Probability, expectation and variance of five distributions
===========================================================

A probability is an area under a density or a sum of bars; the expectation is where it balances, the standard deviation how
far it spreads.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# Two with densities, two with probabilities. The shaded part is :math:`P(a < X \le b)`, the line the mean and the bar
# below it one standard deviation to each side.

x = np.linspace(-4.5, 7.5, 600)
fig, axes = plt.subplots(2, 2, figsize=(8.0, 5.6))
families = {
    "Uniform(-1, 3)": (ll.Uniform(-1.0, 3.0), 0.0, 2.0),
    "Normal(1, 2)": (ll.Normal(1.0, 2.0), 0.0, 2.0),
    "Bernoulli(0.8)": (ll.Bernoulli(0.8), 0.0, 1.0),
    'dice("2d6")': (ll.dice("2d6"), 3.0, 7.0),
}
for ax, (name, (p, a, b)) in zip(axes.flat, families.items(), strict=True):
    if name.startswith(("Uniform", "Normal")):
        ax.plot(x, p.prob(x))
        ax.fill_between(x, p.prob(x), where=(a < x) & (x <= b), color="C4", alpha=0.5)
        ax.set_ylabel("density")
    else:
        k = np.arange(2) if name.startswith("Bernoulli") else p.support
        colours = np.where((a < k) & (k <= b), "C4", "C0")
        ax.bar(k, p.prob(k), width=0.5, color=colours)
        ax.set(ylabel="probability", xticks=k)
    top = ax.get_ylim()[1]
    ax.axvline(p.mean, color="C1", linewidth=1.5)
    ax.errorbar(p.mean, -0.06 * top, xerr=p.std, color="C1", capsize=3)
    inside = f"P({a:g} < X ≤ {b:g}) = {p.cdf(b) - p.cdf(a):.4f}"
    ax.set_title(f"{name}: mean {p.mean:.3g}, std {p.std:.3g}\n{inside}")
    ax.set(xlabel="x", ylim=(-0.12 * top, top))

# %%
# The variance is an expectation. :math:`E[X^2] - E[X]^2` is the same number on paper, and never the way to compute it:
# far from zero both terms are large, and their difference keeps none of its digits.

far = ll.dice(2, 6) + 1_000_000_000
square = far.expect(lambda k: k**2) - far.expect(lambda k: k) ** 2
print(f"variance of 2d6 + 10⁹: {far.variance:.6f}")
print(f"as E[X²] - E[X]²: {square:.1f}")

# %%
# The fifth is the multivariate normal distribution: :doc:`plot_height_weight`.

plt.show()
