"""What people would write in NumPy: one function per kernel, readable as its formula.

They are the yardstick of `loglik bench` and of the tour: the fastest reasonable pure NumPy, no other
package. Most work in any floating type, so that the same formula in ``numpy.longdouble`` gives the values
that errors are measured against; the `exact_...` functions do that where NumPy has no extended precision
(linear algebra) or where integers are exact.
"""

import math
import statistics
from collections.abc import Sequence

import numpy as np

HALF_LOG_2PI = 0.91893853320467274178


def _half_log_2pi(x):
    """½ log 2π, in the precision of x where that is beyond double."""
    return HALF_LOG_2PI if x.dtype != np.longdouble else np.log(_two_pi(x)) / 2


def _two_pi(x):
    return 2 * np.pi if x.dtype != np.longdouble else 8 * np.arctan(np.longdouble(1))


# ------------------------------------------------------------------------------- elementary functions


def exp(x):
    return np.exp(x)


def log(x):
    return np.log(x)


def log1p(x):
    return np.log1p(x)


def expm1(x):
    return np.expm1(x)


def log1pmx(x):
    """log(1 + x) − x"""
    return np.log1p(x) - x


def sincos_2pi(u):
    """sin 2πu and cos 2πu; whole turns are taken off first, which is exact"""
    angle = (u - np.rint(u)) * _two_pi(u)
    return np.sin(angle), np.cos(angle)


def softplus(x):
    """log(1 + eˣ) = max(x, 0) + log1p(e^−|x|)"""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x):
    """1 / (1 + e^−x), through e^−|x| so that nothing overflows"""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def log_sigmoid(x):
    """−log(1 + e^−x)"""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def erf(x):
    """NumPy has none: the C library's, one element at a time and in double."""
    return _erf(x).astype(x.dtype)


def erfc(x):
    return _erfc(x).astype(x.dtype)


def ndtr(x):
    """Φ(x) = ½ erfc(−x/√2)"""
    return 0.5 * erfc(-x * math.sqrt(0.5))


def log_ndtr(x):
    """log Φ(x), through 1 − Φ(−x) where that is small"""
    tail = ndtr(-np.abs(x))
    return np.where(x > 0, np.log1p(-tail), np.log(tail))


def ndtri(p):
    """Φ⁻¹(p): NumPy has none, so the standard library's, one element at a time and in double."""
    return _ndtri(p).astype(p.dtype)


_erf, _erfc = np.vectorize(math.erf, otypes=[float]), np.vectorize(math.erfc, otypes=[float])
_ndtri = np.vectorize(statistics.NormalDist().inv_cdf, otypes=[float])


# ------------------------------------------------------------------------------- densities and losses


def normal_log_prob(x, loc, scale):
    """−½((x − μ)/σ)² − log σ − ½ log 2π"""
    z = (x - loc) / scale
    return -0.5 * (z * z) - np.log(scale) - _half_log_2pi(x)


def uniform_log_prob(x, low, high):
    """−log(b − a) on [a, b], else −∞"""
    inside = (low <= x) & (x <= high)
    return np.where(inside, -np.log(high - low), -np.inf)


def laplace_log_prob(x, loc, scale):
    """−|x − μ|/b − log 2b"""
    return -np.abs(x - loc) / scale - np.log(2 * scale)


def bernoulli_log_prob(x, logits):
    """log σ(z) for x = 1, log σ(−z) for x = 0"""
    return -bernoulli_nll(x, logits)


def bernoulli_nll(targets, logits):
    """−t log σ(z) − (1−t) log σ(−z) = max(z, 0) − t z + log1p(e^−|z|)"""
    return np.maximum(logits, 0) - targets * logits + np.log1p(np.exp(-np.abs(logits)))


def bernoulli_nll_sum(targets, logits):
    return bernoulli_nll(targets, logits).sum()


def bernoulli_nll_gradient(targets, logits):
    """Sum of the losses, and its gradient σ(z) − t in the logits; they share e^−|z|."""
    e = np.exp(-np.abs(logits))
    value = np.maximum(logits, 0) - targets * logits + np.log1p(e)
    return value.sum(), np.where(logits >= 0, 1, e) / (1 + e) - targets


def gaussian_nll(targets, mean, variance):
    """½ (t − μ)²/σ² + ½ log σ² + ½ log 2π"""
    error = targets - mean
    return 0.5 * (error * error / variance + np.log(variance)) + _half_log_2pi(error)


