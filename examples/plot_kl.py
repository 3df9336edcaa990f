"""
The Kullback-Leibler divergence, both ways and three ways
=========================================================

It is not symmetric; and there is a formula, an integral and an average for it.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# :math:`\mathrm{KL}(p\,\|\,q) = \int p\log(p/q)` is an area, with a sign: what is below zero never outweighs what is above.

p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
x = np.linspace(-7, 9, 800)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
left.plot(x, p.prob(x), label="p = N(0, 1²)")
left.plot(x, q.prob(x), label="q = N(1, 2²)")
left.set(xlabel="x", ylabel="density", title="Two normal distributions", ylim=(0, 0.5))
left.legend(loc="upper right")
for a, b, pair, colour in ((p, q, "p‖q", "C0"), (q, p, "q‖p", "C1")):
    integrand = a.prob(x) * (a.log_prob(x) - b.log_prob(x))
    label = f"KL({pair}) = {ll.kl_divergence(a, b):.4f}"
    right.fill_between(x, integrand, color=colour, alpha=0.4, label=label)
right.set(xlabel="x", ylabel="a(x) log(a(x)/b(x))", title="What is integrated")
right.legend(loc="upper left")

# %%
# The closed form, quadrature, and samples with their standard error: the same number.

for method, n in (("exact", None), ("quadrature", None), ("mc", 100_000)):
    estimate = ll.estimate_kl(p, q, method=method, n=n, rng=1)
    print(f"{method:>10}: {estimate.value:.16f} ± {estimate.stderr:.1e}")

# %%
# The error of sampling falls like :math:`n^{-1/2}`, and the interval says how large it is: here 95 %, for 30 sizes of the
# sample with a seed each.

sizes = np.geomspace(100, 1_000_000, 30).astype(int)
estimates = [ll.estimate_kl(p, q, n=int(n), rng=i) for i, n in enumerate(sizes)]
exact = float(ll.kl_divergence(p, q))
missed = np.array([not e.low <= exact <= e.high for e in estimates])
value = np.array([e.value for e in estimates])
half = np.array([(e.high - e.low) / 2 for e in estimates])

fig, ax = plt.subplots()
style = {"fmt": "o", "markersize": 4, "capsize": 2}
for which, label in ((~missed, "interval holds the value"), (missed, "it does not")):
    ax.errorbar(sizes[which], value[which], half[which], **style, label=label)
ax.axhline(exact, color="black", linewidth=1, label="closed form")
ax.set(xscale="log", xlabel="samples", ylabel="KL(p‖q) (nats)", ylim=(0.2, 0.7))
ax.set_title("Estimates with 95 % intervals")
ax.legend()

# %%
# Where q has no mass and p has some, the divergence is infinite; the other way round it may be finite.

narrow, wide = ll.Uniform(0.0, 1.0), ll.Uniform(-1.0, 3.0)
print(ll.kl_divergence(narrow, wide), "= log 4;", ll.kl_divergence(wide, narrow))
plt.show()
