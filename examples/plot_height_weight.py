"""
Height and weight: a Gaussian in two dimensions
===============================================

Marginal and conditional distributions of real people, and what their correlation is worth.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll
from loglik.data import load_body

# %%
# The most likely mean and covariance of 507 people are those of the data.

body = load_body()
x = np.column_stack([body.height, body.weight])
people = ll.MultivariateNormal.fit(x)
rho = people.correlation[0, 1]
print(f"mean {people.loc.round(1)}, std {people.std.round(1)}, correlation {rho:.3f}")

# %%
# Points of equal density are ellipses: those at Mahalanobis distance 1, 2 and 3. Projecting a coordinate out gives the
# marginals beside the axes. Given a height the weight is normal again, with mean
# :math:`\mu_w + \rho\,\sigma_w (h - \mu_h)/\sigma_h` on a line and the smaller standard deviation
# :math:`\sigma_w\sqrt{1 - \rho^2}`.

h, w = np.linspace(140, 205, 200), np.linspace(25, 120, 200)
grid = np.stack(np.meshgrid(h, w), axis=-1)
weight = people.condition({0: h})  # one distribution for each height
mean, std = weight.mean[:, 0], weight.std[:, 0]

ratios = {"width_ratios": (4, 1), "height_ratios": (1, 4)}
fig, axes = plt.subplots(2, 2, figsize=(7.2, 6.2), sharex="col", sharey="row", **ratios)
top, main, right = axes[0, 0], axes[1, 0], axes[1, 1]
axes[0, 1].set_axis_off()
main.scatter(*x[~body.male].T, s=8, color="C1", alpha=0.5, label="women")
main.scatter(*x[body.male].T, s=8, color="C0", alpha=0.5, label="men")
main.contour(h, w, people.mahalanobis(grid), levels=(1, 2, 3), colors="black", linewidths=1.2)
main.plot(h, mean, color="C2", label="weight given height")
main.fill_between(h, mean - std, mean + std, color="C2", alpha=0.2)
main.set(xlabel="height (cm)", ylabel="weight (kg)", xlim=h[[0, -1]], ylim=w[[0, -1]])
main.legend(loc="upper left")
for ax, i, values, orientation in ((top, 0, h, "vertical"), (right, 1, w, "horizontal")):
    density = people.marginal([i]).prob(values[:, None])
    ax.hist(x[:, i], bins=25, density=True, orientation=orientation, color="C4")
    ax.plot(*((values, density) if i == 0 else (density, values)), color="black", linewidth=1.5)
top.set(ylabel="density", title="Height and weight of 507 people")
right.set_xlabel("density")

# %%
# What is the correlation worth? The log-likelihood of the people with it and without it differ by
# :math:`-\tfrac n2 \log(1 - \rho^2)`.

alone = ll.Normal(people.loc, people.std).log_prob(x).sum()
gain = people.log_prob(x).sum() - alone
print(f"{gain:.3f} nats; -n/2 log(1 - rho²) = {-len(x) / 2 * np.log1p(-(rho**2)):.3f}")
plt.show()