def laplace_nll_sum(targets, loc, spread, form):
    scale = np.exp(spread) if form == "log_scale" else spread
    return -laplace_log_prob(targets, loc, scale).sum()


def laplace_nll_gradient(targets, loc, spread, form):
    """Sum of the losses, and its gradients in loc and in the scale or its logarithm."""
    scale = np.exp(spread) if form == "log_scale" else spread
    error = targets - loc
    z = np.abs(error) / scale
    by_spread = (1 - z) if form == "log_scale" else (1 - z) / scale
    return (z + np.log(2 * scale)).sum(), (-np.sign(error) / scale, by_spread)


def gaussian_nll_sum(targets, mean, spread, form):
    """Σ (t − μ)²/(2σ²) + log σ + ½ log 2π, from variance, log-variance or standard deviation"""
    if form == "log_variance":
        return 0.5 * (np.square(targets - mean) * np.exp(-spread) + spread).sum() + targets.size * HALF_LOG_2PI
    if form == "scale":
        return (0.5 * np.square((targets - mean) / spread) + np.log(spread)).sum() + targets.size * HALF_LOG_2PI
    return gaussian_nll(targets, mean, spread).sum()


def gaussian_nll_gradient(targets, mean, spread, form):
    """The sum with its derivatives in mean and spread"""
    inverse = np.exp(-spread) if form == "log_variance" else 1 / (spread if form == "variance" else np.square(spread))
    difference = targets - mean
    slope = difference * inverse
    half = 0.5 * (1 - difference * slope)
    chain = {"variance": inverse, "log_variance": 1, "scale": 2 / spread}[form]
    return gaussian_nll_sum(targets, mean, spread, form), (-slope, half * chain)


def categorical_nll(targets, logits):
    """log Σ exp(z) − z_t, shifted by the largest logit"""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=-1)) - np.take_along_axis(shifted, targets[:, None], -1)[:, 0]


def categorical_gradient(targets, logits):
    """The sum with softmax(z) − one-hot(t)"""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets[:, None], -1)
    gradient = e / total
    gradient[np.arange(len(targets)), targets] -= 1
    return (np.log(total) - chosen).sum(), gradient


def kl_standard_normal(loc, log_variance):
    """½ Σ (μ² + exp(ℓ) − 1 − ℓ)"""
    return 0.5 * (np.square(loc) + np.exp(log_variance) - 1 - log_variance).sum()


def kl_standard_normal_gradient(loc, log_variance):
    """The sum with μ and ½ (exp(ℓ) − 1)"""
    e = np.exp(log_variance)
    return 0.5 * (np.square(loc) + e - 1 - log_variance).sum(), (loc.copy(), 0.5 * (e - 1))


# ------------------------------------------------------------------------------- divergences


def normal_kl(p_loc, p_scale, q_loc, q_scale):
    """log(σq/σp) + (σp² + (μp − μq)²)/(2σq²) − ½"""
    ratio = p_scale / q_scale
    shift = (p_loc - q_loc) / q_scale
    return 0.5 * (ratio * ratio + shift * shift - 1) - np.log(ratio)


def bernoulli_kl(p, q):
    """p log(p/q) + (1−p) log((1−p)/(1−q))"""
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def _xlogx_over(x, y):
    """x log(x/y), 0 where x is"""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, x * np.log(x / y), 0)


def relative_entropy(p, q):
    """p log(p/q) + q − p"""
    return _xlogx_over(p, q) + q - p


def js_term(p, q):
    """½ (p log(p/m) + q log(q/m)), m = ½ (p + q)"""
    mean = 0.5 * (p + q)
    return 0.5 * (_xlogx_over(p, mean) + _xlogx_over(q, mean))


def js_integrand(x):
    """log 2 − H(sigmoid(x)), H(s) = −s log s − (1−s) log(1−s)"""
    return np.log(x.dtype.type(2)) - np.logaddexp(0, x) + x * sigmoid(x)


def bernoulli_js(p, q):
    """½ KL(p ‖ m) + ½ KL(q ‖ m), m = ½ (p + q)"""
    mean = 0.5 * (p + q)
    return 0.5 * (bernoulli_kl(p, mean) + bernoulli_kl(q, mean))


