"""Chapter 3 of the tour: comparing densities."""

from typing import Any

import numpy as np

import loglik as ll
from loglik.tour import _text as text
from loglik.tour._figures import BLUE, GOLD, MUTED, RED, Chart, note
from loglik.tour._step import Step

TITLE = "Comparing densities"


class KlStep(Step):
    name = "kl"
    title = "KL both ways, three ways"
    topics = (20, 21, 22)
    question = """\
How far is N(1, 2²) from N(0, 1)? The Kullback–Leibler divergence depends on the direction. By its formula,
by quadrature, and by samples of p alone, which works for any pair and comes with a standard error."""
    formula = "KL(p ‖ q) = ∫ p log(p / q)\n          = −½ + (σ₁² + (μ₁ − μ₂)²) / (2σ₂²) + log(σ₂ / σ₁)"
    code = """\
p, q = ll.Normal(0, 1), ll.Normal(1, 2)
pairs = {"KL(p, q)": (p, q), "KL(q, p)": (q, p)}
{name: ll.kl_divergence(*pq) for name, pq in pairs.items()}
{k: ll.estimate_kl(*pq, method="quadrature") for k, pq in pairs.items()}
{k: ll.estimate_kl(*pq, n=200_000, rng=1) for k, pq in pairs.items()}"""
    caption = "p log(p/q) and q log(q/p): the areas under the curves are the divergences."
    size = (7.2, 2.8)

    def charts(self, v: Any) -> list[Chart]:
        x = np.linspace(-6, 8, 401)
        p, q, ratio = v.p.prob(x), v.q.prob(x), v.p.log_prob(x) - v.q.log_prob(x)
        return [
            Chart(x, {"p = N(0, 1)": p, "q = N(1, 2²)": q}, "x", (0, 0.5)),
            Chart(x, {"p log(p/q)": p * ratio, "q log(q/p)": -q * ratio}, "x", (-0.16, 0.6), "nats", fill=True),
        ]


class ErrorStep(Step):
    name = "monte-carlo"
    title = "How many samples does a divergence need?"
    topics = (22,)
    question = """\
The error of a Monte Carlo estimate falls like 1/√n, and the estimate knows its error: the true value should lie
in 95 of 100 intervals. Does it?"""
    formula = "KL(p ‖ q) ≈ (1 / n) Σ (log p(xᵢ) − log q(xᵢ)),  xᵢ from p"
    code = """\
p, q, sizes = ll.Normal(0, 1), ll.Normal(1, 2), 10 ** np.arange(2, 7)
exact = ll.kl_divergence(p, q)
estimates = [ll.estimate_kl(p, q, n=int(n), rng=int(n)) for n in sizes]
{e.n: (e, e.value - exact) for e in estimates}
runs = [ll.estimate_kl(p, q, n=2000, rng=k) for k in range(200)]
sum(e.low <= exact <= e.high for e in runs)  # of 200 contain it"""
    caption = "Estimates with their 95 % intervals, for more and more samples; the line is the exact value."
    size = (7.2, 2.7)

    def picture(self, v: Any) -> list[str]:
        low, high, cols = 0.32, 0.56, 60
        lines = []

        def at(x: float) -> int:
            return int(np.clip(round((x - low) / (high - low) * (cols - 1)), 0, cols - 1))

        for e in v.estimates:
            row = [" "] * cols
            row[at(e.low) : at(e.high) + 1] = "-" * (at(e.high) - at(e.low) + 1)
            row[at(float(v.exact))] = "|"
            row[at(e.value)] = "o"
            lines.append(f"    {e.n:>8} {''.join(row)}".rstrip())
        return [*lines, " " * 13 + f"{low}" + "exact |, estimate o, interval -".center(cols - 8) + f"{high}"]

    def figure(self, v: Any, fig: Any) -> None:
        left, right = fig.subplots(1, 2, width_ratios=(1, 1.3))
        y = [e.value for e in v.estimates]
        bars = [[e.value - e.low for e in v.estimates], [e.high - e.value for e in v.estimates]]
        left.errorbar(v.sizes, y, bars, fmt="o", color=BLUE, capsize=3)
        left.set(xscale="log", xlabel="samples", ylabel="KL(p ‖ q)")
        for k, e in enumerate(v.runs[:100]):
            miss = not e.low <= v.exact <= e.high
            right.vlines(k, e.low, e.high, color=RED if miss else BLUE, lw=1.4, alpha=1 if miss else 0.6)
        right.set(xlabel="100 runs of 2000 samples; red: misses")
        for ax in (left, right):
            ax.axhline(v.exact, color=MUTED, lw=1)


