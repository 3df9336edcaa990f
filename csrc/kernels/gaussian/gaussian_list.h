/* Part of kernel_list.h: Cholesky and multivariate normal densities. */
#include "gradient_task.h"

/* clang-format off */
#define LOGLIK_UFUNCS_GAUSSIAN(X) \
    X(cholesky, "(d,d)->(d,d),()", "r->ri") \
    X(mvn_log_prob, "(d),(d),(d,d)->(),()", "rrr->ri") \
    X(mvn_log_prob_checked, "(d),(d),(d,d)->(),()", "rrr->ri") \
    X(mvn_log_prob_shared, "(n,d),(d),(d,d)->(n),()", "rrr->ri") \
    X(mvn_log_prob_grid, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri") \
    X(mvn_log_prob_tril, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri") \
    X(mvn_log_prob_tril_each, "(d),(d),(d,d)->(),()", "rrr->ri") \
    X(mvn_log_prob_whitened, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri") \
    X(mvn_log_prob_whitened_each, "(d),(d),(d,d)->(),()", "rrr->ri") \
    X(mvn_log_prob_diagonal, "(d),(d),(d)->()", "rrr->r") \
    X(mvn_log_prob_diagonal_grid, "(n,d),(k,d),(k,d)->(n,k)", "rrr->r") \
    X(log_mixture, "(k),(k)->()", "rr->r") \
    X(responsibilities, "(k),(k)->(k),()", "rr->rr") \
    X(whiten, "(n,d),(d),(d,d)->(n,d)", "rrr->r") \
    X(unwhiten, "(n,d),(d),(d,d)->(n,d)", "rrr->r") \
    X(asymmetry, "(d,d)->()", "r->i")
/* clang-format on */

/* Log-densities with their gradients (gradient_task.h):
 *   mvn_gradient           Gaussians that points share; `gradient` is not used
 *   mvn_gradient_each      a matrix for every point (points and gaussians are 1), d <= 64; `sums` and `outer` are not used
 *   mvn_gradient_diagonal  form VARIANCE; `value` is not used
 *   ..._scratch            bytes of scratch memory */
#define LOGLIK_FUNCTIONS_GAUSSIAN(X, R)                                                                     \
    X(void, mvn_gradient, (const loglik_gradient_task *task))                                               \
    X(ptrdiff_t, mvn_gradient_scratch, (ptrdiff_t d))                                                       \
    X(void, mvn_gradient_each, (const loglik_gradient_task *task))                                          \
    X(ptrdiff_t, mvn_gradient_each_scratch, (ptrdiff_t d))                                                  \
    X(void, mvn_gradient_diagonal, (const loglik_gradient_task *task))                                      \
    X(ptrdiff_t, mvn_gradient_diagonal_scratch, (ptrdiff_t d))