def laplace_kl(p_loc, p_scale, q_loc, q_scale):
    """log(b'/b) + |μ − μ'|/b' + b/b' e^(−|μ − μ'|/b) − 1"""
    shift = np.abs(p_loc - q_loc)
    return np.log(q_scale / p_scale) + (shift + p_scale * np.exp(-shift / p_scale)) / q_scale - 1


def uniform_kl(p_low, p_high, q_low, q_high):
    """log of the ratio of the widths where q covers p, else ∞"""
    covered = (q_low <= p_low) & (p_high <= q_high)
    return np.where(covered, np.log((q_high - q_low) / (p_high - p_low)), np.inf)


def rows_kl(p, q, axis):
    """Σ p log(p/q) along an axis"""
    return _xlogx_over(p, q).sum(axis=axis)


def rows_js(p, q, axis):
    """Σ ½ (p log(p/m) + q log(q/m)) along an axis"""
    return js_term(p, q).sum(axis=axis)


def rows_cross_entropy(p, q, axis):
    """−Σ p log q along an axis"""
    return -(p * np.log(q)).sum(axis=axis)


def bernoulli_kl_gradient(p, q):
    """The divergences, and their gradients: log odds of p less those of q; (q − p)/(q (1 − q))"""
    by_p = np.log(p / (1 - p)) - np.log(q / (1 - q))
    return bernoulli_kl(p, q), by_p, (q - p) / (q * (1 - q))


def mvn_kl(p_loc, p_covariance, q_loc, q_covariance):
    """½ [tr(Σq⁻¹Σp) + (μq−μp)ᵀΣq⁻¹(μq−μp) − d + log(|Σq|/|Σp|)]"""
    shift = q_loc - p_loc
    trace = np.trace(np.linalg.solve(q_covariance, p_covariance))
    maha = shift @ np.linalg.solve(q_covariance, shift)
    log_ratio = np.linalg.slogdet(q_covariance)[1] - np.linalg.slogdet(p_covariance)[1]
    return 0.5 * (trace + maha - len(shift) + log_ratio)


# ------------------------------------------------------------------------------- Gaussians


def cholesky(covariance):
    return np.linalg.cholesky(covariance)


def mvn_log_prob_shared(x, loc, covariance):
    """One covariance for all points. NumPy has no triangular solve: L⁻¹ once, then one matrix product."""
    factor = np.linalg.cholesky(covariance)
    y = (x - loc) @ np.linalg.inv(factor).T
    maha = np.einsum("ij,ij->i", y, y)
    return -0.5 * maha - np.log(np.diagonal(factor)).sum() - len(loc) * HALF_LOG_2PI


def mvn_log_prob(x, loc, covariance):
    """A covariance for every point: LAPACK's batched factor and solve."""
    factor = np.linalg.cholesky(covariance)
    y = np.linalg.solve(factor, (x - loc)[..., None])[..., 0]
    half_log_det = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return -0.5 * (y * y).sum(-1) - half_log_det - x.shape[-1] * HALF_LOG_2PI


def mvn_log_prob_tril(x, loc, factor):
    """From a Cholesky factor, shared or one for every point."""
    y = whiten(x, loc, factor)
    half_log_det = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return -0.5 * (y * y).sum(-1) - half_log_det - x.shape[-1] * HALF_LOG_2PI


def mvn_log_prob_precision(x, loc, precision):
    """From a precision matrix Λ, shared or one for every point: −½ δᵀΛδ + ½ log det Λ − (d/2) log 2π"""
    delta = x - loc
    product = delta @ precision if precision.ndim == 2 else np.einsum("ni,nij->nj", delta, precision)
    half_log_det = 0.5 * np.linalg.slogdet(precision)[1]
    return -0.5 * (product * delta).sum(-1) + half_log_det - x.shape[-1] * HALF_LOG_2PI


def mvn_log_prob_variance(x, loc, variance):
    """From the diagonal of a diagonal covariance."""
    delta = x - loc
    return -0.5 * (delta * delta / variance + np.log(variance)).sum(-1) - x.shape[-1] * HALF_LOG_2PI


