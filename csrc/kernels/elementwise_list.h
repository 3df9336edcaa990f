/* Part of kernel_list.h: elementwise ufuncs. */
#define LOGLIK_UFUNCS_ELEMENTWISE(X)                                                                        \
    X(exp, NULL, "r->r",                                                                                    \
      "Exponential function.\n\n"                                                                           \
      "Accuracy: below 1 ulp in float64 and float32, subnormal results included.")

#define LOGLIK_FUNCTIONS_ELEMENTWISE(X, R, T)

#define LOGLIK_UNTYPED_ELEMENTWISE(X)
