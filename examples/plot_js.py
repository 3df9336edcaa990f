"""
The Jensen-Shannon divergence
=============================

Symmetric, never infinite, and between 0 and log 2: the mean divergence of two distributions from their mixture.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# Two normal distributions and their mixture m. There is no closed form; in one dimension there is quadrature.

p, q = ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0)
js = ll.estimate_js(p, q)
print(js.value, "±", js.stderr, js.method)

# %%
# Between Bernoulli distributions it is exact. Next to the Kullback-Leibler divergence it does not care about the order, and it
# stays finite where one of them excludes an outcome.

probs = np.linspace(0, 1, 401)
fixed, others = ll.Bernoulli(0.8), ll.Bernoulli(probs)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8))
left.plot(probs, ll.kl_divergence(fixed, others), color="C1", label="KL(b(0.8) ‖ b(p))")
left.plot(probs, ll.kl_divergence(others, fixed), color="C2", label="KL(b(p) ‖ b(0.8))")
left.plot(probs, ll.js_divergence(fixed, others), color="C0", label="Jensen-Shannon")
left.axhline(np.log(2), color="black", linewidth=1, linestyle=":", label="log 2")
left.set(xlabel="p", ylabel="nats", title="From a Bernoulli variable of 0.8", ylim=(0, 1.6))
left.legend(loc="upper center")

shift = np.linspace(0, 8, 33)
for scale, colour in ((1.0, "C0"), (2.0, "C1"), (4.0, "C2")):
    values = [ll.estimate_js(p, ll.Normal(s, scale)).value for s in shift]
    right.plot(shift, values, color=colour, label=f"σ = {scale:g}")
right.axhline(np.log(2), color="black", linewidth=1, linestyle=":")
right.set(xlabel="μ", ylabel="JS(N(0, 1), N(μ, σ²)) (nats)", ylim=(0, 0.75))
right.set_title("From a standard normal")
right.legend(loc="lower right")

# %%
# Its square root, :func:`~loglik.js_distance`, is a metric: the way over a third distribution is never shorter.

a, b, c = (ll.Bernoulli(x) for x in (0.1, 0.3, 0.8))
print(ll.js_distance(a, c), "≤", ll.js_distance(a, b) + ll.js_distance(b, c))
plt.show()
