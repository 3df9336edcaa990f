"""What the kernels in `loglik.ufuncs` compute, and how accurately: the documentation that NumPy shows behind the call signature.

Every text has a formula and a sentence that begins with "Accuracy"; u is half the spacing of the numbers at 1: 2**-53 in float64,
2**-24 in float32.
"""


def _function(
    summary: str, accuracy: str, method: str, argument: str = "x", about: str = "Real numbers", result: str = "y"
) -> str:
    """The text of a function of one argument."""
    return f"""{summary}

Parameters
----------
{argument} : array_like
    {about}, element by element.

Returns
-------
{result} : ndarray or scalar
    It has the dtype of `{argument}` (float32 or float64; integers give float64).

Notes
-----
Accuracy: {accuracy}

Method: {method}"""


_DENSITY = """

Returns
-------
value : ndarray or scalar
    Log-density in nats.
info : ndarray or scalar
    int32: 0 where the matrix is good, k > 0 where pivot k (from 1) is not a positive normal number,
    -1 where an entry is not finite, -2 where memory was short.

Notes
-----
A bad matrix or a loc that is not finite gives NaN, as does a NaN in x; an infinite x gives -inf.
Neighbours of a bad item keep their bits.

Accuracy: |error| <= 4 d kappa u (sum of the absolute terms), kappa being the condition number of the covariance scaled to
unit diagonal."""

_ROWS = """

The entries of a row of p must be at least 0 and total 1 within 8 k p_eps, else the result is NaN; `info` is 0, 1 where p
is not so, 2 where q is not, 3 where neither is. Rows that total 1 within 4 p_eps are taken as they are, others are divided
by their total. p_eps, q_eps: the spacing of the numbers at 1 in the type that p, q were rounded to; infinite: any total.

Accuracy: 8 ulp of the sum over these rows."""

