"""Chapter 2 of the tour: maximum likelihood."""

from typing import Any

import numpy as np

import loglik as ll
from loglik.tour import _text as text
from loglik.tour._figures import BLUE, INK, MUTED, RED, Chart, grid, note
from loglik.tour._step import Step

TITLE = "Maximum likelihood"


class SequenceStep(Step):
    name = "sequence"
    title = "The likelihood of four points"
    topics = (15, 16)
    question = """\
How likely are the points −1, 0, 1, 2 under N(0, 1)? The likelihood of independent points is the product of
their densities; of a thousand points it is smaller than any float. The sum of the logarithms is not."""
    formula = "log L(μ, σ) = −½ Σ ((xᵢ − μ) / σ)² − m log σ − (m / 2) log 2π"
    code = """\
x = np.array([-1.0, 0.0, 1.0, 2.0])
d = ll.Normal(0, 1)
d.prob(x).prod(), d.log_prob(x).sum()
many = d.sample(1000, rng=1)
d.prob(many).prod(), d.log_prob(many).sum()"""
    caption = "The densities of the four points under N(0, 1); their product is L."
    size = (7.2, 2.5)

    def charts(self, v: Any) -> list[Chart]:
        x = np.linspace(-3.5, 3.5, 281)
        return [Chart(x, {"": v.d.prob(x)}, "x", (0, 0.45), dots=(v.x, v.d.prob(v.x)))]

    def figure(self, v: Any, fig: Any) -> None:
        super().figure(v, fig)
        fig.axes[0].vlines(v.x, 0, v.d.prob(v.x), color=RED, lw=1.4)
        for a in v.x:
            note(fig.axes[0], f"{v.d.prob(a):.3f}", (a, v.d.prob(a)), (7, 3))


class SurfaceStep(Step):
    name = "surface"
    title = "Where the likelihood is largest"
    topics = (13, 15, 16)
    question = """\
Which Normal makes −1, 0, 1, 2 most likely? Compute log L for every μ and σ: a surface with one summit, at the
mean and the standard deviation of the points (divided by m, not by m − 1). There the gradient is zero."""
    formula = "μ = (1 / m) Σ xᵢ = 0.5;   σ² = (1 / m) Σ (xᵢ − μ)² = 1.25"
    code = """\
x = np.array([-1.0, 0.0, 1.0, 2.0])
mu, sigma = np.linspace(-1, 2, 301), np.linspace(0.6, 2.4, 301)
every = ll.Normal(mu[:, None, None], sigma[:, None])
surface = every.log_prob(x).sum(axis=2)
i, j = np.unravel_index(surface.argmax(), surface.shape)
mu[i], sigma[j]**2, surface[i, j]  # on the grid
best = ll.Normal.fit(x)
best.mean, best.variance, best.fit_report.log_likelihood
best.log_prob(x, wrt=("loc", "scale"))[1]  # the gradient"""
    caption = "log L over μ and σ: lines for so many nats less than at the maximum, the cross."
    legend = "darker: more likely; each shade is one nat; +: the maximum"
    size = (7.2, 3.6)

    def picture(self, v: Any) -> list[str]:
        rows, cols = 11, 60
        some = v.surface[np.ix_(np.linspace(0, 300, cols).astype(int), np.linspace(300, 0, rows).astype(int))].T
        top = round((2.4 - 1.25**0.5) / 1.8 * (rows - 1)), round(1.5 / 3 * (cols - 1))
        lines = text.shades(1 + (some - v.surface.max()) / 4, marks={"+": top})
        labels = ["σ 2.4", *[""] * (rows - 2), "  0.6"]
        return [f"    {label:5} |{line}" for label, line in zip(labels, lines, strict=True)] + [
            " " * 10 + "+" + "-" * cols,
            " " * 11 + "-1" + "μ".center(cols - 3) + "2",
        ]

    def figure(self, v: Any, fig: Any) -> None:
        ax, best = fig.subplots(), float(v.surface.max())
        below = [16, 8, 4, 2, 1, 0.5, 0.2]
        levels = [best - b for b in below]
        dark, middle = "#10233a", (0.5, 1.25**0.5)
        filled = ax.contourf(v.mu, v.sigma, v.surface.T, [-1e9, *levels, 0], cmap="Blues", vmin=best - 9, vmax=best + 9)
        filled.set_edgecolor("face")
        lines = ax.contour(v.mu, v.sigma, v.surface.T, levels, colors=dark, linewidths=0.5, linestyles="solid")
        ax.clabel(lines, fmt=dict(zip(levels, (f"−{b:g}" for b in below), strict=True)), fontsize=8)
        ax.plot(*middle, "+", color="#c0392b", ms=13, mew=2.2)
        note(ax, "−6.1220", middle, (8, 6), color=dark)
        ax.plot(0, 1, "o", color=dark, ms=4)
        note(ax, "N(0, 1): −6.6758", (0, 1), (-8, -3), color=dark, ha="right")
        ax.set(xlabel="μ", ylabel="σ")


