/* What the kernel of sample moments is given (moments.h): rows, and the moments so far, which it updates. */
#ifndef LOGLIK_MOMENTS_TASK_H
#define LOGLIK_MOMENTS_TASK_H

#include <stddef.h>

/* Rows are contiguous, of the kernel's floating type. The moments are those of the rows seen before, in double:
 *     mean = shift + offset,   squares + rest = Σ w (x − mean)(x − mean)ᵀ, of which the lower triangle is kept;
 * weight 0 where there are none yet (then `squares` and `rest` are 0, low is +inf, high −inf, and the others are not read). */
typedef struct {
    ptrdiff_t n, d;
    int diagonal;           /* squares of the coordinates only, no products */
    const void *x;          /* [n][d] */
    const double *weights;  /* [n], finite and not negative; or NULL: all 1. A row of weight 0 does not count, whatever it holds */
    double weight;          /* their total */
    double *shift, *offset; /* [d] */
    double *squares, *rest; /* [d][d], or diagonal: [d] */
    int extremes;           /* whether low and high are wanted */
    double *low, *high;     /* [d]: extremes; NaN passes by them */
    double *scratch;        /* as many doubles as moments_scratch says */
} loglik_moments_task;

#endif
