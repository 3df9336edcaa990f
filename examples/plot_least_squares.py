"""
Least squares is maximum likelihood
===================================

Gaussian noise of a fixed size makes the squared error a likelihood: both curves have the same minimum, and one is the other
times a constant plus a constant.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# A line with noise of standard deviation :math:`\sigma`, and its slope as the only unknown.

rng = np.random.default_rng(3)
sigma, true_slope, m = 0.8, 1.5, 40
x = np.linspace(0, 4, m)
y = true_slope * x + ll.Normal(0.0, sigma).sample(m, rng=rng)

slopes = np.linspace(0.5, 2.5, 201)
predictions = slopes[:, None] * x
sse = ((y - predictions) ** 2).sum(axis=1)
nll = ll.gaussian_nll(y, mean=predictions, scale=sigma, reduction="sum", axis=1)

# %%
# The identity, exactly: :math:`\mathrm{NLL} = \mathrm{SSE}/(2\sigma^2) + m\log\sigma + \tfrac m2\log 2\pi`.

right_side = sse / (2 * sigma**2) + m * np.log(sigma) + m / 2 * np.log(2 * np.pi)
print(f"largest relative difference: {np.abs(nll / right_side - 1).max():.1e}")

fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
best = slopes[nll.argmin()]
left.plot(x, y, "o", markersize=4, color="C4", label="data")
left.plot(x, best * x, color="C1", label=f"slope {best:.2f}")
left.fill_between(x, best * x - sigma, best * x + sigma, color="C1", alpha=0.2, label="± σ")
left.set(xlabel="x", ylabel="y", title="A line and its noise")
left.legend(loc="upper left")

right.plot(slopes, nll, color="C0", label="negative log-likelihood")
right.set(xlabel="slope", ylabel="NLL (nats)", title="The same minimum")
other = right.twinx()
other.plot(slopes, sse, color="C1", linestyle="--", label="sum of squares")
other.set(ylabel="SSE")
other.spines.right.set_visible(True)
other.grid(False)
right.axvline(slopes[sse.argmin()], color="0.5", linewidth=1)
fig.legend(handles=[*right.lines[:1], *other.lines], loc="outside upper right", ncols=2)

# %%
# The gradient in the mean is minus the residual over :math:`\sigma^2`; with it, one step of Newton's method is linear
# regression.

_, gradient = ll.gaussian_nll(y, mean=0.0 * x, scale=sigma, reduction="sum", wrt="mean")
print("slope by one Newton step from 0:", -(gradient @ x) / (x @ x / sigma**2))
print("slope by linear regression:     ", (x @ y) / (x @ x))
plt.show()