def mvn_log_prob_singular(x, loc, covariance, rank):
    """On the support: the eigenvectors of the `rank` largest eigenvalues, and the product of these."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    eigenvalues, vectors = eigenvalues[-rank:], vectors[:, -rank:]
    z = (x - loc) @ (vectors / np.sqrt(eigenvalues))
    return -0.5 * (z * z).sum(-1) - 0.5 * np.log(eigenvalues).sum() - rank * HALF_LOG_2PI


def mvn_log_prob_missing(x, loc, covariance):
    """NaN: not observed. One marginal for each pattern."""
    patterns, which = np.unique(np.isnan(x), axis=0, return_inverse=True)
    result = np.empty(len(x), x.dtype)
    for i, missing in enumerate(patterns):
        rows, seen = which.ravel() == i, ~missing
        result[rows] = mvn_log_prob_shared(x[rows][:, seen], loc[seen], covariance[np.ix_(seen, seen)])
    return result


def log_mixture(log_probs, log_weights):
    """log Σ_k exp(a_k + b_k) along the last axis, its largest term taken out."""
    terms = log_probs + log_weights
    largest = terms.max(axis=-1, keepdims=True)
    return np.log(np.exp(terms - largest).sum(axis=-1)) + largest[..., 0]


def mixture_log_prob(x, log_weights, loc, covariance):
    return log_mixture(mvn_log_prob_grid(x, loc, covariance), log_weights)


def mixture_em(x, loc, covariance_type, iterations):
    """Mean log-likelihood of each iteration of EM, from equal weights and unit covariances of one of scikit-learn's kinds"""
    k, d = loc.shape
    full = covariance_type in ("full", "tied")
    squares = (x[:, :, None] * x[:, None]).reshape(len(x), -1) if full else x * x
    spread = np.tile(np.eye(d, dtype=x.dtype), (k, 1, 1)) if full else np.ones((k, d), x.dtype)
    weights = np.full(k, 1 / k, x.dtype)
    found = []
    for _ in range(iterations):
        if full:
            terms = mvn_log_prob_grid(x, loc, spread)
        else:
            quadratic = squares @ (1 / spread).T - 2 * x @ (loc / spread).T + (loc**2 / spread).sum(axis=1)
            terms = -0.5 * (quadratic + np.log(spread).sum(axis=1) + d * x.dtype.type(np.log(2 * np.pi)))
        terms = terms + np.log(weights)
        total = log_mixture(terms, np.zeros(k, x.dtype))
        found.append(total.mean(dtype=np.float64))
        shares = np.exp(terms - total[:, None])
        size = shares.sum(axis=0)
        weights, loc, second = size / len(x), shares.T @ x / size[:, None], shares.T @ squares / size[:, None]
        if full:
            spread = second.reshape(k, d, d) - loc[:, :, None] * loc[:, None] + 1e-6 * np.eye(d, dtype=x.dtype)
            if covariance_type == "tied":
                spread = np.broadcast_to(np.tensordot(weights, spread, 1), (k, d, d))
        else:
            spread = second - loc**2 + x.dtype.type(1e-6)
            if covariance_type == "spherical":
                spread = np.broadcast_to(spread.mean(axis=1)[:, None], (k, d))
    return np.array(found)


def whiten(x, loc, factor):
    """L⁻¹(x − μ), for a shared factor by its inverse (see `mvn_log_prob_shared`)."""
    if factor.ndim == 2:
        return (x - loc) @ np.linalg.inv(factor).T
    return np.linalg.solve(factor, (x - loc)[..., None])[..., 0]


def unwhiten(z, loc, factor):
    """μ + L·z for a shared factor."""
    return z @ factor.T + loc


def asymmetry(matrices):
    """First i·d + j, i > j, with |aᵢⱼ − aⱼᵢ| > √u √(aᵢᵢ aⱼⱼ) in each matrix; 0 where there is none"""
    std = np.sqrt(np.diagonal(matrices, axis1=-2, axis2=-1))
    limit = math.sqrt(np.finfo(matrices.dtype).eps / 2) * std[..., :, None] * std[..., None, :]
    differs = np.tril(np.abs(matrices - matrices.swapaxes(-1, -2)) > limit)
    return differs.reshape(*differs.shape[:-2], -1).argmax(axis=-1)


def mvn_log_prob_grid(x, loc, covariance):
    """K Gaussians at N points, shape (N, K): one matrix product for each."""
    return np.stack([mvn_log_prob_shared(x, m, c) for m, c in zip(loc, covariance, strict=True)], axis=-1)


