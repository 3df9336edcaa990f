"""Chapter 3 of the tour: comparing densities."""

from types import SimpleNamespace
from typing import Any

import numpy as np

import loglik as ll
from loglik.tour import _text as text
from loglik.tour._figures import BLUE, GOLD, MUTED, RED
from loglik.tour._step import Step

TITLE = "Comparing densities"


class Kl(Step):
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

    @staticmethod
    def _integrands(v: SimpleNamespace, x: np.ndarray) -> list[np.ndarray]:
        ratio = v.p.log_prob(x) - v.q.log_prob(x)
        return [v.p.prob(x) * ratio, -v.q.prob(x) * ratio]

    def picture(self, v: SimpleNamespace) -> list[str]:
        x = np.linspace(-6, 8, 281)
        marks = [text.Mark(-1.3, 0.36, "p log(p/q)"), text.Mark(4.6, 0.28, "q log(q/p)")]
        return text.chart(x, self._integrands(v, x), marks=marks, y_range=(-0.15, 0.4), x_label="x", shape=(10, 60))

    def figure(self, v: SimpleNamespace, fig: Any) -> None:
        left, right = fig.subplots(1, 2)
        x = np.linspace(-6, 8, 401)
        for d, colour, label in ((v.p, BLUE, "p = N(0, 1)"), (v.q, RED, "q = N(1, 2²)")):
            left.plot(x, d.prob(x), color=colour, label=label)
        left.set(xlabel="x", ylabel="density", ylim=(0, 0.5))
        left.legend(loc="upper right")
        for y, colour, label in zip(self._integrands(v, x), (BLUE, RED), ("p log(p/q)", "q log(q/p)"), strict=True):
            right.plot(x, y, color=colour, label=label)
            right.fill_between(x, y, color=colour, alpha=0.2, lw=0)
        right.axhline(0, color=MUTED, lw=0.8)
        right.set(xlabel="x", ylim=(-0.16, 0.64))
        right.legend(loc="upper right")


class Error(Step):
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

    def picture(self, v: SimpleNamespace) -> list[str]:
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

    def figure(self, v: SimpleNamespace, fig: Any) -> None:
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


class Edges(Step):
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
    caption = "Coins 0.8 and q, both ways: zero at q = 0.8; KL(0.8 ‖ q) is infinite at both ends."
    size = (7.2, 2.5)

    @staticmethod
    def _curves(q: np.ndarray) -> list[np.ndarray]:
        coins = ll.Bernoulli(q)
        return [np.asarray(ll.kl_divergence(*pair)) for pair in ((ll.Bernoulli(0.8), coins), (coins, ll.Bernoulli(0.8)))]

    def picture(self, v: SimpleNamespace) -> list[str]:
        q = np.linspace(0.005, 0.995, 199)
        marks = [text.Mark(0.17, 1.55, "0.8 from q"), text.Mark(0.02, 0.9, "q from 0.8"), text.Mark(0.795, 0.02, "0")]
        return text.chart(q, self._curves(q), marks=marks, y_range=(0, 2), x_label="q", shape=(8, 60))

    def figure(self, v: SimpleNamespace, fig: Any) -> None:
        left, right = fig.subplots(1, 2)
        q = np.linspace(0.002, 0.998, 499)
        for y, colour, label in zip(self._curves(q), (BLUE, RED), ("KL(0.8 ‖ q)", "KL(q ‖ 0.8)"), strict=True):
            left.plot(q, y, color=colour, label=label)
        left.plot(0.5, 0.19274475702175743, "o", color=BLUE)
        left.annotate("0.1927", (0.5, 0.193), (6, 5), textcoords="offset points")
        left.set(xlabel="q", ylabel="nats", ylim=(0, 3))
        left.legend(loc="upper center")
        for (a, b), height, colour, label in (((0, 1), 1, BLUE, "U(0, 1)"), ((-1, 3), 0.25, RED, "U(−1, 3)")):
            right.plot([a, a, b, b], [0, height, height, 0], color=colour, label=label)
            right.fill_between([a, b], [height, height], color=colour, alpha=0.2, lw=0)
        right.annotate("U(0, 1) gives\nnothing here", (2, 0.3), ha="center", color=RED)
        right.set(xlabel="x", ylabel="density", ylim=(0, 1.15))
        right.legend(loc="upper right")


