"""
Maximum likelihood minimises a divergence
=========================================

The mean negative log-likelihood of data and the divergence from their distribution differ by a constant, the entropy of the
data: whoever minimises one minimises the other.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# The data are rolls of a loaded die; the models have one parameter, the probability of a six.

loaded = ll.Discrete([0.1, 0.1, 0.1, 0.1, 0.1, 0.5], start=1)
rolls = loaded.sample(500, rng=4)
observed = np.bincount(rolls, minlength=7)[1:] / len(rolls)
data = ll.Discrete(observed, start=1)

six = np.linspace(0.05, 0.95, 181)
models = [ll.Discrete([*[(1 - s) / 5] * 5, s], start=1) for s in six]
nll = np.array([-m.log_prob(rolls).mean() for m in models])
kl = np.array([ll.kl_divergence(data, m) for m in models])

# %%
# Mean NLL = KL(data ‖ model) + entropy of the data, for every model.

print(f"difference: {(nll - kl).min():.12f} to {(nll - kl).max():.12f}")
print(f"entropy of the data: {data.entropy():.12f}")

fig, ax = plt.subplots()
ax.plot(six, nll, label="mean negative log-likelihood")
ax.plot(six, kl, color="C1", label="KL(data ‖ model)")
i = 30
arrow = {"arrowstyle": "<->", "color": "0.4"}
ax.annotate("", (six[i], kl[i]), (six[i], nll[i]), arrowprops=arrow)
ax.text(six[i] + 0.01, (kl[i] + nll[i]) / 2, "entropy of the data", color="0.3", va="center")
ax.axvline(observed[-1], color="black", linewidth=1, label="share of sixes in the data")
ax.plot(six[nll.argmin()], nll.min(), "o", color="C0")
ax.plot(six[kl.argmin()], kl.min(), "o", color="C1")
ax.set(xlabel="model's probability of a six", ylabel="nats", ylim=(0, 3))
ax.set_title("Two objectives, one minimum")
ax.legend(loc="upper right")
plt.show()
