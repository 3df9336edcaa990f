/* Part of kernel_list.h: Cholesky and multivariate normal densities. */
#define LOGLIK_UFUNCS_GAUSSIAN(X)                                                                           \
    X(cholesky, "(d,d)->(d,d),()", "r->ri", "")                                                             \
    X(mvn_log_prob, "(d),(d),(d,d)->(),()", "rrr->ri", "") \
    X(mvn_log_prob_tril_each, "(d),(d),(d,d)->(),()", "rrr->ri", "") \
    X(mvn_log_prob_whitened_each, "(d),(d),(d,d)->(),()", "rrr->ri", "") \
    X(mvn_log_prob_shared, "(n,d),(d),(d,d)->(n),()", "rrr->ri", "")                                        \
    X(mvn_log_prob_grid, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri", "")                                   \
    X(mvn_log_prob_tril, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri", "")                                   \
    X(mvn_log_prob_whitened, "(n,d),(k,d),(k,d,d)->(n,k),(k)", "rrr->ri", "")                               \
    X(whiten, "(n,d),(d),(d,d)->(n,d)", "rrr->r", "")

#define LOGLIK_FUNCTIONS_GAUSSIAN(X, R, T)

#define LOGLIK_UNTYPED_GAUSSIAN(X)