class FitStep(Step):
    name = "fit"
    title = "Estimates, family by family"
    topics = (13, 4, 5, 11)
    question = """\
Maximum likelihood, family by family: the Uniform takes the smallest and the largest value, the Normal mean and
standard deviation, the Bernoulli the share of ones. Do they find U(2, 5), N(3, 2²) and 0.3 from a thousand
samples? (The last line: which family suits the uniform samples? The smaller AIC.)"""
    code = """\
truth = ll.Uniform(2, 5), ll.Normal(3, 2), ll.Bernoulli(0.3)
data = [d.sample(1000, rng=7) for d in truth]
found = [type(d).fit(x) for d, x in zip(truth, data)]
def estimates(d):
    errors = d.fit_report.standard_errors.items()
    return "   ".join(
        f"{k} {getattr(d, k):.3f} ± {e:.3f}" for k, e in errors)
{type(d).__name__: estimates(d) for d in found}
ll.Normal.fit(data[0]).fit_report.aic, found[0].fit_report.aic"""
    caption = "A thousand samples of each, with the truth (dashed) and what was found."
    size = (7.2, 2.5)

    def picture(self, v: Any) -> list[str]:
        blocks, bins = [], (np.linspace(1.5, 5.5, 21), np.linspace(-4, 10, 21), np.linspace(-0.5, 1.5, 3))
        for data, edges, d in zip(v.data, bins, v.truth, strict=True):
            counts = np.histogram(data, edges)[0]
            width = 20 // len(counts)
            blocks.append([*text.columns(counts, 6, width=width), type(d).__name__.center(width * len(counts))])
        return text.beside(blocks)

    def figure(self, v: Any, fig: Any) -> None:
        axes = fig.subplots(1, 3, width_ratios=(2, 2, 1))
        grids = np.linspace(1.5, 5.5, 401), np.linspace(-5, 11, 401)
        for ax, data, truth, found, x in zip(axes, v.data, v.truth, v.found, grids, strict=False):
            ax.hist(data, 30, density=True, color=BLUE, alpha=0.35)
            ax.plot(x, found.prob(x), color=BLUE, label="found")
            ax.plot(x, truth.prob(x), color=RED, ls="--", lw=1.3, label="truth")
            ax.set(title=type(truth).__name__, yticks=[])
        axes[2].bar([0, 1], v.found[2].prob([0, 1]), color=BLUE, alpha=0.6, width=0.6)
        axes[2].hlines(v.truth[2].prob([0, 1]), [-0.4, 0.6], [0.4, 1.4], color=RED, ls="--")
        axes[2].set(title="Bernoulli", xticks=[0, 1], yticks=[])
        axes[0].set_ylim(0, 0.52)
        axes[0].legend(loc="upper right", ncols=2)


