/* Part of kernel_list.h: moments of a sample (moments_task.h). */
#include "moments_task.h"

#define LOGLIK_FUNCTIONS_MOMENTS(X, R, T) X(void, moments_##T, (loglik_moments_task *task))

#define LOGLIK_UNTYPED_MOMENTS(X) X(ptrdiff_t, moments_scratch, (ptrdiff_t d, int diagonal))
