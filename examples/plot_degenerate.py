"""
Perfect correlation: when there is no density
=============================================

As the correlation of two variables goes to 1 their ellipse becomes a line, its area goes to 0 and the density to infinity.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# The same two variances, three correlations. The area of the ellipse is :math:`\pi\sqrt{|\Sigma|}`, and
# :math:`|\Sigma| = \sigma_1^2\sigma_2^2(1 - \rho^2)`.

rng = np.random.default_rng(1)
angle = np.linspace(0, 2 * np.pi, 200)
circle = np.column_stack([np.cos(angle), np.sin(angle)])

fig, axes = plt.subplots(1, 3, figsize=(8.4, 3.2), sharey=True)
for ax, rho in zip(axes, (0.0, 0.9, 1.0), strict=True):
    p = ll.MultivariateNormal([0.0, 0.0], [[1.0, rho], [rho, 1.0]], allow_singular=True)
    ax.scatter(*p.sample(300, rng=rng).T, s=6, color="C4")
    ax.plot(*(2 * circle @ p.scale_tril.T).T, color="C1")
    ax.set(title=f"ρ = {rho:g}, rank {p.rank}", xlabel="$x_1$", aspect="equal")
    ax.set(xlim=(-3.6, 3.6), ylim=(-3.6, 3.6))
axes[0].set_ylabel("$x_2$")

# %%
# At :math:`\rho = 1` the mass lies on a line. That is an error by default: a density in the plane does not exist, and its
# formula would divide by zero.

try:
    ll.MultivariateNormal([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]])
except np.linalg.LinAlgError as error:
    print(error)

# %%
# With ``allow_singular=True`` it is the density on the line, and zero beside it. Along the line the standard deviation is
# :math:`\sqrt 2`.

line = ll.MultivariateNormal([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], allow_singular=True)
print(line.log_prob([[1.0, 1.0], [1.0, 2.0]]))
print(ll.Normal(0.0, np.sqrt(2)).log_prob(np.sqrt(2)))

# %%
# On the way there, digits go before the density does: the error bound grows with the condition number
# :math:`(1 + \rho)/(1 - \rho)`, and a warning says so where it matters.

gap = np.logspace(0, -11, 60)
close = ll.MultivariateNormal(np.zeros(2), [[[1.0, 1 - g], [1 - g, 1.0]] for g in gap])
fig, ax = plt.subplots()
ax.loglog(gap, close.prob([0.0, 0.0]), label="density at the mean")
ax.loglog(gap, close.condition_number, label="condition number")
ax.invert_xaxis()
ax.set(xlabel="1 - ρ", ylabel="value", title="Nearly degenerate")
ax.legend()
plt.show()
