/* Part of kernel_list.h: Cholesky and multivariate normal densities. */
#include "gradient_task.h"

/* What the densities have in common. */
#define LOGLIK_DOC_MVN                                                                                     \
    "Returns\n"                                                                                            \
    "-------\n"                                                                                            \
    "value : ndarray or scalar\n"                                                                          \
    "    Log-density in nats.\n"                                                                           \
    "info : ndarray or scalar\n"                                                                           \
    "    int32: 0 where the matrix is good, k > 0 where pivot k (from 1) is not a positive normal number,\n" \
    "    -1 where an entry is not finite, -2 where memory was short.\n"                                    \
    "\n"                                                                                                   \
    "Notes\n"                                                                                              \
    "-----\n"                                                                                              \
    "A bad matrix or a loc that is not finite gives NaN, as does a NaN in x; an infinite x gives -inf.\n"  \
    "Neighbours of a bad item keep their bits. Error: |got - exact| <= 4 d kappa u (sum of the absolute terms), kappa\n" \
    "being the condition number of the covariance scaled to unit diagonal."

#define LOGLIK_UFUNCS_GAUSSIAN(X)                                                                          \
    X(cholesky, "(d,d)->(d,d),()", "r->ri",                                                                \
      "Cholesky factor: lower triangular L with A = L L^T, zeros above the diagonal.\n"                    \
      "\n"                                                                                                 \
      "Only the lower triangle of A is read. `info` (int32) is 0 where A is positive definite, k > 0 where pivot k\n" \
      "(from 1) is not a positive normal number, -1 where an entry is not finite, -2 where memory was short;\n" \
      "L is NaN then.\n"                                                                                   \
      "\n"                                                                                                 \
      "Notes\n"                                                                                            \
      "-----\n"                                                                                            \
      "Backward error ||A - L L^T||_1 <= 2 d u ||A||_1; succeeds whenever the smallest eigenvalue of A, scaled to\n" \
      "unit diagonal, exceeds (d + 1)^2 u. Scaling A to 2^k A 2^k scales L exactly. Blocked, up-looking: N. J. Higham,\n" \
      "Accuracy and Stability of Numerical Algorithms, 2nd ed. (SIAM, 2002), chapter 10.")                 \
    X(mvn_log_prob, "(d),(d),(d,d)->(),()", "rrr->ri",                                                     \
      "Multivariate normal log-density, a covariance for every point: (x, loc, covariance).\n"             \
      "\n"                                                                                                 \
      "    log p(x) = -(x - loc)^T S^-1 (x - loc)/2 - log(det S)/2 - (d/2) log(2 pi)\n"                    \
      "\n"                                                                                                 \
      "Only the lower triangle of the covariance is read. Many matrices are factored at once (one per vector lane); a\n" \
      "covariance that broadcasts is factored again for every point: use mvn_log_prob_shared.\n\n"         \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_checked, "(d),(d),(d,d)->(),()", "rrr->ri",                                             \
      "As mvn_log_prob, and the whole covariance is looked at: (x, loc, covariance).\n"                    \
      "\n"                                                                                                 \
      "`info` is also -3 where loc is not finite and -4 where the covariance is not symmetric (see asymmetry), which gives\n" \
      "NaN too. The check is made while the matrix is in cache.\n\n"                                        \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_shared, "(n,d),(d),(d,d)->(n),()", "rrr->ri",                                           \
      "Multivariate normal log-density of n points under one Gaussian: (x, loc, covariance).\n"            \
      "\n"                                                                                                 \
      "    log p(x) = -(x - loc)^T S^-1 (x - loc)/2 - log(det S)/2 - (d/2) log(2 pi)\n"                    \
      "\n"                                                                                                 \
      "Only the lower triangle of the covariance is read; it is factored once.\n\n"                        \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_grid, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri",                                      \
      "Multivariate normal log-density of n points under each of k Gaussians: (x, loc, covariance).\n"     \
      "\n"                                                                                                 \
      "    log p_k(x) = -(x - loc_k)^T S_k^-1 (x - loc_k)/2 - log(det S_k)/2 - (d/2) log(2 pi)\n"          \
      "\n"                                                                                                 \
      "Only the lower triangles are read; each covariance is factored once, the points are read once for many Gaussians.\n\n" \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_tril, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri",                                      \
      "Multivariate normal log-density of n points under k Gaussians given by factors: (x, loc, scale_tril).\n" \
      "\n"                                                                                                 \
      "As mvn_log_prob_grid with S = L L^T; the lower triangular L has a positive diagonal.\n\n"           \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_tril_each, "(d),(d),(d,d)->(),()", "rrr->ri",                                           \
      "Multivariate normal log-density, a factor for every point: (x, loc, scale_tril).\n"                 \
      "\n"                                                                                                 \
      "As mvn_log_prob with S = L L^T; the lower triangular L has a positive diagonal.\n\n"                \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_whitened, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri",                                  \
      "Multivariate normal log-density of n points under k Gaussians given by whiteners: (x, loc, W).\n"   \
      "\n"                                                                                                 \
      "As mvn_log_prob_grid with S^-1 = W^T W; the lower triangular W has a positive diagonal. For a precision matrix P,\n" \
      "W = J chol(J P J)^T J with J the reversal of the coordinates: nothing is inverted.\n\n"             \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_whitened_each, "(d),(d),(d,d)->(),()", "rrr->ri",                                       \
      "Multivariate normal log-density, a whitener for every point: (x, loc, W).\n"                        \
      "\n"                                                                                                 \
      "As mvn_log_prob with S^-1 = W^T W; the lower triangular W has a positive diagonal.\n\n"             \
      LOGLIK_DOC_MVN)                                                                                      \
    X(mvn_log_prob_diagonal, "(d),(d),(d)->()", "rrr->r",                                                  \
      "Multivariate normal log-density with independent coordinates: (x, loc, variance).\n"                \
      "\n"                                                                                                 \
      "    log p(x) = -sum_k [(x_k - loc_k)^2 / v_k + log v_k + log(2 pi)] / 2\n"                          \
      "\n"                                                                                                 \
      "Log-density in nats. NaN where a variance is not a positive normal number, loc is not finite or x is NaN; an infinite\n" \
      "x gives -inf. One pass, error below 4 d u (sum of the absolute terms).")                            \
    X(mvn_log_prob_diagonal_grid, "(n,d),(k,d),(k,d)->(n,k)", "rrr->r",                                   \
      "Multivariate normal log-density of n points under k Gaussians with independent coordinates: (x, loc, variance).\n" \
      "\n"                                                                                                 \
      "Each value has the bits, and so the error, of mvn_log_prob_diagonal; the points are read once for many Gaussians.") \
    X(log_mixture, "(k),(k)->()", "rr->r",                                                                 \
      "Log-density of a mixture: log(sum_k exp(a_k + b_k)), of (component log-densities, log-weights).\n"  \
      "\n"                                                                                                 \
      "Terms of -inf count as nothing; if all are, the result is -inf. NaN in a row gives NaN, as does +inf - inf.\n" \
      "\n"                                                                                                 \
      "Notes\n"                                                                                            \
      "-----\n"                                                                                            \
      "The largest term is taken out of the exponentials (P. Blanchard, D. J. Higham, N. J. Higham, Accurately computing the\n" \
      "log-sum-exp and softmax functions, IMA J. Numer. Anal. 41, 2021). Error: |got - exact| <= (k + 4) u + 2 u max_k |a_k + b_k|.") \
    X(responsibilities, "(k),(k)->(k),()", "rr->rr",                                                       \
      "Shares of the components of a mixture and its log-density, of (component log-densities, log-weights).\n" \
      "\n"                                                                                                 \
      "    r_k = exp(a_k + b_k) / sum_j exp(a_j + b_j)   and   log(sum_j exp(a_j + b_j)), as log_mixture has it\n" \
      "\n"                                                                                                 \
      "The posterior probabilities of the components; a softmax where b is 0. NaN in a row gives NaN; where all terms are\n" \
      "-inf, or one is +inf, the shares are NaN.\n"                                                        \
      "\n"                                                                                                 \
      "Notes\n"                                                                                            \
      "-----\n"                                                                                            \
      "Relative error <= (k + 6 + 4 max_k |a_k + b_k|) u; a share below the smallest normal number may be 0. One exponential\n" \
      "for each entry.")                                                                                   \
    X(whiten, "(n,d),(d),(d,d)->(n,d)", "rrr->r",                                                          \
      "Whitened points y = L^-1 (x - loc), of (x, loc, scale_tril), by forward substitution.\n"            \
      "\n"                                                                                                 \
      "If x has covariance L L^T and mean loc, y has covariance I. L is lower triangular with a positive diagonal (what is\n" \
      "above is not read); otherwise, and where loc is not finite, y is NaN.\n"                            \
      "\n"                                                                                                 \
      "Notes\n"                                                                                            \
      "-----\n"                                                                                            \
      "(L + E) y = x - loc with |E| <= (d + 4) u |L| (Higham, Accuracy and Stability of Numerical Algorithms, chapter 8).") \
    X(unwhiten, "(n,d),(d),(d,d)->(n,d)", "rrr->r",                                                        \
      "Points x = loc + L z of given covariance from standardised ones: (z, loc, scale_tril).\n"           \
      "\n"                                                                                                 \
      "If z has covariance I and mean 0, x has covariance L L^T and mean loc. L is lower triangular (what is above the\n" \
      "diagonal is not read); zeros on the diagonal are allowed.\n"                                        \
      "\n"                                                                                                 \
      "Notes\n"                                                                                            \
      "-----\n"                                                                                            \
      "|got - exact| <= (d + 1) u (|loc| + |L| |z|).")                                                      \
    X(asymmetry, "(d,d)->()", "r->i",                                                                      \
      "First entry below the diagonal that breaks symmetry, as i d + j; 0 where the matrix is symmetric.\n" \
      "\n"                                                                                                 \
      "(i, j) breaks it when |a_ij - a_ji| <= sqrt(u) sqrt(a_ii a_jj) does not hold: also where an entry is NaN, where an\n" \
      "infinite one differs from its mirror, and where the two differ and a diagonal entry is negative. Rows in order.")

/* Log-densities with their gradients (gradient_task.h):
 *   mvn_gradient           Gaussians that points share; `gradient` is not used
 *   mvn_gradient_each      a matrix for every point (points and gaussians are 1), d <= 64; `sums` and `outer` are not used
 *   mvn_gradient_diagonal  form VARIANCE; `value` is not used
 *   ..._scratch            bytes of scratch memory */
#define LOGLIK_FUNCTIONS_GAUSSIAN(X, R, T)                                                                 \
    X(void, mvn_gradient_##T, (const loglik_gradient_task *task))                                          \
    X(ptrdiff_t, mvn_gradient_scratch_##T, (ptrdiff_t d))                                                  \
    X(void, mvn_gradient_each_##T, (const loglik_gradient_task *task))                                     \
    X(ptrdiff_t, mvn_gradient_each_scratch_##T, (ptrdiff_t d))                                             \
    X(void, mvn_gradient_diagonal_##T, (const loglik_gradient_task *task))                                 \
    X(ptrdiff_t, mvn_gradient_diagonal_scratch_##T, (ptrdiff_t d))

#define LOGLIK_UNTYPED_GAUSSIAN(X)