class DigitsApart(Step):
    name = "digits-apart"
    title = "From 3 to 8 is not from 8 to 3"
    topics = (21, 22)
    question = """\
A Gaussian of 64 dimensions for each class of digits: how many nats does an image give away about its class?
By the formula for matrices, and by sampling."""
    formula = "KL = ½ (tr(Σ₂⁻¹ Σ₁) + (μ₂ − μ₁)ᵀ Σ₂⁻¹ (μ₂ − μ₁) − k + log(|Σ₂| / |Σ₁|))"
    needs = "gaussians"
    code = """\
fits = [ll.MultivariateNormal(h.mean(axis=0), np.cov(h.T) + np.eye(64))
        for h in half]
pairs = {"3 to 8": (fits[3], fits[8]), "8 to 3": (fits[8], fits[3])}
{name: (ll.kl_divergence(*pq), ll.estimate_kl(*pq, n=50_000, rng=1))
 for name, pq in pairs.items()}
every = np.array([[ll.kl_divergence(a, b) for b in fits] for a in fits])"""
    caption = "KL from the digit of the row to that of the column, in nats."
    size = (7.2, 3.4)

    def picture(self, v: SimpleNamespace) -> list[str]:
        rows = ((str(i), *(f"{x:.0f}" for x in v.every[i])) for i in range(10))
        return text.table(("", *map(str, range(10))), rows)

    def figure(self, v: SimpleNamespace, fig: Any) -> None:
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


class KlMle(Step):
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

    def picture(self, v: SimpleNamespace) -> list[str]:
        marks = [text.Mark(0.5, 2.2, "-mean log-likelihood"), text.Mark(0.62, 0.4, "KL"), text.Mark(0.1, 0.95, "entropy")]
        curves = [v.kl, -v.mean_log_likelihood]
        return text.chart(v.theta, curves, marks=marks, y_range=(0, 2.6), x_label="theta", shape=(10, 60))

    def figure(self, v: SimpleNamespace, fig: Any) -> None:
        left, right = fig.subplots(1, 2, width_ratios=(1.4, 1))
        left.plot(v.theta, v.kl, color=BLUE, label="KL(data ‖ q)")
        left.plot(v.theta, -v.mean_log_likelihood, color=RED, label="−mean log-likelihood")
        best = v.theta[v.kl.argmin()]
        left.annotate("", (best, v.kl.min()), (best, -v.mean_log_likelihood.max()),
                      arrowprops={"arrowstyle": "<->", "color": GOLD})
        left.annotate("entropy", (best, 0.8), (5, 0), textcoords="offset points", color=GOLD)
        left.set(xlabel="θ", ylabel="nats", ylim=(-0.05, 2.9))
        left.legend(loc="upper left", ncols=2, columnspacing=1)
        sides = np.arange(1, 7)
        right.bar(sides, v.p, color=MUTED, alpha=0.5, label="data")
        right.plot(sides, v.q[v.kl.argmin()], "o-", color=BLUE, ms=4, label="best q")
        right.set(xlabel="side", xticks=sides)
        right.legend(loc="upper left")


class Jsd(Step):
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

    def picture(self, v: SimpleNamespace) -> list[str]:
        curves = [v.js, v.kl, np.full(len(v.shift), np.log(2))]
        marks = [text.Mark(1.7, 0.9, "KL"), text.Mark(3.2, 0.48, "JSD"), text.Mark(0.1, 0.78, "log 2")]
        return text.chart(v.shift, curves, marks=marks, y_range=(0, 1.2), x_label="shift s", shape=(8, 60))

    def figure(self, v: SimpleNamespace, fig: Any) -> None:
        left, right = fig.subplots(1, 2)
        x = np.linspace(-5, 8, 301)
        p, q = v.p.prob(x), v.q.prob(x)
        for y, colour, label in ((p, BLUE, "p"), (q, RED, "q"), ((p + q) / 2, GOLD, "m = ½ (p + q)")):
            left.plot(x, y, color=colour, label=label)
        left.set(xlabel="x", ylabel="density", ylim=(0, 0.45))
        left.legend(loc="upper right")
        right.plot(v.shift, v.kl, color=RED, label="KL")
        right.plot(v.shift, v.js, color=BLUE, label="JSD")
        right.axhline(np.log(2), color=MUTED, lw=1, ls="--")
        right.annotate("log 2", (5.2, np.log(2)), (0, 4), textcoords="offset points")
        right.set(xlabel="shift s", ylabel="nats", ylim=(0, 2))
        right.legend(loc="upper left")


STEPS = (Kl(), Error(), Edges(), DigitsApart(), KlMle(), Jsd())
