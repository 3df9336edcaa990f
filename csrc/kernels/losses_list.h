/* Part of kernel_list.h: losses summed in blocks. */
#define LOGLIK_UFUNCS_LOSSES(X)

#define LOGLIK_FUNCTIONS_LOSSES(X, R, T)

#define LOGLIK_UNTYPED_LOSSES(X)
