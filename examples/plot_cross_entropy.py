"""
Cross-entropy is a Bernoulli likelihood
=======================================

The loss of a binary classifier is the negative log-likelihood of its targets; for several classes it is that of a
categorical variable.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# :math:`-\log b(x) = -x\log p - (1 - x)\log(1 - p)`: one branch for each outcome. From probabilities or from logits, it is
# the same loss; a soft target is a mixture of both.

p = np.linspace(0.002, 0.998, 400)
z = np.linspace(-8, 8, 400)
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), sharey=True)
for target, colour in ((1.0, "C0"), (0.0, "C1"), (0.3, "C2")):
    left.plot(p, ll.bernoulli_nll(target, probs=p, reduction="none"), color=colour)
    loss = ll.bernoulli_nll(target, logits=z, reduction="none")
    right.plot(z, loss, color=colour, label=f"target {target:g}")
left.set(xlabel="probability p", ylabel="loss (nats)", title="From probabilities", ylim=(0, 8.2))
right.set(xlabel="logit z", title="From logits: p = 1/(1 + exp(-z))")
right.legend(loc="upper center")

# %%
# Two classes are a Bernoulli variable; K classes are its generalisation.

targets = np.array([0, 1, 1, 0])
logits = np.array([-2.0, 0.5, 3.0, 4.0])
print(ll.bernoulli_nll(targets, logits=logits))
print(ll.categorical_nll(targets, logits=np.column_stack([np.zeros(4), logits])))

# %%
# Nothing is clamped. A sure and wrong prediction costs what it costs, and a sure and right one keeps its digits, where
# the usual formula :math:`-\log(1/(1 + e^{-z}))` is 0 from 17 on.

z = np.linspace(-60, 60, 241)
with np.errstate(over="ignore", divide="ignore"):
    textbook = -np.log(np.float32(1) / (np.float32(1) + np.exp(-z.astype(np.float32))))
ours = ll.bernoulli_nll(1, logits=z.astype(np.float32), reduction="none")
fig, ax = plt.subplots()
ax.semilogy(z, ours, label="bernoulli_nll")
ax.semilogy(z, np.where(textbook > 0, textbook, np.nan), "--", label="textbook formula (then 0)")
ax.set(xlabel="logit z", ylabel="loss of target 1 (nats)", title="The tails, in float32")
ax.set_ylim(1e-27, 1e3)
ax.legend()
plt.show()
