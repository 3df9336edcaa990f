"""Other libraries on the same arrays: SciPy, torch (also compiled), JAX, scikit-learn, and FLINT, icepool and dyce
for dice, where they are installed.

Each table maps a kernel's name to a function that takes its arguments and returns a callable to time. A
library is imported only when a benchmark asks for peers. They run with as many threads as loglik: `loglik
bench` starts its process with the environment variables that their thread pools read, and torch is told
here.
"""

import importlib
import math
import warnings
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

Prepared = Callable[[], object]
Maker = Callable[..., Prepared | None]  # None: it does not run here

NAMES = ("numpy_fft", "flint", "icepool", "dyce", "scipy", "sklearn", "torch", "torch_compile", "jax")


def contestants(
    kernel: str, arguments: tuple[Any, ...], *, threads: int, names: Collection[str] = NAMES
) -> dict[str, Prepared]:
    """Every installed peer among `names` that has `kernel`, ready to run on `arguments` (NumPy arrays)."""
    found = {}
    for name, makers in _installed(threads, names):
        if kernel in makers:
            prepared = makers[kernel](*arguments)
            if prepared is not None:
                found[name] = prepared
    return found


def _installed(threads: int, names: Collection[str]) -> Iterator[tuple[str, dict[str, Maker]]]:
    for name, module, table in (
        ("numpy_fft", "numpy", _numpy_fft),
        ("flint", "flint", _flint),
        ("icepool", "icepool", _icepool),
        ("dyce", "dyce", _dyce),
        ("scipy", "scipy", _scipy),
        ("sklearn", "sklearn", _sklearn),
        ("torch", "torch", _torch),
        ("torch_compile", "torch", _torch_compile),
        ("jax", "jax", _jax),
    ):
        if name not in names:
            continue
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        yield name, table(threads)


