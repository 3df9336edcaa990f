/* Part of kernel_list.h: losses summed in blocks. */
#define LOGLIK_UFUNCS_LOSSES(X)

/* Bernoulli negative log-likelihood of n contiguous elements, with what the caller asks for:
 *   weights   NULL or n weights of the values
 *   values    NULL or where the n (weighted) values go
 *   gradient  NULL or where the n derivatives of the (weighted) values in the model's argument go, times scale
 *   sum       NULL or where the sum of the (weighted) values goes
 * Outputs do not overlap inputs. Returns −1, or the first index whose target is
 * outside [0, 1] (bernoulli_nll_probs: or whose probability is; *which is then 1). Outputs are undefined then. */
#define LOGLIK_FUNCTIONS_LOSSES(X, R, T)                                                                    \
    X(ptrdiff_t, bernoulli_nll_logits_##T,                                                                  \
      (const R *targets, const R *logits, const R *weights, ptrdiff_t n, R scale, R *values, R *gradient,   \
       double *sum, int *which))                                                                            \
    X(ptrdiff_t, bernoulli_nll_probs_##T,                                                                   \
      (const R *targets, const R *probs, const R *weights, ptrdiff_t n, R scale, R *values, R *gradient,    \
       double *sum, int *which))

#define LOGLIK_UNTYPED_LOSSES(X)
