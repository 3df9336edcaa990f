"""Chapter 1 of the tour: distributions."""

from typing import Any

import numpy as np

import loglik as ll
from loglik.tour import _text as text
from loglik.tour._figures import BLUE, GOLD, GREEN, MUTED, RED, Chart, note, show_image
from loglik.tour._step import Step

TITLE = "Distributions"


class TestStep(Step):
    name = "test"
    title = "A test that is right nine times in ten"
    topics = (1,)
    question = """\
A test finds 90 % of the ill and clears 90 % of the healthy. Yours is positive: are you ill? It depends
on how common the illness was before, which is the point: evidence moves a prior, it does not replace it."""
    formula = "P(ill | positive) = se·π / (se·π + (1 − sp)(1 − π))"
    code = """\
before = [0.001, 0.01, 0.1, 0.5]
test = ll.diagnostic_test(
    sensitivity=0.9, specificity=0.9, prevalence=before)
dict(zip(before, test.ppv))  # chance of being ill after a positive test
test.lr_positive  # a positive test multiplies the odds by this
ll.posterior([0.01, 0.99], [0.9, 0.1])  # ill, healthy: after one test
ll.posterior([0.01, 0.99], [0.9**3, 0.1**3])  # after three"""
    caption = "Chance of being ill after a positive test, for every prevalence; the dots are the rows above."

    def charts(self, v: Any) -> list[Chart]:
        p = np.linspace(0, 1, 401)
        test = ll.diagnostic_test(sensitivity=0.9, specificity=0.9, prevalence=p)
        after = {"after a positive test": test.ppv, "after a negative test": 1 - test.npv, "before": p}
        return [
            Chart(p, after, "prevalence", (-0.03, 1.05), "probability of illness", (BLUE, GREEN, MUTED),
                  dots=(v.before, v.test.ppv))
        ]

    def figure(self, v: Any, fig: Any) -> None:
        super().figure(v, fig)
        for p, ppv, at in zip(v.before[1:], v.test.ppv[1:], ((8, 14), (9, -10), (9, -11)), strict=True):
            note(fig.axes[0], f"{p:.0%} → {ppv:.1%}", (p, ppv), at)


class TwoDiceStep(Step):
    name = "two-dice"
    title = "Two dice"
    topics = (2,)
    question = """\
How likely is each sum of two dice? A sum's probabilities are the convolution of those of its parts. They
come out exactly, as counts of the 36 ways or as probabilities."""
    formula = "P(X + Y = k) = Σ P(X = i) P(Y = k − i)"
    code = """\
two = ll.die(6) + ll.die(6)  # the same as ll.dice("2d6")
two.counts()[0]  # of 36 ways
two.prob(7), two.sf(9), two.mean"""
    caption = "The probability of each sum; 7 has six ways of 36."
    size = (7.2, 2.5)

    def picture(self, v: Any) -> list[str]:
        bars = text.columns(v.two.probs, 6, width=4)
        return ["      " + line for line in [*bars, "".join(f"{k:^4}" for k in v.two.support)]]

    def figure(self, v: Any, fig: Any) -> None:
        ax, ways = fig.subplots(), v.two.counts()[0]
        ax.bar(v.two.support, v.two.probs, color=[RED if k == 7 else BLUE for k in v.two.support], width=0.8)
        for k, n in zip(v.two.support, ways, strict=True):
            note(ax, f"{n}/36", (k, n / 36), (0, 3), ha="center", fontsize=8.5)
        ax.set(xticks=v.two.support, xlabel="sum of two dice", ylabel="probability", ylim=(0, 0.19))