class MapStep(Step):
    name = "map"
    title = "MAP against MLE: three heads in three throws"
    topics = (13,)
    question = """\
Three throws, three heads. Maximum likelihood says that tails are impossible. A prior of Beta(3, 3), as if two
heads and two tails had been seen before, disagrees; a flat prior, Beta(1, 1), gives maximum likelihood back;
and after many throws the prior hardly matters."""
    formula = "MLE: argmax P(D | θ);   MAP: argmax P(θ | D) = argmax P(D | θ) P(θ)"
    code = """\
throws = np.append([1, 1, 1], ll.Bernoulli(0.7).sample(997, rng=1))
priors = None, ll.priors.Beta(1, 1), ll.priors.Beta(3, 3)
def estimates(x):
    return tuple(ll.Bernoulli.fit(x, prior=p).probs for p in priors)
{n: estimates(throws[:n]) for n in (3, 10, 100, 1000)}"""
    caption = "Prior, likelihood and posterior of θ after three heads, each with area 1."
    size = (7.2, 2.7)

    def charts(self, v: Any) -> list[Chart]:
        t = np.linspace(0, 1, 201)
        curves = {"prior, Beta(3, 3)": 30 * t**2 * (1 - t) ** 2, "likelihood": 4 * t**3}
        curves["posterior"] = 168 * t**5 * (1 - t) ** 2  # each with area 1
        return [Chart(t, curves, "θ, the chance of heads", (0, 4.3), colours=(MUTED, RED, BLUE))]

    def figure(self, v: Any, fig: Any) -> None:
        super().figure(v, fig)
        for at, top, colour, label in ((1, 4, RED, "MLE 1"), (5 / 7, 2.5, BLUE, "MAP 5/7")):
            fig.axes[0].axvline(at, color=colour, lw=0.9, ls="--")
            note(fig.axes[0], label, (at, top), (-5, 2), ha="right", color=colour)


class BertrandStep(Step):
    name = "bertrand"
    title = "Bertrand's chords: three answers"
    topics = (14,)
    question = """\
A random chord of the unit circle: how often is it longer than the side √3 of the inscribed triangle? That
depends on what is drawn uniformly: two points on the circle, a point on a radius, or the chord's midpoint
in the disc. A model is not in the data; it has to be said."""
    formula = "P(length > √3) = 1/3, 1/2, 1/4;   mean length = 4/π, π/2, 4/3"
    code = """\
n, u = 1_000_000, ll.Uniform(0, 1)
a, b = ll.Uniform(0, 2 * np.pi).sample((2, n), rng=1)
chords = {"two endpoints": 2 * np.abs(np.sin((a - b) / 2)),
          "point on a radius": 2 * np.sqrt(1 - u.sample(n, rng=2)**2),
          "midpoint in the disc": 2 * np.sqrt(1 - u.sample(n, rng=3))}
def mean(x):
    return f"{x.mean():.5f} ± {x.std() / np.sqrt(n):.5f}"
{name: (mean(c > np.sqrt(3)), mean(c)) for name, c in chords.items()}"""
    caption = "Two hundred chords of each kind; red: longer than the triangle's side."
    size = (7.2, 2.45)

    def picture(self, v: Any) -> list[str]:
        lines = ["    the lengths, from 0 to 2 (every kind has its own density):", ""]
        blocks = [
            [*text.columns(np.histogram(c, np.linspace(0, 2, 21))[0], 6, top=v.n * 0.34), name.center(20)]
            for name, c in v.chords.items()
        ]
        return [*lines, *text.beside(blocks)]

    def figure(self, v: Any, fig: Any) -> None:
        turn = np.linspace(0, 2 * np.pi, 181)
        corner = np.pi / 2 + 2 * np.pi / 3 * np.arange(4)
        for ax, (name, c) in zip(fig.subplots(1, 3), v.chords.items(), strict=True):
            some = c[:200]
            half = np.arcsin(some / 2)  # of the angle that the chord spans
            middle = v.a[200:400]
            if name == "two endpoints":
                half, middle = (v.a - v.b)[:200] / 2, (v.a + v.b)[:200] / 2
            for colour, chosen in ((BLUE, some <= 3**0.5), (RED, some > 3**0.5)):
                ends = np.stack([middle - half, middle + half, np.full(200, np.nan)], axis=1)[chosen].ravel()
                ax.plot(np.cos(ends), np.sin(ends), color=colour, lw=0.5, alpha=0.6)  # one line with gaps
            ax.plot(np.cos(turn), np.sin(turn), color=INK, lw=1)
            ax.plot(np.cos(corner), np.sin(corner), color=INK, lw=1.4)
            ax.set(title=f"{name}: {np.mean(c > 3**0.5):.4f}", aspect="equal")
            ax.axis("off")


