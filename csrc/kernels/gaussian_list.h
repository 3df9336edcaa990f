/* Part of kernel_list.h: Cholesky and multivariate normal densities. */
#define LOGLIK_UFUNCS_GAUSSIAN(X)

#define LOGLIK_FUNCTIONS_GAUSSIAN(X, R, T)

#define LOGLIK_UNTYPED_GAUSSIAN(X)
