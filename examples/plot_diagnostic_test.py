"""
A positive test: what Bayes' theorem says
=========================================

A test is "90 % accurate", and it is positive. How likely is the condition? That depends on how common it is: on the prior.
"""

import matplotlib.pyplot as plt
import numpy as np

import loglik as ll

# %%
# With a prevalence of 1 % eleven of twelve positive results are false alarms: a tenth of the many without the condition
# outnumbers all who have it.

test = ll.diagnostic_test(sensitivity=0.9, specificity=0.9, prevalence=[0.01, 0.1, 0.5])
print("P(condition | positive):", test.ppv)

people = 1000
share = 0.01
with_it = people * share * np.array([0.9, 0.1])  # positive, negative
without = people * (1 - share) * np.array([0.1, 0.9])

fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), width_ratios=(2, 3))
left.bar(["positive", "negative"], without, color="C4", label="without the condition")
left.bar(["positive", "negative"], with_it, bottom=without, color="C1", label="with it")
for i in range(2):
    total = with_it[i] + without[i]
    left.text(i, total + 15, f"{with_it[i]:.0f} of {total:.0f}", ha="center")
left.set(ylabel="people", xlabel="result of the test", title="1000 people, prevalence 1 %", ylim=(0, 1150))
left.legend(loc="upper left")

prevalence = np.geomspace(1e-4, 1, 400)[:-1]
for accuracy, colour in ((0.9, "C0"), (0.99, "C1"), (0.999, "C2")):
    ppv = ll.diagnostic_test(sensitivity=accuracy, specificity=accuracy, prevalence=prevalence).ppv
    right.semilogx(prevalence, ppv, color=colour, label=f"{100 * accuracy:g} % accurate")
right.plot([0.01, 0.5], [1 / 12, 0.9], "o", color="black", markersize=5)
right.set(xlabel="prevalence", ylabel="P(condition | positive)", title="The answer depends on the prior")
right.legend()

# %%
# The posterior of one test is the prior of the next. Independent tests multiply the odds by the likelihood ratio, 9, again
# and again: three positive results are convincing.

belief = np.array([0.99, 0.01])  # without, with
for number in range(1, 5):
    belief = ll.posterior(belief, likelihood=[0.1, 0.9])
    print(f"after {number} positive results: {belief[1]:.4f}")
plt.show()