class CltStep(Step):
    name = "clt"
    title = "Many dice: the bell curve"
    topics = (2, 5)
    question = """\
Each die is flat, their sum is not: with every die it comes nearer to the Normal of the same mean and
variance. How near? The largest gap between the distribution functions, the total variation (half the sum
of |P(k) − the Normal's share of k|) and the divergence, exactly."""
    formula = "n → ∞:  (X₁ + … + Xₙ − nμ) / (σ√n)  tends to  N(0, 1)"
    code = """\
sums = {n: ll.dice(n, 6) for n in (1, 2, 3, 5, 10, 30, 100, 1000)}
distance = {n: d.distance_to_normal() for n, d in sums.items()}
{n: (d.kolmogorov, d.total_variation, d.kl) for n, d in distance.items()}
sums[1000].log_probs[0]  # of 1000 ones; 6**-1000 is no float"""
    caption = "Sums of n dice, in standard deviations from their mean, with the Normal; right: the distances."
    size = (7.2, 3.6)

    def picture(self, v: Any) -> list[str]:
        blocks = []
        for n in (1, 2, 3, 10, 100):
            d = v.sums[n]
            centres = float(d.mean) + float(d.std) * np.linspace(-2.5, 2.5, 13)
            nearest = np.rint(centres - d.support[0]).astype(int)
            inside = (nearest >= 0) & (nearest < len(d.probs))
            heights = np.where(inside, d.probs[np.clip(nearest, 0, len(d.probs) - 1)], 0)
            blocks.append([*text.columns(heights, 5), f"n = {n}".center(13)])
        return text.beside(blocks, gap="  ")

    def figure(self, v: Any, fig: Any) -> None:
        axes = fig.subplot_mosaic([["1", "2", "D", "D"], ["3", "10", "D", "D"]])
        z = np.linspace(-3, 3, 121)
        for n in (1, 2, 3, 10):
            ax, d = axes[str(n)], v.sums[n]
            mean, std = float(d.mean), float(d.std)
            ax.bar((d.support - mean) / std, d.probs * std, width=0.85 / std, color=BLUE, alpha=0.6)
            ax.plot(z, ll.Normal().prob(z), color=RED, lw=1.5)
            ax.set(title=f"n = {n}", xlim=(-3, 3), yticks=[], xticks=[-2, 0, 2], ylim=(0, 0.52))
            ax.spines["left"].set_visible(False)
        ax, dice = axes["D"], list(v.distance)
        for name, label, colour, at in (
            ("kolmogorov", "largest gap", GREEN, (4, 7)),
            ("total_variation", "total variation", BLUE, (4, 5)),
            ("kl", "KL divergence", RED, (7, 3)),
        ):
            y = [getattr(d, name) for d in v.distance.values()]
            ax.loglog(dice, y, "o-", color=colour, ms=4)
            note(ax, label, (dice[6], y[6]), at, color=colour)
        ax.set(xlabel="number of dice", title="distance from the Normal")


class FiveStep(Step):
    name = "five"
    title = "Five distributions, one set of verbs"
    topics = (3, 4, 5, 7, 11)
    question = """\
Uniform, Normal, Bernoulli, a table of probabilities, and the Normal of several dimensions: all have a
log-density, mean, variance, entropy and samples, under the same names."""
    code = """\
five = [ll.Uniform(0, 2), ll.Normal(1, 0.5), ll.Bernoulli(0.8),
        ll.Discrete([0.1, 0.2, 0.4, 0.3]),
        ll.MultivariateNormal([0, 0], [[1, 0.8], [0.8, 1]])]
x = {d: d.sample(rng=1) for d in five}
{type(d).__name__: (d.mean, d.entropy(), d.log_prob(x[d])) for d in x}"""
    caption = "Their densities and probabilities; of the last one, samples."
    size = (7.2, 1.9)
    _TITLES = ("Uniform", "Normal", "Bernoulli", "Discrete", "MultivariateNormal")

    def picture(self, v: Any) -> list[str]:
        x = np.linspace(-0.6, 2.6, 12)
        heights = [v.five[0].prob(x) * 2, v.five[1].prob(x), v.five[2].probs, v.five[3].probs]
        heights[2] = np.array([0.2, 0.8])
        blocks = [text.columns(heights[0], 5, top=1.3), text.columns(heights[1], 5, top=0.8)]
        blocks += [text.columns(h, 5, width=w, top=1) for h, w in ((heights[2], 6), (heights[3], 3))]
        s = v.five[4].sample(400, rng=2)
        blocks.append(text.scatter(s[:, 0], s[:, 1], {}, shape=(5, 14)))
        names = ("Uniform", "Normal", "Bernoulli", "Discrete", "Multivariate")
        return text.beside([[*b, n.center(len(b[0]))] for b, n in zip(blocks, names, strict=True)], gap="  ")

    def figure(self, v: Any, fig: Any) -> None:
        axes = fig.subplots(1, 5)
        x = np.linspace(-0.7, 2.7, 341)
        for ax, d in zip(axes[:2], v.five[:2], strict=True):
            ax.fill_between(x, d.prob(x), color=BLUE, alpha=0.25, lw=0)
            ax.plot(x, d.prob(x), color=BLUE)
        axes[2].bar([0, 1], v.five[2].prob([0, 1]), color=BLUE, width=0.6)
        axes[2].set_xticks([0, 1])
        axes[3].bar(v.five[3].support, v.five[3].probs, color=BLUE, width=0.7)
        axes[3].set_xticks(v.five[3].support)
        s = v.five[4].sample(300, rng=2)
        axes[4].plot(*s.T, ".", color=BLUE, ms=3, alpha=0.7)
        for ax, title in zip(axes, self._TITLES, strict=True):
            ax.set_title(title, fontsize=9)
            ax.set_yticks([])
            ax.spines["left"].set_visible(False)


