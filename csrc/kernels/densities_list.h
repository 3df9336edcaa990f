/* Part of kernel_list.h: log-densities, losses and divergences, element by element. */
#define LOGLIK_UFUNCS_DENSITIES(X)

#define LOGLIK_FUNCTIONS_DENSITIES(X, R, T)

#define LOGLIK_UNTYPED_DENSITIES(X)
