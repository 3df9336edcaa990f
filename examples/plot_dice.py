"""
One die, two dice, many: the central limit theorem
==================================================

The sum of n dice, exactly, beside the Normal distribution with the same mean and variance.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# One die is flat, two make a triangle, three already bend. The probabilities are exact: nothing is simulated.

fig, axes = plt.subplots(2, 3, figsize=(8.4, 4.6))
for ax, n in zip(axes.flat, (1, 2, 3, 5, 10, 100), strict=True):
    total = ll.dice(n, 6)
    normal = total.normal_approximation()
    x = np.linspace(total.mean - 3.5 * total.std, total.mean + 3.5 * total.std, 400)
    ax.bar(total.support, total.probs, width=1.0, color="C4", ec="white", lw=min(0.4, 4 / n))
    ax.plot(x, normal.prob(x), color="C1")
    ax.set(title=f"{n} {'die' if n == 1 else 'dice'}", xlim=x[[0, -1]])
for ax in axes[1]:
    ax.set_xlabel("total shown")
for ax in axes[:, 0]:
    ax.set_ylabel("probability")
first = axes[0, 0]
first.legend([first.containers[0], first.lines[0]], ["exact", "Normal"], loc="upper left")
first.set_ylim(0, 0.33)

# %%
# How near? :meth:`~loglik.Discrete.distance_to_normal` has four answers. Kolmogorov's distance, the largest gap between the
# distribution functions, falls like :math:`n^{-1/2}`: a staircase cannot come nearer to a smooth curve than half a step.
# Against the Normal rounded to whole numbers, the total variation falls like :math:`1/n` and the divergence like
# :math:`1/n^2`, because a fair die is symmetric.

numbers = np.unique(np.geomspace(1, 3000, 25).astype(int))
distances = [ll.dice(int(n), 6).distance_to_normal() for n in numbers]

fig, ax = plt.subplots()
for name, label, power in (
    ("kolmogorov", "Kolmogorov", -0.5),
    ("total_variation", "total variation", -1.0),
    ("kl", "KL divergence (nats)", -2.0),
):
    values = np.array([getattr(d, name) for d in distances])
    (line,) = ax.loglog(numbers, values, "o", markersize=4, label=label)
    slope = values[-1] * (numbers / numbers[-1]) ** power
    ax.loglog(numbers, slope, color=line.get_color(), linewidth=1, alpha=0.6)
    ax.text(1.1 * numbers[-1], values[-1], f"$n^{{{power:g}}}$", va="center")
ax.set(xlabel="number of dice", ylabel="distance to the Normal")
ax.set_title("How fast the bell curve comes")
ax.legend()

# %%
# The limit theorem is about the middle. Far out the Normal is wrong by any factor, and the exact answer counts: the chance
# of 500 or more with 100 dice, and the logarithm of that of ten thousand ones, which is no floating-point number.

hundred = ll.dice(100, 6)
print(f"{hundred.sf(499):.3g} exact, {hundred.normal_approximation().sf(499.5):.3g} by the Normal")
print(ll.dice(10_000, 6).log_prob(10_000))
plt.show()