class UniformStep(Step):
    name = "uniform"
    title = "Uniform: every point alike"
    topics = (4, 3)
    question = """\
The density of U(a, b) is the same everywhere between a and b, both included, and 0 outside. Its mean is the
middle. A density is no probability: on a short interval it is larger than 1."""
    formula = "f(x) = 1 / (b − a) on [a, b];  mean (a + b) / 2;  variance (b − a)² / 12"
    code = """\
u = ll.Uniform(2, 2.5)
u.prob([1.9, 2, 2.2, 2.5, 2.6])
u.mean, u.variance, u.prob_between(2.1, 2.2)"""
    caption = "Density (blue) and distribution function (red) of U(2, 2.5)."
    size = (7.2, 2.5)

    def charts(self, v: Any) -> list[Chart]:
        x = np.linspace(1.75, 2.75, 1001)
        return [Chart(x, {"density": v.u.prob(x), "P(X ≤ x)": v.u.cdf(x)}, "x", (-0.1, 2.3), "")]


class NormalStep(Step):
    name = "normal"
    title = "Normal: the middle and the far tails"
    topics = (5, 3)
    question = """\
How much of a Normal lies within one, two, three standard deviations? And beyond forty, where the probability
is smaller than the smallest float? Its logarithm is still there. Expectations are integrals of any g(X)."""
    formula = "f(x) = exp(−½ ((x − μ) / σ)²) / (σ √(2π));\nP(a < X < b) = ∫ f;   E[g(X)] = ∫ g(x) f(x) dx"
    code = """\
z, k = ll.Normal(0, 1), np.array([1, 2, 3])
z.prob_between(-k, k)  # P(-k < Z < k)
z.prob(0), z.cdf(1.96)
z.sf(40), z.log_sf(40)  # P(Z > 40)
z.expect(lambda x: x**2), z.expect(np.exp), np.exp(0.5)"""
    caption = "The share within one, two and three standard deviations."
    size = (7.2, 2.7)

    def picture(self, v: Any) -> list[str]:
        x = np.linspace(-3.5, 3.5, 56)
        axis = [" "] * 56
        for k in range(-3, 4):
            at = round((k + 3.5) * 55 / 7)
            axis[at + 1 - len(str(k)) : at + 1] = str(k)
        return ["      " + line for line in [*text.columns(v.z.prob(x), 7), "".join(axis)]]

    def figure(self, v: Any, fig: Any) -> None:
        ax, x = fig.subplots(), np.linspace(-4, 4, 401)
        for k, alpha in ((3, 0.15), (2, 0.25), (1, 0.4)):
            inside = np.abs(x) <= k
            ax.fill_between(x[inside], v.z.prob(x[inside]), color=BLUE, alpha=alpha, lw=0)
            y = (0.27, 0.09, 0.025)[k - 1]
            ax.annotate("", (-k, y), (k, y), arrowprops={"arrowstyle": "<->", "color": MUTED, "lw": 0.9})
            note(ax, f"{1 - 2 * float(v.z.sf(k)):.2%}", (0, y), (0, 3), ha="center")
        ax.plot(x, v.z.prob(x), color=BLUE)
        ax.set(xlabel="z", ylabel="density", ylim=(0, 0.42))


