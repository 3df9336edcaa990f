/* Part of kernel_list.h: sums of discrete variables. */
#define LOGLIK_UFUNCS_CONVOLVE(X)

#define LOGLIK_FUNCTIONS_CONVOLVE(X, R, T)

#define LOGLIK_UNTYPED_CONVOLVE(X)
