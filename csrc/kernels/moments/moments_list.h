/* Part of kernel_list.h: moments of a sample (moments_task.h). */
#include "moments_task.h"

/* Sums are double for both types of rows, so both kernels stand with those of doubles. */
#define LOGLIK_UNTYPED_MOMENTS(X)                                                                           \
    X(void, moments_f64, (loglik_moments_task *task))                                                       \
    X(void, moments_f32, (loglik_moments_task *task))                                                       \
    X(ptrdiff_t, moments_scratch, (ptrdiff_t d, int diagonal))