class VarianceStep(Step):
    name = "variance"
    title = "Variance: one identity, two ways to compute it"
    topics = (3,)
    question = """\
E[(X − μ)²] and E[X²] − E[X]² are equal on paper. In the machine the second subtracts two huge numbers.
Weigh the same 507 people on scales that show 100,000 tonnes too much: the variance must not change."""
    formula = "Var X = E[(X − μ)²] = E[X²] − E[X]²"
    code = """\
weight = load_body().weight  # kg
def two_ways(x):
    return np.mean((x - x.mean())**2), np.mean(x**2) - np.mean(x)**2
{f"{shift:.0e}": two_ways(weight + shift) for shift in (1, 1e4, 1e6, 1e8)}"""
    caption = "Error of both ways against the size of the shift."
    size = (7.2, 2.6)

    def charts(self, v: Any) -> list[Chart]:
        shift, exact = 10.0 ** np.arange(0, 9.5, 0.25), np.var(v.weight)
        ways = zip(*(v.two_ways(v.weight + s) for s in shift), strict=True)
        error = [np.log10(np.maximum(np.abs(np.array(way) / exact - 1), 1e-17)) for way in ways]
        curves = dict(zip(("E[(X − μ)²]", "E[X²] − E[X]²"), error, strict=True))
        return [Chart(np.log10(shift), curves, "log₁₀ of the shift in kg", (-18, 3), "log₁₀ of the relative error")]

    def figure(self, v: Any, fig: Any) -> None:
        super().figure(v, fig)
        fig.axes[0].axhline(0, color=MUTED, lw=0.8, ls="--")
        note(fig.axes[0], "no digit is right", (4, 0), (0, 3), color=MUTED)


class BernoulliStep(Step):
    name = "bernoulli"
    title = "Bernoulli: one bit"
    topics = (11,)
    question = """\
A coin that shows 1 with probability p. A model often gives the logit, log(p / (1 − p)), instead of p; then
no digit is lost where p is nearly 1."""
    formula = "b(x) = pˣ (1 − p)¹⁻ˣ,  x ∈ {0, 1}"
    code = """\
coin = ll.Bernoulli([0.8, 0.2, 0.5])
coin.prob(1), coin.prob(0)
coin.variance, coin.entropy()
coin.sample(10_000, rng=1).mean(axis=0)
ll.Bernoulli(logits=50.0).prob(0), 1 - 1 / (1 + np.exp(-50))"""
    caption = "Probabilities of 0 and 1 for p = 0.8, 0.2 and 0.5, and the entropy for every p."
    size = (7.2, 2.3)

    def picture(self, v: Any) -> list[str]:
        blocks = [[*text.columns([1 - p, p], 5, width=6, top=1), "  0     1", f"  p = {p}"] for p in (0.8, 0.2, 0.5)]
        return text.beside(blocks, gap="        ")

    def figure(self, v: Any, fig: Any) -> None:
        axes = fig.subplots(1, 4, width_ratios=(1, 1, 1, 2.2))
        for ax, share in zip(axes, (0.8, 0.2, 0.5), strict=False):
            ax.bar([0, 1], [1 - share, share], color=[MUTED, BLUE], width=0.7)
            ax.set(title=f"p = {share}", xticks=[0, 1], yticks=[0, 0.5, 1], ylim=(0, 1), xlabel="x")
        p = np.linspace(1e-6, 1 - 1e-6, 201)
        axes[3].plot(p, ll.Bernoulli(p).entropy(), color=RED)
        axes[3].axhline(np.log(2), color=MUTED, lw=0.8, ls="--")
        axes[3].set(title="entropy (at most log 2)", xlabel="p", ylim=(0, 0.75))