class EdgesStep(Step):
    name = "edges"
    title = "Bits, boxes and infinity"
    topics = (20,)
    question = """\
A divergence is 0 only between equals. It is infinite when q excludes what p allows: whoever believes U(0, 1) can
never explain a 2, while whoever believes U(−1, 3) can explain everything that U(0, 1) does."""
    code = """\
ll.kl_divergence(ll.Bernoulli(0.8), ll.Bernoulli(0.5))
narrow, wide = ll.Uniform(0, 1), ll.Uniform(-1, 3)
ll.kl_divergence(narrow, wide), np.log(4), ll.kl_divergence(wide, narrow)
ll.kl_divergence(wide, wide)
ll.kl_divergence([0.5, 0.3, 0.2], [0.2, 0.3, 0.5])  # two tables"""
    caption = "Left: the boxes. Right: coins 0.8 and q, both ways; KL(0.8 ‖ q) is infinite at both ends."
    size = (7.2, 2.5)

    def charts(self, v: Any) -> list[Chart]:
        x, q = np.linspace(-1.5, 3.5, 1001), np.linspace(0.002, 0.998, 499)
        coin, coins = ll.Bernoulli(0.8), ll.Bernoulli(q)
        boxes = {"U(0, 1)": v.narrow.prob(x), "U(−1, 3)": v.wide.prob(x)}
        kl = {"KL(0.8 ‖ q)": ll.kl_divergence(coin, coins), "KL(q ‖ 0.8)": ll.kl_divergence(coins, coin)}
        return [Chart(x, boxes, "x", (0, 1.15), fill=True), Chart(q, kl, "q", (0, 2.5), "nats")]


class DigitsApartStep(Step):
    name = "digits-apart"
    title = "From 3 to 8 is not from 8 to 3"
    topics = (21, 22)
    question = """\
A Gaussian of 64 dimensions for each class of digits: how many nats does an image give away about its class?
By the formula for matrices, and by sampling."""
    formula = "KL = ½ (tr(Σ₂⁻¹ Σ₁) + (μ₂ − μ₁)ᵀ Σ₂⁻¹ (μ₂ − μ₁) − k + log(|Σ₂| / |Σ₁|))"
    needs = "gaussians"
    code = """\
pairs = {"3 to 8": (fits[3], fits[8]), "8 to 3": (fits[8], fits[3])}
{name: (ll.kl_divergence(*pq), ll.estimate_kl(*pq, n=50_000, rng=1))
 for name, pq in pairs.items()}
every = np.array([[ll.kl_divergence(a, b) for b in fits] for a in fits])"""
    caption = "KL from the digit of the row to that of the column, in nats."
    size = (7.2, 3.4)

    def picture(self, v: Any) -> list[str]:
        rows = ((str(i), *(f"{x:.0f}" for x in v.every[i])) for i in range(10))
        return text.table(("", *map(str, range(10))), rows)

    def figure(self, v: Any, fig: Any) -> None:
        ax = fig.subplots()
        ax.pcolormesh(v.every, cmap="YlGnBu", edgecolors="none")
        for i in range(10):
            for j in range(10):
                dark = v.every[i, j] > 0.55 * v.every.max()
                ax.text(j + 0.5, i + 0.5, f"{v.every[i, j]:.0f}", ha="center", va="center", fontsize=8,
                        color="#ffffff" if dark else "#10233a")
        ax.set(xticks=np.arange(10) + 0.5, yticks=np.arange(10) + 0.5, xticklabels=range(10), yticklabels=range(10),
               xlabel="to", ylabel="from")
        ax.invert_yaxis()
        ax.tick_params(length=0)


