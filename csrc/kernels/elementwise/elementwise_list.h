/* Part of kernel_list.h: functions, log-densities, losses and divergences, element by element. Bounds of the functions:
 * simd/vmath_*.h; enforced by tests/test_elementwise.py. */

/* clang-format off */
#define LOGLIK_UFUNCS_ELEMENTWISE(X) \
    /* functions of one argument */ \
    X(exp, NULL, "r->r") \
    X(expm1, NULL, "r->r") \
    X(log, NULL, "r->r") \
    X(log1p, NULL, "r->r") \
    X(log1pmx, NULL, "r->r") \
    X(erf, NULL, "r->r") \
    X(erfc, NULL, "r->r") \
    X(ndtr, NULL, "r->r") \
    X(log_ndtr, NULL, "r->r") \
    X(ndtri, NULL, "r->r") \
    X(softplus, NULL, "r->r") \
    X(sigmoid, NULL, "r->r") \
    X(log_sigmoid, NULL, "r->r") \
    X(sincos_2pi, NULL, "r->rr") \
    /* log-densities, losses, divergences */ \
    X(normal_log_prob, NULL, "rrr->r") \
    X(uniform_log_prob, NULL, "rrr->r") \
    X(laplace_log_prob, NULL, "rrr->r") \
    X(bernoulli_log_prob, NULL, "rr->r") \
    X(bernoulli_nll, NULL, "tr->r") \
    X(gaussian_nll, NULL, "trr->r") \
    X(normal_kl, NULL, "rrrr->r") \
    X(laplace_kl, NULL, "rrrr->r") \
    X(bernoulli_kl, NULL, "rr->r") \
    X(bernoulli_js, NULL, "rr->r") \
    X(relative_entropy, NULL, "rr->r") \
    X(js_term, NULL, "rr->r") \
    X(js_integrand, NULL, "r->r") \
    X(uniform_kl, NULL, "rrrr->r")
/* clang-format on */