class CorrelationStep(Step):
    name = "correlation"
    title = "Correlation, and what it does not see"
    topics = (6,)
    question = """\
Correlation is covariance in units of both standard deviations, between −1 and 1. One means a perfect line.
Zero means uncorrelated, not independent: y = x² is decided by x, and yet its correlation with x is 0."""
    formula = "ρ = Cov(X, Y) / (σ₁ σ₂);   Σ = [[σ₁², ρσ₁σ₂], [ρσ₁σ₂, σ₂²]]"
    code = """\
def gauss(rho):
    sigma = ll.covariance_from([2, 1], rho)  # from standard deviations
    return ll.MultivariateNormal([0, 0], sigma, allow_singular=rho == 1)
samples = {r: gauss(r).sample(100_000, rng=1) for r in (-0.9, 0, 0.6, 1)}
{r: ll.correlation(s)[0, 1] for r, s in samples.items()}
x = np.linspace(-1, 1, 201)
ll.correlation(np.column_stack([x, x**2]))[0, 1]"""
    caption = "Samples of four correlations, and a parabola without any."
    size = (7.2, 1.75)

    @staticmethod
    def _samples(rho: float) -> np.ndarray:
        d = ll.MultivariateNormal([0, 0], [[4, 2 * rho], [2 * rho, 1]], allow_singular=rho == 1)
        return np.asarray(d.sample(250, rng=1))

    def picture(self, v: Any) -> list[str]:
        blocks = []
        for rho in (-0.9, 0, 0.6, 1):
            s = self._samples(rho)
            blocks.append([*text.scatter(s[:, 0], s[:, 1], {}, shape=(6, 13)), f"{rho}".center(13)])
        x = np.linspace(-1, 1, 27)
        blocks.append([*text.scatter(x, x**2, {}, shape=(6, 13)), "0: x squared"])
        return text.beside(blocks, gap="  ")

    def figure(self, v: Any, fig: Any) -> None:
        axes = fig.subplots(1, 5)
        for ax, rho in zip(axes, (-0.9, 0, 0.6, 1), strict=False):
            ax.plot(*self._samples(rho).T, ".", color=BLUE, ms=2.5, alpha=0.7)
            ax.set(title=f"ρ = {rho}", xlim=(-6.5, 6.5), ylim=(-3.3, 3.3))
        axes[4].plot(v.x, v.x**2, color=RED)
        axes[4].set_title("ρ = 0, y = x²")
        for ax in axes:
            ax.set(xticks=[], yticks=[])


class MatrixStep(Step):
    name = "matrix"
    title = "A data matrix of five people"
    topics = (10, 6)
    question = """\
Five people, height and weight: how many random variables are that? Two; the people are the sample, so Σ is
2 × 2, not 5 × 5. Two of them happen to measure the same: still a valid sample, since draws may repeat."""
    code = """\
x = np.array([[170, 65], [182, 80], [170, 65], [160, 58], [175, 77]])
sigma = ll.covariance(x)  # of cm and kg
sigma, ll.correlation(x)[0, 1]
five = ll.MultivariateNormal.fit(x)
five.fit_report.log_likelihood"""
    caption = "Five people, four points; the lines are one and two standard deviations from the mean."
    legend = "two people are in one place"
    size = (7.2, 2.5)

    def picture(self, v: Any) -> list[str]:
        return text.chart(np.array([155, 187]), {}, (55, 83), x_label="height (cm); up: weight (kg)", dots=v.x.T,
                          shape=(7, 50))

    def figure(self, v: Any, fig: Any) -> None:
        ax = fig.subplots()
        draw_ellipses(ax, ll.MultivariateNormal(v.x.mean(axis=0), v.sigma), (1, 2))
        ax.plot(*v.x.T, "o", color=BLUE, ms=7)
        arrow = {"arrowstyle": "-", "color": MUTED, "lw": 0.8}
        note(ax, "two people", (170, 65), (30, -30), arrowprops=arrow)
        ax.set(xlabel="height (cm)", ylabel="weight (kg)")


def draw_ellipses(ax: Any, d: Any, radii: Any, *, color: str = RED) -> None:
    """Lines of equal density of a Gaussian of two dimensions, so many standard deviations from its mean."""
    angle = np.linspace(0, 2 * np.pi, 181)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for r in radii:
        ax.plot(*(np.asarray(d.mean)[:, None] + r * np.asarray(d.scale_tril) @ circle), color=color, lw=1.3)
    ax.plot(*d.mean, "+", color=color, ms=9, mew=1.8)