class KlMleStep(Step):
    name = "kl-mle"
    title = "Maximum likelihood is minimum divergence"
    topics = (23,)
    question = """\
Throws of a loaded die, and a family of dice q(θ). The θ of the greatest mean log-likelihood is the θ whose q is
nearest to the data in the sense of KL: the two curves differ by a constant, the entropy of the data."""
    formula = "KL(data ‖ q) = −H(data) − mean log-likelihood(q)"
    code = """\
data = np.array([5, 8, 11, 16, 24, 36])  # how often each side came
theta = np.linspace(-0.2, 1, 1201)
q = np.exp(theta[:, None] * np.arange(6))
q /= q.sum(axis=1, keepdims=True)
p = data / data.sum()
kl, mean_log_likelihood = ll.kl_divergence(p, q), np.log(q) @ p
theta[kl.argmin()], theta[mean_log_likelihood.argmax()]
total = kl + mean_log_likelihood
total.min(), total.max(), -ll.Discrete(p).entropy()"""
    caption = "KL and negative mean log-likelihood over θ: one curve, shifted by the entropy."
    size = (7.2, 2.8)

    def charts(self, v: Any) -> list[Chart]:
        curves = {"KL(data ‖ q)": v.kl, "−mean log-likelihood": -v.mean_log_likelihood}
        return [Chart(v.theta, curves, "θ", (-0.05, 2.9), "nats")]

    def figure(self, v: Any, fig: Any) -> None:
        left, right = fig.subplots(1, 2, width_ratios=(1.4, 1))
        self.charts(v)[0].draw(left)
        best, sides = v.theta[v.kl.argmin()], np.arange(1, 7)
        arrow = {"arrowstyle": "<->", "color": GOLD}
        left.annotate("", (best, v.kl.min()), (best, -v.mean_log_likelihood.max()), arrowprops=arrow)
        note(left, "entropy", (best, 0.8), (5, 0), color=GOLD)
        right.bar(sides, v.p, color=MUTED, alpha=0.5, label="data")
        right.plot(sides, v.q[v.kl.argmin()], "o-", color=BLUE, ms=4, label="best q")
        right.set(xlabel="side", xticks=sides)
        right.legend(loc="upper left")


class JsdStep(Step):
    name = "jsd"
    title = "Jensen and Shannon: symmetric and never infinite"
    topics = (24,)
    question = """\
Compare each of the two with their mixture: the divergence becomes symmetric and at most log 2, also where KL is
infinite. Between Normals it has no formula; quadrature gives it to the last digits."""
    formula = "JSD = ½ KL(p ‖ m) + ½ KL(q ‖ m),  m = ½ (p + q);   0 ≤ JSD ≤ log 2"
    code = """\
p, q = ll.Normal(0, 1), ll.Normal(1, 2)
ll.estimate_js(p, q), ll.estimate_js(q, p)
ll.js_divergence(ll.Bernoulli(0.8), ll.Bernoulli(0.5))
ll.js_divergence(ll.Bernoulli(0.0), ll.Bernoulli(1.0)), np.log(2)
shift = np.linspace(0, 6, 25)
js = np.array([ll.estimate_js(p, ll.Normal(s, 1)).value for s in shift])
kl = ll.kl_divergence(p, ll.Normal(shift, 1))"""
    caption = "N(0, 1) and N(s, 1): KL grows without bound, JSD stops at log 2."
    size = (7.2, 2.6)

    def charts(self, v: Any) -> list[Chart]:
        x = np.linspace(-5, 8, 301)
        p, q = v.p.prob(x), v.q.prob(x)
        curves = {"JSD": v.js, "KL": v.kl, "log 2": np.full(len(v.shift), np.log(2))}
        return [
            Chart(x, {"p": p, "q": q, "m = ½ (p + q)": (p + q) / 2}, "x", (0, 0.45)),
            Chart(v.shift, curves, "shift s", (0, 1.6), "nats", (BLUE, RED, MUTED)),
        ]


STEPS = (KlStep(), ErrorStep(), EdgesStep(), DigitsApartStep(), KlMleStep(), JsdStep())
