/* Part of kernel_list.h: elementwise ufuncs. Bounds: simd/vmath_*.h; enforced by tests/test_elementwise.py. */
#define LOGLIK_UFUNCS_ELEMENTWISE(X)                                                                        \
    X(exp, NULL, "r->r",                                                                                    \
      "Exponential function.\n"                                                                             \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp (0.5 is correctly rounded), subnormal results included. Overflow gives inf and underflow 0 without a\n" \
      "warning.\n"                                                                                          \
      "\n"                                                                                                  \
      "Method: exp(x) = 2**n * exp(r) with n = round(x / log 2) and a minimax polynomial for exp(r).")      \
    X(expm1, NULL, "r->r",                                                                                  \
      "exp(x) - 1, accurate for small x.\n"                                                                 \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp. expm1(-0.0) is -0.0.\n"                                                           \
      "\n"                                                                                                  \
      "Method: As for `exp`, with 2**n - 1 and 2**n * (exp(r) - 1) added in two words.")                    \
    X(log, NULL, "r->r",                                                                                    \
      "Natural logarithm.\n"                                                                                \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp, subnormal arguments included. log(0) is -inf, without a warning; x < 0 gives NaN and the invalid flag.\n" \
      "\n"                                                                                                  \
      "Method: x = 2**k * (1 + f), log(1 + f) = 2 atanh(f / (2 + f)) by a minimax polynomial.")             \
    X(log1p, NULL, "r->r",                                                                                  \
      "log(1 + x), accurate for small x.\n"                                                                 \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp. log1p(-1) is -inf, without a warning; x < -1 gives NaN and the invalid flag; log1p(-0.0) is -0.0.\n" \
      "\n"                                                                                                  \
      "Method: As for `log`, with 1 + x kept as the sum of two numbers.")                                   \
    X(log1pmx, NULL, "r->r",                                                                                \
      "log(1 + x) - x, accurate for small x, where it is near -x**2 / 2.\n"                                 \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 4 ulp. -inf at -1 and at inf, without a warning; x < -1 gives NaN and the invalid flag. Never positive.\n" \
      "Divergences between neighbours are sums of such terms.\n"                                            \
      "\n"                                                                                                  \
      "Method: As for `log1p`, where the leading x is left out of the sum, so that it never has to cancel.") \
    X(erf, NULL, "r->r",                                                                                    \
      "Error function: 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x.\n"                          \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp (baseline level: 2 ulp for float32 below 2**-120). erf(-0.0) is -0.0.\n"             \
      "\n"                                                                                                  \
      "Method: odd minimax polynomial below 0.625 in magnitude, beyond it 1 - erfc(x).")                    \
    X(erfc, NULL, "r->r",                                                                                   \
      "Complementary error function 1 - erf(x), accurate where it is small.\n"                              \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 2 ulp, subnormal results (x > 26.54) included; 0 beyond 27.3 without a warning.\n"         \
      "\n"                                                                                                  \
      "Method: exp(-x**2) * erfcx(x), both in two words; (1 + 2 x) * erfcx(x) is a minimax polynomial in (x - 4)/(x + 4)\n" \
      "(float32: (x - 2)/(x + 2)).")                                                                        \
    X(ndtr, NULL, "r->r",                                                                                   \
      "Distribution function of the standard normal: the probability of a value <= x.\n"                    \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 2 ulp, subnormal results (x < -37.5) included; 0 below -38.6 without a warning.\n"         \
      "\n"                                                                                                  \
      "Method: erfc(-x / sqrt(2)) / 2 with the exponential of the exact -x**2 / 2.")                        \
    X(log_ndtr, NULL, "r->r",                                                                               \
      "Logarithm (nats) of the distribution function of the standard normal.\n"                             \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 2 ulp on the whole line: near -x**2 / 2 - log(-x sqrt(2 pi)) for x far below 0, near -ndtr(-x) far above.\n" \
      "-inf where it overflows, without a warning.\n"                                                       \
      "\n"                                                                                                  \
      "Method: x < 0: log(erfcx(-x / sqrt(2)) / 2) - x**2 / 2; otherwise log1p(-ndtr(-x)).")                \
    X(ndtri, NULL, "r->r",                                                                                  \
      "Inverse of the standard normal distribution function: the x with ndtr(x) = p.\n"                     \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "p : array_like\n"                                                                                    \
      "    Probabilities within [0, 1], element by element.\n"                                              \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "x : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `p` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 2 ulp on the whole of (0, 1), subnormal p and the neighbourhood of 1/2, where the result is 0, included. p = 0\n" \
      "gives -inf and p = 1 inf; outside [0, 1] the result is NaN, with the invalid flag.\n"                \
      "\n"                                                                                                  \
      "Method: h = -2 log(2 min(p, 1 - p)) in two words, d = sqrt(h + 81/64) - 9/8 in two words from d (d + 9/4) = h, and d times a\n" \
      "minimax polynomial for the whole range, in a variable that is bounded by 1.")                        \
    X(softplus, NULL, "r->r",                                                                               \
      "log(1 + exp(x)), the smooth ramp: minus the log-probability (nats) that a Bernoulli variable with logit x is 0.\n" \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp in float32, 2 ulp in float64, everywhere: softplus(-740) is the subnormal exp(-740), softplus(800) is 800.\n" \
      "\n"                                                                                                  \
      "Method: max(x, 0) + log1p(exp(-abs(x))), the exponential in two words.")                             \
    X(sigmoid, NULL, "r->r",                                                                                \
      "1 / (1 + exp(-x)): the probability of a Bernoulli variable with logit x.\n"                          \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp everywhere: sigmoid(-740) is the subnormal exp(-740).\n"                             \
      "\n"                                                                                                  \
      "Method: exp(-abs(x)) in two words, one division and one correction.")                                \
    X(log_sigmoid, NULL, "r->r",                                                                            \
      "log(sigmoid(x)) = -softplus(-x): the log-probability (nats) of a Bernoulli variable with logit x.\n" \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "x : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "y : ndarray or scalar\n"                                                                             \
      "    Of the dtype of `x` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 1 ulp in float32, 2 ulp in float64, also where sigmoid(x) rounds to 1 or underflows.\n"    \
      "\n"                                                                                                  \
      "Method: See `softplus`.")                                                                            \
    X(sincos_2pi, NULL, "r->rr",                                                                            \
      "sin(2*pi*u) and cos(2*pi*u) of an angle u in turns.\n"                                               \
      "\n"                                                                                                  \
      "Parameters\n"                                                                                        \
      "----------\n"                                                                                        \
      "u : array_like\n"                                                                                    \
      "    Real numbers, element by element.\n"                                                             \
      "\n"                                                                                                  \
      "Returns\n"                                                                                           \
      "-------\n"                                                                                           \
      "sine, cosine : ndarray or scalar\n"                                                                  \
      "    Of the dtype of `u` (float32 or float64; integers give float64).\n"                              \
      "\n"                                                                                                  \
      "Notes\n"                                                                                             \
      "-----\n"                                                                                             \
      "Accuracy: 2 ulp for every finite u: the reduction is exact, so quarter turns give 0, 1 or -1. Infinite u gives NaN and the\n" \
      "invalid flag.\n"                                                                                     \
      "\n"                                                                                                  \
      "Method: u minus the nearest quarter is within an eighth of a turn; minimax polynomials there.")

#define LOGLIK_FUNCTIONS_ELEMENTWISE(X, R, T)

#define LOGLIK_UNTYPED_ELEMENTWISE(X)