class PeopleStep(Step):
    name = "people"
    title = "507 people, one Gaussian"
    topics = (7, 13)
    question = """\
Height and weight of 507 people, fitted by a Gaussian of two dimensions. How likely are they under it, what
is the correlation worth, and who is most unusual?"""
    formula = "f(x) = exp(−½ (x − μ)ᵀ Σ⁻¹ (x − μ)) / √((2π)ᵏ |Σ|)"
    code = """\
body = load_body()
x = np.column_stack([body.height, body.weight])
people = ll.MultivariateNormal.fit(x)  # maximum likelihood
people.mean, people.std, people.correlation[0, 1]
alone = ll.Normal.fit(x, axis=0)  # as if independent
people.fit_report.log_likelihood, alone.fit_report.log_likelihood.sum()
log_prob = people.log_prob(x)
odd = log_prob.argsort()[:3]
{name: (x[i], log_prob[i]) for name, i in zip("ABC", odd)}"""
    caption = "A, B, C: the most unusual. The lines hold 50, 90 and 99 % of the Gaussian."
    size = (7.2, 4.0)

    def picture(self, v: Any) -> list[str]:
        x, letters = v.x, {letter: int(i) for letter, i in zip("ABC", v.odd, strict=True)}
        lines = [f"    {x[:, 1].max():.0f} kg"]
        lines += ["    |" + line.rstrip() for line in text.scatter(x[:, 0], x[:, 1], letters, shape=(13, 64))]
        return [
            *lines,
            f"    {x[:, 1].min():.0f} kg" + "-" * 59,
            f"     {x[:, 0].min():.0f} cm" + f"{x[:, 0].max():.0f} cm".rjust(58),
        ]

    def figure(self, v: Any, fig: Any) -> None:
        ax, male = fig.subplots(), v.body.male
        ax.plot(*v.x[~male].T, "o", color=GOLD, ms=3.5, alpha=0.75, mew=0, label="women")
        ax.plot(*v.x[male].T, "o", color=BLUE, ms=3.5, alpha=0.75, mew=0, label="men")
        # P(distance² > r²) = exp(-r²/2) in two dimensions.
        draw_ellipses(ax, v.people, np.sqrt(-2 * np.log([0.5, 0.1, 0.01])))
        for letter, i in zip("ABC", v.odd, strict=True):
            note(ax, letter, v.x[i], (5, 4), weight="bold")
        ax.set(xlabel="height (cm)", ylabel="weight (kg)")
        ax.legend(loc="lower right", markerscale=1.8)


class MarginalStep(Step):
    name = "marginal"
    title = "Marginal and conditional"
    topics = (8,)
    question = """\
Forget the height: the weights alone are a marginal. Know the height: what remains of the weights is a
conditional, the joint density over the marginal one. It is narrower, by √(1 − ρ²)."""
    formula = "f(w) = ∫ f(h, w) dh;   f(w | h) = f(h, w) / f(h)"
    needs = "people"
    code = """\
height, weight = people.marginal([0]), people.marginal([1])
given = {h: people.condition({0: h}) for h in (160, 190)}
{"all": (weight.mean, weight.std)}
{h: (d.mean, d.std) for h, d in given.items()}
joint = people.log_prob([190, 90])
joint - height.log_prob([190]), given[190].log_prob([90])"""
    caption = "Weights of all people, and of those of 160 and 190 cm."
    size = (7.2, 2.7)

    def charts(self, v: Any) -> list[Chart]:
        w = np.linspace(28, 122, 301)
        curves = {"all": v.weight.prob(w[:, None])} | {f"{h} cm": d.prob(w[:, None]) for h, d in v.given.items()}
        return [Chart(w, curves, "weight (kg)", (0, 0.048), colours=(MUTED, GOLD, BLUE), fill=True)]