def mvn_gradient_shared(x, loc, covariance):
    """Log-densities and the gradients of their sum in x, the mean and the covariance: s = Σ⁻¹(x − μ), then
    −s, Σs and ½(Σ s sᵀ − n Σ⁻¹)."""
    factor = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(factor)
    y = (x - loc) @ inverse.T
    s = y @ inverse
    half_log_det = np.log(np.diagonal(factor)).sum()
    value = -0.5 * np.einsum("ij,ij->i", y, y) - half_log_det - len(loc) * HALF_LOG_2PI
    return value, -s, s.sum(axis=0), 0.5 * (s.T @ s - len(x) * (inverse.T @ inverse))


def mvn_gradient_points(x, loc, covariance):
    """What `mvn_gradient_shared` gives, with a mean and a covariance for every point."""
    factor = np.linalg.cholesky(covariance)
    inverse = np.linalg.inv(factor)
    y = (inverse @ (x - loc)[..., None])[..., 0]
    s = (inverse.swapaxes(-1, -2) @ y[..., None])[..., 0]
    half_log_det = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    value = -0.5 * (y * y).sum(-1) - half_log_det - x.shape[-1] * HALF_LOG_2PI
    return value, -s, s, 0.5 * (s[..., :, None] * s[..., None, :] - inverse.swapaxes(-1, -2) @ inverse)


def monte_carlo_kl(n, p_loc, p_covariance, q_loc, q_covariance, rng):
    """Mean and standard error of log p(x) − log q(x) over n samples of p."""
    d = len(p_loc)
    p_factor = np.linalg.cholesky(p_covariance)
    z = rng.standard_normal((n, d))
    x = p_loc + z @ p_factor.T
    # log p(x) needs no solve: its Mahalanobis distance is |z|².
    log_p = -0.5 * np.einsum("ij,ij->i", z, z) - np.log(np.diagonal(p_factor)).sum() - d * HALF_LOG_2PI
    ratio = log_p - mvn_log_prob_shared(x, q_loc, q_covariance)
    return ratio.mean(), ratio.std(ddof=1) / math.sqrt(n)


