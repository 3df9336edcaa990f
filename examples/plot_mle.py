"""
Maximum likelihood: the surface of four numbers
===============================================

Which normal distribution makes -1, 0, 1, 2 most likely?
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# The likelihood of independent observations is a product of densities; in practice the sum of their logarithms,
#
# .. math:: \log L(\mu, \sigma) = -\tfrac12 \sum_i \Big(\frac{x_i - \mu}{\sigma}\Big)^2 - m\log\sigma - \tfrac m2 \log 2\pi .

x = np.array([-1.0, 0.0, 1.0, 2.0])
print("log L(0, 1) =", ll.Normal(0.0, 1.0).log_prob(x).sum())
fitted = ll.Normal.fit(x)  # the maximum: mean 1/2, variance 5/4
mu, sigma, best = fitted.loc, fitted.scale, fitted.fit_report.log_likelihood
print(f"log L({mu}, √{x.var()}) = {best}")

# %%
# All parameters at once: a batch of :class:`~loglik.Normal` and one more axis for the data.

m, s = np.linspace(-2, 3, 300), np.linspace(0.45, 3.5, 300)
surface = ll.Normal(m[None, :], s[:, None]).log_prob(x[:, None, None]).sum(axis=0)

fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), width_ratios=(3, 2))
below = best - surface
levels = [0, 0.5, 1, 2, 4, 8, 16, 32]
filled = left.contourf(m, s, below, levels=levels, cmap="cividis_r", extend="max")
left.contour(m, s, below, levels=levels, colors="white", linewidths=0.6)
left.plot(mu, sigma, "o", color="C1", label="maximum")
left.plot(0, 1, "s", color="white", markeredgecolor="black", label="μ = 0, σ = 1")
left.set(xlabel="μ", ylabel="σ", title="Nats below the maximum")
left.legend(loc="upper right", frameon=True)
fig.colorbar(filled, ax=left, label="log L(max) - log L(μ, σ)")

t = np.linspace(-4, 5, 300)
right.plot(t, ll.Normal(0.0, 1.0).prob(t), color="0.6", label="μ = 0, σ = 1")
right.plot(t, fitted.prob(t), color="C1", label="most likely")
right.plot(x, np.zeros(4), "ko", clip_on=False, label="data")
right.set(xlabel="x", ylabel="density", title="The two distributions", ylim=(0, 0.55))
right.legend(loc="upper left")

# %%
# The gradient of the log-likelihood comes in the same pass; at the maximum it is zero.

value, (by_mu, by_sigma) = fitted.log_prob(x, wrt=("loc", "scale"))
print(f"gradient at the maximum: {by_mu:.1e}, {by_sigma:.1e}")
plt.show()