class DegenerateStep(Step):
    name = "degenerate"
    title = "ρ = 1: all the mass on a line"
    topics = (9, 6)
    question = """\
With ρ = 1 the determinant of Σ is 0: the mass lies on a line, and no density exists over the plane. That is
an error that says so, unless the density on the line is asked for: −∞ off the line."""
    formula = "ρ → ±1:  |Σ| = σ₁² σ₂² (1 − ρ²) → 0"
    code = """\
sigma = [[4, 2], [2, 1]]  # standard deviations 2 and 1, correlation 1
try:
    ll.MultivariateNormal([0, 0], sigma)
except np.linalg.LinAlgError as error:
    print(error)
line = ll.MultivariateNormal([0, 0], sigma, allow_singular=True)
line.rank, line.log_prob([[2, 1], [2, 1.1]])"""
    caption = "Samples for ρ = 0.9, 0.99 and 1, with the ellipse of two standard deviations."
    size = (7.2, 2.2)

    @staticmethod
    def _at(rho: float) -> Any:
        return ll.MultivariateNormal([0, 0], [[4, 2 * rho], [2 * rho, 1]], allow_singular=rho == 1)

    def picture(self, v: Any) -> list[str]:
        blocks = []
        for rho in (0.9, 0.99, 1):
            s = np.asarray(self._at(rho).sample(300, rng=3))
            blocks.append([*text.scatter(s[:, 0], s[:, 1], {}, shape=(7, 21)), f"{rho}".center(21)])
        return text.beside(blocks)

    def figure(self, v: Any, fig: Any) -> None:
        for ax, rho in zip(fig.subplots(1, 3, sharey=True), (0.9, 0.99, 1), strict=True):
            d = self._at(rho)
            ax.plot(*np.asarray(d.sample(300, rng=3)).T, ".", color=BLUE, ms=3, alpha=0.7)
            if rho < 1:
                draw_ellipses(ax, d, (2,))
            ax.set(title=f"ρ = {rho}, |Σ| = {4 * (1 - rho**2):.3g}", xlim=(-6.5, 6.5), ylim=(-3.4, 3.4))


class ImagesStep(Step):
    name = "images"
    title = "A picture is a point in 64 dimensions"
    topics = (12,)
    question = """\
Each pixel of an 8 × 8 image is one dimension, ink (1) or paper (0); the images of a set are an IID sample.
Log-likelihoods add: over the pixels to that of an image, over the images to that of the set."""
    formula = "log P(D) = Σ over images  Σ over pixels  log b(x)"
    code = """\
digits = load_digits()
ink = (digits.images >= 8).reshape(-1, 64)  # 1797 images of 64 pixels
zeros = ink[digits.labels == 0]
pixel = ll.Bernoulli.fit(zeros, axis=0, prior=ll.priors.Beta(2, 2))
each = pixel.log_prob(ink).sum(axis=1)  # one log-likelihood for each image
{k: each[digits.labels == k].mean() for k in range(4)}
pixel.log_prob(zeros).sum(), each[digits.labels == 0].sum()"""
    caption = "The pixels' probabilities of ink in a 0; a 0 and a 3 with their log-likelihoods as a 0."
    size = (7.2, 2.1)

    @staticmethod
    def _pictures(v: Any) -> tuple[list[np.ndarray], list[str]]:
        zero, three = (int(np.flatnonzero(v.digits.labels == k)[0]) for k in (0, 3))
        return [x.reshape(8, 8) for x in (v.pixel.probs, v.ink[zero], v.ink[three])], [
            "P(ink)",
            f"{v.each[zero]:.2f} nats",
            f"{v.each[three]:.2f} nats",
        ]

    def picture(self, v: Any) -> list[str]:
        pictures, captions = self._pictures(v)
        blocks = [[*text.shades(p, width=2), c.center(16)] for p, c in zip(pictures, captions, strict=True)]
        return text.beside(blocks, gap="      ")

    def figure(self, v: Any, fig: Any) -> None:
        axes = fig.subplots(1, 4, width_ratios=(1, 1, 1, 2.2))
        for ax, picture, caption in zip(axes, *self._pictures(v), strict=False):
            show_image(ax, picture)
            ax.set_xlabel(caption)
        bins = np.linspace(-100, 0, 51)
        for k, colour in ((0, BLUE), (3, RED)):
            axes[3].hist(v.each[v.digits.labels == k], bins, color=colour, alpha=0.6, label=f"images of {k}")
        axes[3].set(xlabel="log-likelihood as a 0 (nats)", yticks=[])
        axes[3].legend(loc="upper left")


STEPS = (
    TestStep(),
    TwoDiceStep(),
    CltStep(),
    FiveStep(),
    UniformStep(),
    NormalStep(),
    VarianceStep(),
    BernoulliStep(),
    CorrelationStep(),
    MatrixStep(),
    PeopleStep(),
    MarginalStep(),
    DegenerateStep(),
    ImagesStep(),
)