TEXTS = {
    # ------------------------------------------------------------------------------------------ functions of one argument
    "exp": _function(
        "Exponential function.",
        """1 ulp (0.5 is correctly rounded), subnormal results included. Overflow gives inf and underflow 0 without a
warning.""",
        "exp(x) = 2**n * exp(r) with n = round(x / log 2) and a minimax polynomial for exp(r).",
    ),
    "expm1": _function(
        "expm1(x) = exp(x) - 1, accurate for small x.",
        "1 ulp. expm1(-0.0) is -0.0.",
        "that of `exp`, with 2**n - 1 and 2**n * (exp(r) - 1) added in two words.",
    ),
    "log": _function(
        "Natural logarithm.",
        "1 ulp, subnormal arguments included. log(0) is -inf, without a warning; x < 0 gives NaN and the invalid flag.",
        "x = 2**k * (1 + f), log(1 + f) = 2 atanh(f / (2 + f)) by a minimax polynomial.",
    ),
    "log1p": _function(
        "log1p(x) = log(1 + x), accurate for small x.",
        "1 ulp. log1p(-1) is -inf, without a warning; x < -1 gives NaN and the invalid flag; log1p(-0.0) is -0.0.",
        "that of `log`, with 1 + x kept as the sum of two numbers.",
    ),
    "log1pmx": _function(
        "log1pmx(x) = log(1 + x) - x, accurate for small x, where it is near -x**2 / 2.",
        """4 ulp. -inf at -1 and at inf, without a warning; x < -1 gives NaN and the invalid flag. Never positive.
Divergences between neighbours are sums of such terms.""",
        "that of `log1p`, where the leading x is left out of the sum, so that it never has to cancel.",
    ),
    "erf": _function(
        "Error function: erf(x) = 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x.",
        "1 ulp (baseline level: 2 ulp for float32 below 2**-120). erf(-0.0) is -0.0.",
        "odd minimax polynomial below 0.625 in magnitude, beyond it 1 - erfc(x).",
    ),
    "erfc": _function(
        "Complementary error function erfc(x) = 1 - erf(x), accurate where it is small.",
        "2 ulp, subnormal results (x > 26.54) included; 0 beyond 27.3 without a warning.",
        """exp(-x**2) * erfcx(x), both in two words; (1 + 2 x) * erfcx(x) is a minimax polynomial in (x - 4)/(x + 4)
(float32: (x - 2)/(x + 2)).""",
    ),
    "ndtr": _function(
        "Distribution function of the standard normal: the probability of a value <= x, ndtr(x) = erfc(-x / sqrt(2)) / 2.",
        "2 ulp, subnormal results (x < -37.5) included; 0 below -38.6 without a warning.",
        "erfc(-x / sqrt(2)) / 2 with the exponential of the exact -x**2 / 2.",
    ),
    "log_ndtr": _function(
        "Logarithm (nats) of the distribution function of the standard normal: log_ndtr(x) = log(ndtr(x)).",
        """2 ulp on the whole line: near -x**2 / 2 - log(-x sqrt(2 pi)) for x far below 0, near -ndtr(-x) far above.
-inf where it overflows, without a warning.""",
        "x < 0: log(erfcx(-x / sqrt(2)) / 2) - x**2 / 2; otherwise log1p(-ndtr(-x)).",
    ),
    "ndtri": _function(
        "Inverse of the standard normal distribution function: the x with ndtr(x) = p.",
        """2 ulp on the whole of (0, 1), subnormal p and the neighbourhood of 1/2, where the result is 0, included. p = 0
gives -inf and p = 1 inf; outside [0, 1] the result is NaN, with the invalid flag.""",
        """h = -2 log(2 min(p, 1 - p)) in two words, d = sqrt(h + 81/64) - 9/8 in two words from d (d + 9/4) = h, and d times a
minimax polynomial for the whole range, in a variable that is bounded by 1.""",
        argument="p",
        about="Probabilities within [0, 1]",
        result="x",
    ),
    "softplus": _function(
        """softplus(x) = log(1 + exp(x)), the smooth ramp: minus the log-probability (nats) that a Bernoulli variable with
logit x is 0.""",
        "1 ulp in float32, 2 ulp in float64, everywhere: softplus(-740) is the subnormal exp(-740), softplus(800) is 800.",
        "max(x, 0) + log1p(exp(-abs(x))), the exponential in two words.",
    ),
    "sigmoid": _function(
        "sigmoid(x) = 1 / (1 + exp(-x)): the probability of a Bernoulli variable with logit x.",
        "1 ulp everywhere: sigmoid(-740) is the subnormal exp(-740).",
        "exp(-abs(x)) in two words, one division and one correction.",
    ),
    "log_sigmoid": _function(
        "log(sigmoid(x)) = -softplus(-x): the log-probability (nats) of a Bernoulli variable with logit x.",
        "1 ulp in float32, 2 ulp in float64, also where sigmoid(x) rounds to 1 or underflows.",
        "that of `softplus`.",
    ),
    "sincos_2pi": _function(
        "sin(2*pi*u) and cos(2*pi*u) of an angle u in turns.",
        """2 ulp for every finite u: the reduction is exact, so quarter turns give 0, 1 or -1. Infinite u gives NaN and the
invalid flag.""",
        "r = u minus the nearest quarter is within an eighth of a turn; minimax polynomials there.",
        argument="u",
        result="sine, cosine",
    ),
    # ------------------------------------------------------------- log-densities, losses and divergences, element by element
    "normal_log_prob": """\
Log-density of the normal distribution in nats.

normal_log_prob(x, loc, scale) = -((x - loc)/scale)^2/2 - log(scale) - log(2 pi)/2

A scale that is not positive gives NaN; x = +-inf gives -inf. x - loc and the square do not
overflow unless the result does.

Accuracy: |error| <= 4 u (sum of the absolute terms), u = 2**-53 or 2**-24.""",
    "uniform_log_prob": """\
Log-density of the uniform distribution in nats.

uniform_log_prob(x, low, high) = -log(high - low) on the closed interval, -inf outside.

Bounds that are not finite or not in order (low < high) give NaN.

Accuracy: |error| <= 2 u (1 + |result|).""",
    "laplace_log_prob": """\
Log-density of the Laplace distribution in nats.

laplace_log_prob(x, loc, scale) = -|x - loc|/scale - log(2 scale)

A scale that is not positive gives NaN; x = +-inf gives -inf. x - loc does not overflow unless the
result does.

Accuracy: |error| <= 4 u (sum of the absolute terms), u = 2**-53 or 2**-24.""",
    "bernoulli_log_prob": """\
Log-probability of a Bernoulli variable in nats, from its logits.

bernoulli_log_prob(x, logits) = log_sigmoid(logits) for x = 1, log_sigmoid(-logits) for x = 0,
-inf for any other x; NaN propagates.

Accuracy: 2 ulp in float64, 1 ulp in float32.""",
    "bernoulli_nll": """\
Bernoulli negative log-likelihood (binary cross-entropy) in nats, from logits.

bernoulli_nll(targets, logits) = log(1 + exp(logits)) - targets*logits, computed as
c*|logits| + log1p(exp(-|logits|)), c = targets where logits < 0 and 1 - targets elsewhere:
two terms that are not negative, nothing clamped.

logits = -inf gives 0 for targets = 0 and +inf otherwise, logits = +inf mirrored. Targets outside
[0, 1] give NaN. The dtype of the targets does not decide that of the result.

Accuracy: 4 ulp.""",
    "gaussian_nll": """\
Gaussian negative log-likelihood in nats, from mean and variance.

gaussian_nll(targets, mean, variance) = (targets - mean)^2/(2 variance) + log(variance)/2
+ log(2 pi)/2. A variance that is not positive gives NaN. The dtype of the targets does not
decide that of the result.

Accuracy: |error| <= 4 u (sum of the absolute terms).""",
    "normal_kl": """\
Kullback-Leibler divergence of two normal distributions in nats.

normal_kl(p_loc, p_scale, q_loc, q_scale) = log(q_scale/p_scale) - 1/2
+ (p_scale^2 + (p_loc - q_loc)^2)/(2 q_scale^2), never negative.

Computed as (e - log(1+e))/2 + ((p_loc - q_loc)/q_scale)^2/2 with e = (p_scale/q_scale)^2 - 1 from
the difference of the scales, so that nearly equal arguments keep their digits. A scale that is
not positive gives NaN.

Accuracy: 8 ulp.""",
    "laplace_kl": """\
Kullback-Leibler divergence of two Laplace distributions in nats.

laplace_kl(p_loc, p_scale, q_loc, q_scale) = (r - 1 - log r) + r (exp(-d) - 1 + d) with
r = p_scale/q_scale and d = |p_loc - q_loc|/p_scale: two terms that are never negative.

Nearly equal arguments keep their digits. A scale that is not positive gives NaN.

Accuracy: 8 ulp.""",
    "bernoulli_kl": """\
Kullback-Leibler divergence of two Bernoulli distributions in nats, from probabilities.

bernoulli_kl(p, q) = p log(p/q) + (1-p) log((1-p)/(1-q)) with 0 log 0 = 0; +inf where q is 0 or 1
and p is not; never negative. Arguments outside [0, 1] give NaN.

Computed as relative_entropy(p, q) + relative_entropy(1-p, 1-q) from the difference of p and q, so
that nearly equal arguments keep their digits.

Accuracy: 8 ulp.""",
    "bernoulli_js": """\
Jensen-Shannon divergence of two Bernoulli distributions in nats, from probabilities.

bernoulli_js(p, q) = js_term(p, q) + js_term(1-p, 1-q), from the difference of p and q; in
[0, log 2]. Arguments outside [0, 1] give NaN.

Accuracy: 8 ulp.""",
    "relative_entropy": """\
One term of a Kullback-Leibler divergence in nats, never negative.

relative_entropy(p, q) = p log(p/q) + q - p for p, q >= 0 with 0 log 0 = 0: q where p is 0, +inf
where q is 0 and p is not. Its sum over distributions p and q is KL(p || q), since the terms q - p
add up to 0; with them no term cancels another. Negative arguments give NaN.

Computed as p (x - log(1+x)) with x = (q - p)/p, so that nearly equal arguments keep their digits.

Accuracy: 8 ulp.""",
    "js_term": """\
One term of a Jensen-Shannon divergence in nats, never negative.

js_term(p, q) = (p log(p/m) + q log(q/m))/2 with m = (p + q)/2, for p, q >= 0 with 0 log 0 = 0. Its
sum over distributions p and q is their divergence. Negative arguments give NaN.

Computed as (p+q)/4 ((1+t) log(1+t) + (1-t) log(1-t)) with t = (q-p)/(p+q), by an even polynomial
up to |t| = 1/2.

Accuracy: 8 ulp.""",
    "js_integrand": """\
What the Jensen-Shannon divergence is the mean of, as a function of the log-ratio, in nats.

js_integrand(x) = log 2 - H(sigmoid(x)) = js_term(2 sigmoid(x), 2 sigmoid(-x)), with H the entropy of a
Bernoulli variable; in [0, log 2] and even in x. Its mean over samples of (p + q)/2 at
x = log p - log q is their divergence.

Accuracy: 8 ulp.""",
    "uniform_kl": """\
Kullback-Leibler divergence of two uniform distributions in nats.

uniform_kl(p_low, p_high, q_low, q_high) = log((q_high - q_low)/(p_high - p_low)) where q covers p,
+inf elsewhere. Bounds that are not finite or not in order (low < high) give NaN.

Computed as log1p of what q has outside p, in widths of p.

Accuracy: 8 ulp.""",
    # ------------------------------------------------------------------------------- divergences of rows of probabilities
    "categorical_kl": """\
Kullback-Leibler divergence of rows of probabilities in nats.

categorical_kl(p, q, p_eps, q_eps) = the sum of relative_entropy(p, q) over the last axis.""" + _ROWS,
    "categorical_js": """\
Jensen-Shannon divergence of rows of probabilities in nats.

categorical_js(p, q, p_eps, q_eps) = the sum of js_term(p, q) over the last axis, at most log 2.""" + _ROWS,
    "categorical_cross_entropy": """\
Cross-entropy of rows of probabilities in nats.

categorical_cross_entropy(p, q, p_eps, q_eps) = the sum of -p log q over the last axis, with 0 log 0 = 0.""" + _ROWS,
    # -------------------------------------------------------------------------- Cholesky and multivariate normal densities
    "cholesky": """\
Cholesky factor: lower triangular L with A = L L^T, zeros above the diagonal.

Only the lower triangle of A is read. `info` (int32) is 0 where A is positive definite, k > 0 where pivot k
(from 1) is not a positive normal number, -1 where an entry is not finite, -2 where memory was short;
L is NaN then.

Notes
-----
Accuracy: ||A - L L^T||_1 <= 2 d u ||A||_1 (backward error); succeeds whenever the smallest eigenvalue of A, scaled to
unit diagonal, exceeds (d + 1)^2 u. Scaling A to 2^k A 2^k scales L exactly. Blocked, up-looking: N. J. Higham,
Accuracy and Stability of Numerical Algorithms, 2nd ed. (SIAM, 2002), chapter 10.""",
    "mvn_log_prob": """\
Multivariate normal log-density, a covariance for every point: (x, loc, covariance).

    log p(x) = -(x - loc)^T S^-1 (x - loc)/2 - log(det S)/2 - (d/2) log(2 pi)

Only the lower triangle of the covariance is read. Many matrices are factored at once (one per vector lane); a
covariance that broadcasts is factored again for every point: use mvn_log_prob_shared.""" + _DENSITY,
    "mvn_log_prob_checked": """\
Multivariate normal log-density, a covariance for every point, which is looked at as a whole: (x, loc, covariance).

    log p(x) = -(x - loc)^T S^-1 (x - loc)/2 - log(det S)/2 - (d/2) log(2 pi)

The value is that of mvn_log_prob. `info` is also -3 where loc is not finite and -4 where the covariance is not symmetric
(see asymmetry), which gives NaN too. The check is made while the matrix is in cache.""" + _DENSITY,
    "mvn_log_prob_shared": """\
Multivariate normal log-density of n points under one Gaussian: (x, loc, covariance).

    log p(x) = -(x - loc)^T S^-1 (x - loc)/2 - log(det S)/2 - (d/2) log(2 pi)

Only the lower triangle of the covariance is read; it is factored once.""" + _DENSITY,
    "mvn_log_prob_grid": """\
Multivariate normal log-density of n points under each of k Gaussians: (x, loc, covariance).

    log p_k(x) = -(x - loc_k)^T S_k^-1 (x - loc_k)/2 - log(det S_k)/2 - (d/2) log(2 pi)

Only the lower triangles are read; each covariance is factored once, the points are read once for many Gaussians.""" + _DENSITY,
    "mvn_log_prob_tril": """\
Multivariate normal log-density of n points under k Gaussians given by factors: (x, loc, scale_tril).

This is mvn_log_prob_grid with S = L L^T; the lower triangular L has a positive diagonal.""" + _DENSITY,
    "mvn_log_prob_tril_each": """\
Multivariate normal log-density, a factor for every point: (x, loc, scale_tril).

This is mvn_log_prob with S = L L^T; the lower triangular L has a positive diagonal.""" + _DENSITY,
    "mvn_log_prob_whitened": """\
Multivariate normal log-density of n points under k Gaussians given by whiteners: (x, loc, W).

This is mvn_log_prob_grid with S^-1 = W^T W; the lower triangular W has a positive diagonal. For a precision matrix P,
W = J chol(J P J)^T J with J the reversal of the coordinates: nothing is inverted.""" + _DENSITY,
    "mvn_log_prob_whitened_each": """\
Multivariate normal log-density, a whitener for every point: (x, loc, W).

This is mvn_log_prob with S^-1 = W^T W; the lower triangular W has a positive diagonal.""" + _DENSITY,
    "mvn_log_prob_diagonal": """\
Multivariate normal log-density with independent coordinates: (x, loc, variance).

    log p(x) = -sum_k [(x_k - loc_k)^2 / v_k + log v_k + log(2 pi)] / 2

Log-density in nats. NaN where a variance is not a positive normal number, loc is not finite or x is NaN; an infinite
x gives -inf. One pass.

Accuracy: |error| <= 4 d u (sum of the absolute terms).""",
    "mvn_log_prob_diagonal_grid": """\
Multivariate normal log-density of n points under k Gaussians with independent coordinates: (x, loc, variance).

    log p_k(x) = -sum_i [(x_i - loc_ki)^2 / v_ki + log v_ki + log(2 pi)] / 2

The points are read once for many Gaussians.

Accuracy: each value has the bits, and so the error, of mvn_log_prob_diagonal.""",
    "log_mixture": """\
Log-density of a mixture from the log-densities of its components and their log-weights.

    log_mixture(a, b) = log(sum_k exp(a_k + b_k))

Terms of -inf count as nothing; if all are, the result is -inf. NaN in a row gives NaN, as does +inf - inf.

Notes
-----
The largest term is taken out of the exponentials (P. Blanchard, D. J. Higham, N. J. Higham, Accurately computing the
log-sum-exp and softmax functions, IMA J. Numer. Anal. 41, 2021).

Accuracy: |error| <= (k + 4) u + 2 u max_k |a_k + b_k|.""",
    "responsibilities": """\
Shares of the components of a mixture and its log-density, from their log-densities and log-weights.

    r_k = exp(a_k + b_k) / sum_j exp(a_j + b_j)   and   log(sum_j exp(a_j + b_j)), as log_mixture has it

The posterior probabilities of the components; a softmax where b is 0. NaN in a row gives NaN; where all terms are
-inf, or one is +inf, the shares are NaN.

Notes
-----
Accuracy: relative error <= (k + 6 + 4 max_k |a_k + b_k|) u; a share below the smallest normal number may be 0. One exponential
for each entry.""",
    "whiten": """\
Whitened points y = L^-1 (x - loc), of (x, loc, scale_tril), by forward substitution.

If x has covariance L L^T and mean loc, y has covariance I. L is lower triangular with a positive diagonal (what is
above is not read); otherwise, and where loc is not finite, y is NaN.

Notes
-----
Accuracy: (L + E) y = x - loc with |E| <= (d + 4) u |L| (Higham, Accuracy and Stability of Numerical Algorithms, chapter 8).""",
    "unwhiten": """\
Points x = loc + L z of given covariance from standardised ones: (z, loc, scale_tril).

If z has covariance I and mean 0, x has covariance L L^T and mean loc. L is lower triangular (what is above the
diagonal is not read); zeros on the diagonal are allowed.

Notes
-----
Accuracy: |error| <= (d + 1) u (|loc| + |L| |z|).""",
    "asymmetry": """\
First entry below the diagonal that breaks symmetry; 0 where the matrix is symmetric.

asymmetry(a) = i d + j for the first (i, j) that breaks it, rows in order. (i, j) breaks it when
|a_ij - a_ji| <= sqrt(u) sqrt(a_ii a_jj) does not hold: also where an entry is NaN, where an infinite one differs from its
mirror, and where the two differ and a diagonal entry is negative.

Accuracy: a difference within 8 u of the bound, relatively, may count as either.""",
}
