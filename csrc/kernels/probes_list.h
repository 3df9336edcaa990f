/* Part of kernel_list.h: limits of the machine for the benchmarks. */
#define LOGLIK_UFUNCS_PROBES(X)

#define LOGLIK_FUNCTIONS_PROBES(X, R, T)

#define LOGLIK_UNTYPED_PROBES(X)