class SquaresStep(Step):
    name = "squares"
    title = "Least squares is maximum likelihood"
    topics = (17,)
    question = """\
Fit a line through height and weight. If the noise is Gaussian with a fixed σ, then the line of the least
squares and the line of the greatest likelihood are the same line: one is the other times a constant, plus one."""
    formula = "NLL = Σ (y − f(x))² / (2σ²) + m log σ + (m / 2) log 2π"
    code = """\
body, sigma = load_body(), 10.0
x, y = body.height - body.height.mean(), body.weight - body.weight.mean()
slopes = np.linspace(0.5, 1.5, 1001)
f = slopes[:, None] * x
sse = ((y - f)**2).sum(axis=1)
nll = ll.gaussian_nll(y, mean=f, scale=sigma, reduction="sum", axis=1)
slopes[sse.argmin()], slopes[nll.argmin()]
constant = len(y) * (np.log(sigma) + np.log(2 * np.pi) / 2)
np.abs(nll / (sse / (2 * sigma**2) + constant) - 1).max()"""
    caption = "The line, and both losses over its slope: the same curve on two scales."
    size = (7.2, 2.8)

    def picture(self, v: Any) -> list[str]:
        return text.chart(v.slopes, {"": v.nll}, (1850, 1910), x_label="slope (kg per cm); up: NLL (nats)")

    def figure(self, v: Any, fig: Any) -> None:
        left, right = fig.subplots(1, 2, width_ratios=(1, 1.2))
        left.plot(v.body.height, v.body.weight, ".", color=BLUE, ms=3, alpha=0.7)
        ends = np.array([145.0, 200.0])
        line = v.body.weight.mean() + v.slopes[v.nll.argmin()] * (ends - v.body.height.mean())
        left.plot(ends, line, color=RED)
        left.set(xlabel="height (cm)", ylabel="weight (kg)")
        right.plot(v.slopes, v.nll, color=BLUE)
        right.set_xlabel("slope (kg per cm)")
        right.set_ylabel("NLL (nats)", color=BLUE)
        other = right.twinx()
        other.plot(v.slopes, v.sse / 1000, color=RED, ls=(0, (4, 4)))
        other.spines["right"].set_visible(True)
        other.set_ylabel("squares (1000 kg²)", color=RED)
        right.axvline(v.slopes[v.nll.argmin()], color=MUTED, lw=0.8)


class CrossEntropyStep(Step):
    name = "cross-entropy"
    title = "Cross-entropy is the Bernoulli likelihood"
    topics = (18,)
    question = """\
The loss of a classifier, written down as cross-entropy, is the negative log-likelihood of its targets: the same
numbers. With K classes it is the likelihood of a table. From logits it stays exact where 1 − p is lost."""
    formula = "−log b(x) = −x log p − (1 − x) log(1 − p);   K classes: −log p(class)"
    code = """\
x, p = np.array([1, 0, 1, 1]), np.array([0.9, 0.2, 0.6, 0.99])
-x * np.log(p) - (1 - x) * np.log(1 - p)
-ll.Bernoulli(p).log_prob(x)
ll.bernoulli_nll(x, probs=p, reduction="none")
ll.bernoulli_nll([0, 1], logits=[800.0, -800.0], reduction="none")
logits = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, 0.0]])
ll.categorical_nll([0, 1], logits=logits, reduction="none")"""
    caption = "The loss of a target 1 (blue) and a target 0 (red), over the probability of 1."
    size = (7.2, 2.5)

    def charts(self, v: Any) -> list[Chart]:
        p, z = np.linspace(0.004, 0.996, 249), np.linspace(-8, 8, 161)
        return [
            Chart(x, {f"target {t}": -d.log_prob(t) for t in (1, 0)}, label, (0, 5), "nats")
            for x, d, label in ((z, ll.Bernoulli(logits=z), "logit"), (p, ll.Bernoulli(p), "probability of 1"))
        ]