def _numpy_fft(threads: int) -> dict[str, Maker]:
    def dice(n: int, sides: int) -> Prepared:
        size = n * (sides - 1) + 1
        die = np.full(sides, 1 / sides)
        return lambda: np.fft.irfft(np.fft.rfft(die, size) ** n, size)

    def poisson_binomial(p: np.ndarray) -> Prepared:
        def run() -> np.ndarray:
            size = 1 << (2 * len(p)).bit_length()
            rows = np.zeros((size // 2, 2))
            rows[:, 0], rows[: len(p), 0], rows[: len(p), 1] = 1, 1 - p, p
            while len(rows) > 1:
                width = 2 * rows.shape[1]
                spectra = np.fft.rfft(rows, width)
                rows = np.fft.irfft(spectra[::2] * spectra[1::2], width)
            return rows[0, : len(p) + 1]

        return run

    return {"dice": dice, "poisson_binomial": poisson_binomial}


def _flint(threads: int) -> dict[str, Maker]:
    flint = importlib.import_module("flint")

    def counts(n: int, sides: int) -> Prepared:
        die = flint.fmpz_poly([1] * sides)
        return lambda: die**n

    return {"dice_counts": counts}


def _icepool(threads: int) -> dict[str, Maker]:
    icepool = importlib.import_module("icepool")

    def dice(n: int, sides: int) -> Prepared | None:
        if n * sides > 6000:  # seconds
            return None
        return lambda: [float(p) for p in (n @ icepool.d(sides)).probabilities()]

    def counts(n: int, sides: int) -> Prepared | None:
        def run() -> Any:
            return (n @ icepool.d(sides)).quantities()

        return run if n * sides <= 6000 else None

    return {"dice": dice, "dice_counts": counts}


def _dyce(threads: int) -> dict[str, Maker]:
    die = importlib.import_module("dyce").H

    def dice(n: int, sides: int) -> Prepared | None:
        def run() -> list[float]:
            counts = list((n @ die(sides)).values())
            total = sum(counts)
            return [count / total for count in counts]

        return run if n * sides <= 600 else None

    return {"dice": dice}


def _scipy(threads: int) -> dict[str, Maker]:
    from scipy import linalg, signal, special, stats
    from scipy.spatial import distance

    def unary(function: Callable) -> Maker:
        return lambda x: lambda: function(x)

    def mvn(x, loc, covariance):
        frozen = stats.multivariate_normal(loc, covariance)
        return lambda: frozen.logpdf(x)

    return {
        "sigmoid": unary(special.expit),
        "log_sigmoid": unary(special.log_expit),
        "erf": unary(special.erf),
        "erfc": unary(special.erfc),
        "log_ndtr": unary(special.log_ndtr),
        "ndtri": unary(special.ndtri),
        "ndtr": unary(special.ndtr),
        "normal_log_prob": lambda x, loc, scale: lambda: stats.norm.logpdf(x, loc, scale),
        "laplace_log_prob": lambda x, loc, scale: lambda: stats.laplace.logpdf(x, loc, scale),
        "uniform_log_prob": lambda x, low, high: lambda: stats.uniform.logpdf(x, low, high - low),
        "mvn_shared": mvn,
        "cholesky": lambda a: lambda: linalg.cholesky(a, lower=True),
        "relative_entropy": lambda p, q: lambda: special.kl_div(p, q),
        "rows_kl": lambda p, q, axis: lambda: stats.entropy(p, q, axis=axis),
        "rows_js": lambda p, q, axis: lambda: distance.jensenshannon(p, q, axis=axis) ** 2,
        "rows_cross_entropy": lambda p, q, axis: lambda: -special.xlogy(p, q).sum(axis=axis),
        "convolve_two": lambda a, b: lambda: signal.fftconvolve(a, b),
    }


def _sklearn(threads: int) -> dict[str, Maker]:
    def grid(x, loc, covariance):
        from sklearn.mixture import GaussianMixture

        mixture = GaussianMixture(len(loc))
        mixture.weights_, mixture.means_ = np.full(len(loc), 1 / len(loc)), loc
        mixture.covariances_ = covariance
        mixture.precisions_cholesky_ = np.linalg.inv(np.linalg.cholesky(covariance)).swapaxes(1, 2)
        return lambda: mixture._estimate_log_prob(x)  # score_samples would add the log-sum-exp

    def mean_covariance(x, weights):
        from sklearn.covariance import EmpiricalCovariance

        return None if weights is not None else lambda: EmpiricalCovariance(store_precision=False).fit(x)

    def mixture_fit(x, options):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        def run():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                return GaussianMixture(**options).fit(x)

        return run

    return {"mvn_grid": grid, "mean_covariance": mean_covariance, "mixture_fit": mixture_fit}


def _torch(threads: int) -> dict[str, Maker]:
    import torch
    from torch.distributions import Bernoulli, Laplace, MultivariateNormal, Normal, Uniform, kl_divergence
    from torch.nn import functional

    torch.set_num_threads(threads)

    def tensors(*arrays: np.ndarray) -> list:
        return [torch.from_numpy(np.ascontiguousarray(a)) if np.ndim(a) else torch.tensor(a) for a in arrays]

    def unary(function: Callable) -> Maker:
        def prepare(x):
            (t,) = tensors(x)
            return lambda: function(t)

        return prepare

    def bce(reduction: str) -> Maker:
        def prepare(targets, logits):
            t, z = tensors(targets, logits)
            return lambda: functional.binary_cross_entropy_with_logits(z, t, reduction=reduction)

        return prepare

    def bce_gradient(targets, logits):
        t, z = tensors(targets, logits)
        z.requires_grad_()

        def run():
            z.grad = None
            functional.binary_cross_entropy_with_logits(z, t, reduction="sum").backward()

        return run

    def gaussian(targets, mean, variance):
        t, m, v = tensors(targets, mean, variance)
        return lambda: functional.gaussian_nll_loss(m, t, v, full=True, reduction="sum")

    def cross_entropy(targets, logits):
        t, z = tensors(targets, logits)
        return lambda: functional.cross_entropy(z, t, reduction="sum")

    def cross_entropy_gradient(targets, logits):
        t, z = tensors(targets, logits)
        z.requires_grad_()

        def run():
            z.grad = None
            functional.cross_entropy(z, t, reduction="sum").backward()

        return run

    def vae(loc, log_variance):
        m, v = tensors(loc, log_variance)
        return lambda: 0.5 * (m.square() + v.exp() - 1 - v).sum()

    def mvn(x, loc, covariance):
        x, loc, covariance = tensors(x, loc, covariance)
        p = MultivariateNormal(loc, covariance, validate_args=False)
        return lambda: p.log_prob(x)

    def mvn_one_shot(x, loc, covariance):
        x, loc, covariance = tensors(x, loc, covariance)
        return lambda: MultivariateNormal(loc, covariance, validate_args=False).log_prob(x)

    def mvn_gradient(x, loc, covariance):
        arguments = [a.requires_grad_() for a in tensors(x, loc, covariance)]

        def run():
            for a in arguments:
                a.grad = None
            x, loc, covariance = arguments
            MultivariateNormal(loc, covariance, validate_args=False).log_prob(x).sum().backward()

        return run

    def mvn_grid(x, loc, covariance):
        x, loc, covariance = tensors(x[:, None, :], loc, covariance)
        p = MultivariateNormal(loc, covariance, validate_args=False)
        return lambda: p.log_prob(x)

    def normal(x, loc, scale):
        x, loc, scale = tensors(x, loc, scale)
        return lambda: Normal(loc, scale, validate_args=False).log_prob(x)

    def laplace(x, loc, scale):
        x, loc, scale = tensors(x, loc, scale)
        return lambda: Laplace(loc, scale, validate_args=False).log_prob(x)

    def laplace_sample(n, loc, scale):
        loc, scale = tensors(loc, scale)
        p = Laplace(loc, scale, validate_args=False)
        return lambda: p.sample((n,))

    def laplace_kl(*parameters):
        a, b, c, d = tensors(*parameters)
        p, q = Laplace(a, b, validate_args=False), Laplace(c, d, validate_args=False)
        return lambda: kl_divergence(p, q)

    def normals(n, dtype):
        out = torch.empty(n, dtype=getattr(torch, dtype))
        return out.normal_

    def uniforms(n, dtype):
        out = torch.empty(n, dtype=getattr(torch, dtype))
        return out.uniform_

    def normal_sample(n, loc, scale):
        out = torch.empty(n, dtype=getattr(torch, str(loc.dtype)))
        return lambda: out.normal_(float(loc), float(scale))

    def mvn_sample(n, loc, factor):
        loc, factor = tensors(loc, factor)
        p = MultivariateNormal(loc, scale_tril=factor, validate_args=False)
        return lambda: p.sample((n,))

    def bernoulli_sample(n, p):
        out = torch.empty(n, dtype=torch.bool)
        return lambda: out.bernoulli_(p)

    def discrete_sample(n, probs):
        (probs,) = tensors(probs)
        return lambda: torch.multinomial(probs, n, replacement=True)

    def normal_kl(*parameters):
        a, b, c, d = tensors(*parameters)
        p, q = Normal(a, b, validate_args=False), Normal(c, d, validate_args=False)
        return lambda: kl_divergence(p, q)

    def uniform_kl(*parameters):
        a, b, c, d = tensors(*parameters)
        p, q = Uniform(a, b, validate_args=False), Uniform(c, d, validate_args=False)
        return lambda: kl_divergence(p, q)

    def bernoulli_kl(*parameters):
        p, q = (Bernoulli(t, validate_args=False) for t in tensors(*parameters))
        return lambda: kl_divergence(p, q)

    def rows_kl(p, q, axis):
        p, q = tensors(p, q)
        return lambda: functional.kl_div(q.log(), p, reduction="none").sum(axis)

    def rows_js(p, q, axis):
        p, q = tensors(p, q)

        def run():
            log_mean = ((p + q) / 2).log()
            return 0.5 * sum(functional.kl_div(log_mean, x, reduction="none").sum(axis) for x in (p, q))

        return run

    def rows_cross_entropy(p, q, axis):
        p, q = tensors(p, q)
        return lambda: -torch.xlogy(p, q).sum(axis)

    def mvn_kl(*parameters):
        a, b, c, d = tensors(*parameters)
        p = MultivariateNormal(a, b, validate_args=False)
        q = MultivariateNormal(c, d, validate_args=False)
        return lambda: kl_divergence(p, q)

    def monte_carlo_kl(n, *parameters):
        a, b, c, d = tensors(*parameters)
        p = MultivariateNormal(a, b, validate_args=False)
        q = MultivariateNormal(c, d, validate_args=False)

        def run():
            x = p.sample((n,))
            return (p.log_prob(x) - q.log_prob(x)).mean()

        return run

    def monte_carlo_js(n, *parameters):
        a, b, c, d = tensors(*parameters)
        p = MultivariateNormal(a, b, validate_args=False)
        q = MultivariateNormal(c, d, validate_args=False)

        def to_middle(f, x):
            log_p, log_q = p.log_prob(x), q.log_prob(x)
            return (f.log_prob(x) - torch.logaddexp(log_p, log_q)).mean() + math.log(2)

        return lambda: (to_middle(p, p.sample((n // 2,))) + to_middle(q, q.sample((n // 2,)))) / 2

    def mean_covariance(x, weights):
        (t,) = tensors(x)
        w = None if weights is None else torch.from_numpy(weights.astype(x.dtype))
        return lambda: (t.mean(0), torch.cov(t.T, correction=0, aweights=w))

    return {
        "mean_covariance": mean_covariance,
        "softplus": unary(functional.softplus),
        "sigmoid": unary(torch.sigmoid),
        "log_sigmoid": unary(functional.logsigmoid),
        "exp": unary(torch.exp),
        "log": unary(torch.log),
        "log1p": unary(torch.log1p),
        "expm1": unary(torch.expm1),
        "erf": unary(torch.erf),
        "erfc": unary(torch.erfc),
        "log_ndtr": unary(torch.special.log_ndtr),
        "ndtri": unary(torch.special.ndtri),
        "ndtr": unary(torch.special.ndtr),
        "normal_log_prob": normal,
        "laplace_log_prob": laplace,
        "bernoulli_nll": bce("none"),
        "bernoulli_nll_sum": bce("sum"),
        "bernoulli_nll_gradient": bce_gradient,
        "gaussian_nll_sum_variance": gaussian,
        "categorical_nll_sum": cross_entropy,
        "categorical_nll_gradient": cross_entropy_gradient,
        "kl_standard_normal": vae,
        "mvn_shared": mvn,
        "mvn_points": mvn_one_shot,
        "mvn_gradient": mvn_gradient,
        "mvn_grid": mvn_grid,
        "cholesky": unary(torch.linalg.cholesky),
        "normals": normals,
        "uniforms": uniforms,
        "normal_sample": normal_sample,
        "laplace_sample": laplace_sample,
        "mvn_sample": mvn_sample,
        "bernoulli_sample": bernoulli_sample,
        "discrete_sample": discrete_sample,
        "normal_kl": normal_kl,
        "laplace_kl": laplace_kl,
        "uniform_kl": uniform_kl,
        "bernoulli_kl": bernoulli_kl,
        "rows_kl": rows_kl,
        "rows_js": rows_js,
        "rows_cross_entropy": rows_cross_entropy,
        "mvn_kl": mvn_kl,
        "monte_carlo_kl": monte_carlo_kl,
        "monte_carlo_js": monte_carlo_js,
    }


def _torch_compile(threads: int) -> dict[str, Maker]:
    """The losses as one would write them in torch, compiled (which needs a C++ compiler)."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)

    def compiled(function: Callable) -> Maker:
        def prepare(*arrays: np.ndarray) -> Prepared | None:
            tensors = [torch.from_numpy(np.ascontiguousarray(a)) for a in arrays]
            fast = torch.compile(function, dynamic=False)
            try:
                fast(*tensors)
            except Exception:  # whatever the compiler's tool chain says
                return None
            return lambda: fast(*tensors)

        return prepare

    def bce(reduction: str) -> Callable:
        return lambda t, z: functional.binary_cross_entropy_with_logits(z, t, reduction=reduction)

    return {
        "bernoulli_nll": compiled(bce("none")),
        "bernoulli_nll_sum": compiled(bce("sum")),
        "gaussian_nll_sum_variance": compiled(
            lambda t, m, v: functional.gaussian_nll_loss(m, t, v, full=True, reduction="sum")
        ),
        "categorical_nll_sum": compiled(lambda t, z: functional.cross_entropy(z, t, reduction="sum")),
        "kl_standard_normal": compiled(lambda m, v: 0.5 * (m.square() + v.exp() - 1 - v).sum()),
    }


def _jax(threads: int) -> dict[str, Maker]:
    import jax
    from jax import nn, random
    from jax import numpy as jnp
    from jax.scipy import stats

    jax.config.update("jax_enable_x64", True)

    def jitted(function: Callable) -> Maker:
        def prepare(*arrays):
            compiled = jax.jit(function)
            on_device = [jnp.asarray(a) for a in arrays]
            return lambda: jax.block_until_ready(compiled(*on_device))

        return prepare

    def bce(targets, logits):
        return jnp.maximum(logits, 0) - targets * logits + jnp.log1p(jnp.exp(-jnp.abs(logits)))

    def bce_sum(targets, logits):
        return bce(targets, logits).sum()

    def gaussian(targets, mean, variance):
        return -stats.norm.logpdf(targets, mean, jnp.sqrt(variance)).sum()

    def cross_entropy(targets, logits):
        chosen = jnp.take_along_axis(logits, targets[:, None], -1)[:, 0]
        return (nn.logsumexp(logits, axis=-1) - chosen).sum()

    def vae(loc, log_variance):
        return 0.5 * (loc**2 + jnp.exp(log_variance) - 1 - log_variance).sum()

    def drawn(function: Callable) -> Callable[[], Any]:
        key, compiled = random.key(0), jax.jit(function)
        return lambda: jax.block_until_ready(compiled(key))

    def normals(n, dtype):
        return drawn(lambda k: random.normal(k, (n,), dtype=dtype))

    def uniforms(n, dtype):
        return drawn(lambda k: random.uniform(k, (n,), dtype=dtype))

    def normal_sample(n, loc, scale):
        return drawn(lambda k: loc + scale * random.normal(k, (n,), dtype=loc.dtype))

    def mvn_sample(n, loc, factor):
        return drawn(lambda k: loc + random.normal(k, (n, len(loc)), dtype=loc.dtype) @ factor.T)

    def bernoulli_sample(n, p):
        return drawn(lambda k: random.bernoulli(k, p, (n,)))

    def discrete_sample(n, probs):
        return drawn(lambda k: random.choice(k, len(probs), (n,), p=jnp.asarray(probs)))

    def grid(x, loc, covariance):
        return jax.vmap(lambda m, c: stats.multivariate_normal.logpdf(x, m, c), out_axes=1)(loc, covariance)

    def points(x, loc, covariance):
        return jax.vmap(stats.multivariate_normal.logpdf)(x, loc, covariance)

    return {
        "softplus": jitted(nn.softplus),
        "sigmoid": jitted(nn.sigmoid),
        "log_sigmoid": jitted(nn.log_sigmoid),
        "exp": jitted(jnp.exp),
        "log": jitted(jnp.log),
        "log1p": jitted(jnp.log1p),
        "expm1": jitted(jnp.expm1),
        "erf": jitted(jax.scipy.special.erf),
        "erfc": jitted(jax.scipy.special.erfc),
        "log_ndtr": jitted(jax.scipy.special.log_ndtr),
        "ndtri": jitted(jax.scipy.special.ndtri),
        "ndtr": jitted(jax.scipy.special.ndtr),
        "normal_log_prob": jitted(stats.norm.logpdf),
        "bernoulli_nll": jitted(bce),
        "bernoulli_nll_sum": jitted(bce_sum),
        "bernoulli_nll_gradient": jitted(jax.value_and_grad(bce_sum, argnums=1)),
        "gaussian_nll_sum_variance": jitted(gaussian),
        "categorical_nll_sum": jitted(cross_entropy),
        "categorical_nll_gradient": jitted(jax.value_and_grad(cross_entropy, argnums=1)),
        "kl_standard_normal": jitted(vae),
        "mvn_shared": jitted(stats.multivariate_normal.logpdf),
        "mvn_points": jitted(points),
        "mvn_grid": jitted(grid),
        "cholesky": jitted(jnp.linalg.cholesky),
        "normals": normals,
        "uniforms": uniforms,
        "normal_sample": normal_sample,
        "mvn_sample": mvn_sample,
        "bernoulli_sample": bernoulli_sample,
        "discrete_sample": discrete_sample,
    }
