/* Part of kernel_list.h: order statistics of blocks, see order.h. */
#ifndef LOGLIK_ORDER_LIST_H
#define LOGLIK_ORDER_LIST_H

enum { LOGLIK_ORDER_BINS = 1022 };

#define LOGLIK_FUNCTIONS_ORDER(X, R)                                                                        \
    /* Adds to counts[LOGLIK_ORDER_BINS + 2], and with weights to their sums, how many elements have a key below low, in each of \
     * the ranges [low + (i << shift), low + ((i + 1) << shift)), and above. */                             \
    X(void, order_counts,                                                                                   \
      (const R *x, const double *weights, ptrdiff_t n, int64_t low, int shift, int64_t *counts, double *sums)) \
    /* Copies the elements (and their weights) with low <= key <= high; returns how many there are. */      \
    X(ptrdiff_t, order_gather,                                                                              \
      (const R *x, const double *weights, ptrdiff_t n, int64_t low, int64_t high, R *out, double *weights_out)) \
    /* Sum of weights·|x - center|. */                                                                      \
    X(double, absolute_deviations, (const R *x, const double *weights, ptrdiff_t n, double center))

#endif