class DigitsStep(Step):
    name = "digits"
    title = "Reading digits with 640 coins"
    topics = (12, 13, 18)
    question = """\
Every pixel of every class is a Bernoulli variable, learned from the first half of 1,797 digits (as MAP with
Beta(2, 2): as if a blank and a black image had been seen). Which class makes an image of the second half most
likely?"""
    code = """\
digits = load_digits()
ink, labels = (digits.images >= 8).reshape(-1, 64), digits.labels
learn, test, prior = slice(0, 898), slice(898, None), ll.priors.Beta(2, 2)
seen = [ink[learn][labels[learn] == k] for k in range(10)]
fits = [ll.Bernoulli.fit(s, axis=0, prior=prior) for s in seen]
coins = ll.Bernoulli([f.probs for f in fits])
log_prob = coins.log_prob(ink[test, None]).sum(axis=2)  # (image, class)
guess, truth = log_prob.argmax(axis=1), labels[test]
np.mean(guess == truth)  # the share read right; guessing: 0.1
np.array([np.mean(guess[truth == k] == k) for k in range(10)]).round(2)"""
    caption = "Left: the learned probability of ink in each pixel. Right: what each digit was read as."
    size = (7.2, 2.6)

    def picture(self, v: Any) -> list[str]:
        return text.images(v.coins.probs.reshape(10, 8, 8))

    def figure(self, v: Any, fig: Any) -> None:
        table = np.zeros((10, 10))
        np.add.at(table, (v.truth, v.guess), 1)
        left, ax = fig.subplots(1, 2, width_ratios=(1.7, 1))
        grid(left, v.coins.probs.reshape(10, 8, 8), per_row=5)
        ax.imshow(table / table.sum(axis=1, keepdims=True), vmin=0, vmax=1)
        ax.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="is a")
        ax.tick_params(length=0, labelsize=8)


class SampledStep(Step):
    name = "sampled"
    title = "New digits from the coins"
    topics = (19, 11)
    question = """\
A fitted density can be sampled: throw the 64 coins of a class and look at the image. The pixels are right one by
one, but they do not know of each other: strokes are ragged."""
    needs = "digits"
    code = """\
new = coins.sample(2, rng=4)  # (2, 10 classes, 64 pixels)
score = coins.log_prob(new).sum(axis=2)
score[0]
own = log_prob[np.arange(len(truth)), truth]
coins.log_prob(coins.sample(500, rng=5)).sum(axis=2).mean(), own.mean()"""
    caption = "First row: real images; below: sampled ones."
    size = (7.2, 2.5)

    def picture(self, v: Any) -> list[str]:
        return text.images(v.new[0].reshape(10, 8, 8))

    def figure(self, v: Any, fig: Any) -> None:
        real = np.stack([s[0] for s in v.seen])
        grid(fig.subplots(), np.concatenate([real, v.new[0], v.new[1]]).reshape(-1, 8, 8))


class GaussiansStep(Step):
    name = "gaussians"
    title = "New digits from a Gaussian for each class"
    topics = (19, 7, 12)
    question = """\
The grey levels of a class as one Gaussian of 64 dimensions, with a full covariance: now the pixels know of each
other. It reads digits better, and its samples hold together. (The prior adds a variance of 1 to each pixel: some
never change, and a density needs a positive definite covariance.)"""
    needs = "digits"
    code = """\
grey = digits.images.reshape(-1, 64).astype(float)  # 0 to 16
half = [grey[learn][labels[learn] == k] for k in range(10)]
def fit(x):
    prior = ll.priors.NormalInverseWishart(scale=len(x))
    return ll.MultivariateNormal.fit(x, prior=prior)
fits = [fit(h) for h in half]
score = np.stack([f.log_prob(grey[test]) for f in fits], axis=1)
np.mean(score.argmax(axis=1) == truth)
new = np.stack([f.sample(2, rng=k) for k, f in enumerate(fits)], axis=1)"""
    caption = "First row: real images; below: sampled ones."
    size = (7.2, 2.5)

    def picture(self, v: Any) -> list[str]:
        return text.images(v.new[0].reshape(10, 8, 8) / 16)

    def figure(self, v: Any, fig: Any) -> None:
        real = np.stack([h[0] for h in v.half])
        grid(fig.subplots(), np.concatenate([real, v.new[0], v.new[1]]).reshape(-1, 8, 8), vmax=16)


STEPS = (
    SequenceStep(),
    SurfaceStep(),
    FitStep(),
    MapStep(),
    BertrandStep(),
    SquaresStep(),
    CrossEntropyStep(),
    DigitsStep(),
    SampledStep(),
    GaussiansStep(),
)