def monte_carlo_js(n, p_loc, p_covariance, q_loc, q_covariance, rng):
    """Mean and standard error of log 2 − H(sigmoid(log p(x) − log q(x))), half of the n samples from p and half from q."""
    parts = []
    for loc, covariance in ((p_loc, p_covariance), (q_loc, q_covariance)):
        x = loc + rng.standard_normal((n // 2, len(loc))) @ np.linalg.cholesky(covariance).T
        ratio = mvn_log_prob_shared(x, p_loc, p_covariance) - mvn_log_prob_shared(x, q_loc, q_covariance)
        parts.append(js_integrand(ratio))
    return np.mean(parts), np.sqrt(sum(part.var(ddof=1) for part in parts) / (2 * n))


# ------------------------------------------------------------------------------- sampling


def standard_normal(n, rng, dtype=np.float64):
    return rng.standard_normal(n, dtype=dtype)


def uniform(n, rng, dtype=np.float64):
    return rng.random(n, dtype=dtype)


def normal_sample(n, loc, scale, rng):
    z = rng.standard_normal(n, dtype=loc.dtype)
    z *= scale
    z += loc
    return z


def laplace_sample(n, loc, scale, rng):
    """Laplace draws in float64, which is all that NumPy has."""
    return rng.laplace(loc, scale, n)


def mvn_sample(n, loc, factor, rng):
    return unwhiten(rng.standard_normal((n, len(loc)), dtype=loc.dtype), loc, factor)


def bernoulli_sample(n, p, rng):
    return rng.random(n) < p


def discrete_sample(n, probs, rng):
    """Inverse of the cumulative probabilities."""
    index = np.searchsorted(np.cumsum(probs), rng.random(n), side="right")
    return np.minimum(index, np.flatnonzero(probs)[-1])


# ------------------------------------------------------------------------------- discrete sums


def rows_cdf(p, x):
    """Cumulative probabilities of each row at its outcome."""
    return np.take_along_axis(np.cumsum(p, axis=-1), x[:, None], axis=-1)[:, 0]


def rows_sum(p, q):
    """The pmf of the sum of two variables, for each row."""
    out = np.zeros((len(p), 2 * p.shape[1] - 1), p.dtype)
    for i in range(p.shape[1]):
        out[:, i : i + p.shape[1]] += p[:, i : i + 1] * q
    return out


def dice_pmf(n, sides):
    """pmf of the sum of n dice: powers of the uniform pmf by repeated squaring."""
    base, result = np.full(sides, 1 / sides), np.ones(1)
    while n:
        if n & 1:
            result = np.convolve(result, base)
        n >>= 1
        if n:
            base = np.convolve(base, base)
    return result


def kept_dice_pmf(n, sides, kept):
    """pmf of the highest of n dice: face by face from the top, by how many dice are placed and what the kept ones total."""
    size = kept * sides + 1
    probs = np.zeros((n + 1, size))
    probs[0, 0] = 1
    for face in range(sides, 0, -1):
        after = np.zeros_like(probs)
        for placed in range(n + 1):
            free = n - placed
            for r in range(free + 1):
                shift = face * max(0, min(kept - placed, r))
                p = math.comb(free, r) * (1 / face) ** r * (1 - 1 / face) ** (free - r)
                after[placed + r, shift:] += p * probs[placed, : size - shift]
        probs = after
    return probs[n, kept:]


def dice_counts(n, sides):
    """Exact numbers of ways: the power of one large integer whose digits are the polynomial (Kronecker substitution)."""
    width = (n * sides.bit_length()) // 8 + 1
    packed = sum(1 << (8 * width * i) for i in range(sides)) ** n
    data = packed.to_bytes(width * (n * (sides - 1) + 1), "little")
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]


def convolve(pmfs: Sequence[np.ndarray]):
    """pmf of the sum of independent variables."""
    result = np.ones(1)
    for pmf in pmfs:
        result = np.convolve(result, pmf)
    return result


# ------------------------------------------------------------------------------- exact values


def exact_cholesky(covariance):
    """Lower factor in long double, for any batch; column by column as in the definition."""
    a = np.asarray(covariance, dtype=np.longdouble)
    factor = np.zeros_like(a)
    for j in range(a.shape[-1]):
        rest = a[..., j:, j] - (factor[..., j:, :j] * factor[..., j : j + 1, :j]).sum(-1)
        factor[..., j:, j] = rest / np.sqrt(rest[..., :1])
    return factor


def exact_mvn_log_prob(x, loc, covariance):
    """Log-density in long double by forward substitution; batches broadcast."""
    factor = exact_cholesky(covariance)
    difference = np.asarray(x, dtype=np.longdouble) - np.asarray(loc, dtype=np.longdouble)
    shape = np.broadcast_shapes(difference.shape[:-1], factor.shape[:-2])
    y = np.zeros(shape + difference.shape[-1:], dtype=np.longdouble)
    for i in range(y.shape[-1]):
        y[..., i] = (difference[..., i] - (factor[..., i, :i] * y[..., :i]).sum(-1)) / factor[..., i, i]
    half_log_det = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return -(y * y).sum(-1) / 2 - half_log_det - y.shape[-1] * _half_log_2pi(y)


def exact_dice_count(n, sides, k):
    """Throws of n dice with sum n + k, an integer: Σⱼ (−1)ʲ C(n, j) C(k − s·j + n − 1, n − 1)."""
    return sum((-1) ** j * math.comb(n, j) * math.comb(k - sides * j + n - 1, n - 1) for j in range(k // sides + 1))


def exact_kept_counts(n, sides, kept):
    """Throws of n dice for every total of the highest ones, integers: the recursion of `kept_dice_pmf`, without its fractions."""
    states = {(0, 0): 1}
    for face in range(sides, 0, -1):
        after: dict[tuple[int, int], int] = {}
        for (placed, total), ways in states.items():
            for r in range(n - placed + 1) if face > 1 else (n - placed,):
                key = placed + r, total + face * max(0, min(kept - placed, r))
                after[key] = after.get(key, 0) + ways * math.comb(n - placed, r)
        states = after
    return [states[n, total] for total in range(kept, kept * sides + 1)]


# ------------------------------------------------------------------------------- moments


def laplace_fit(x):
    """Median, and mean absolute deviation from it"""
    median = np.median(x)
    return median, np.abs(x - median).mean()


def mean_covariance(x, weights=None):
    """Mean and covariance (divisor Σw) of rows"""
    mean = np.average(x, axis=0, weights=weights)
    centred = x - mean
    times = centred if weights is None else centred * weights[:, None]
    return mean, times.T @ centred / (len(x) if weights is None else weights.sum())
