/* Part of kernel_list.h: random streams and Monte Carlo. */
#define LOGLIK_UFUNCS_RANDOM(X)

#define LOGLIK_FUNCTIONS_RANDOM(X, R, T)

#define LOGLIK_UNTYPED_RANDOM(X)
