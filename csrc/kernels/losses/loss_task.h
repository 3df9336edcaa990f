/* What the kernels of the losses are given: a block of values, and where the results go. */
#ifndef LOGLIK_LOSS_TASK_H
#define LOGLIK_LOSS_TASK_H

#include <stddef.h>
#include <stdint.h>

/* What the model's arguments are. */
enum loglik_loss_form {
    LOGLIK_LOSS_LOGITS,       /* bernoulli_nll, categorical_nll */
    LOGLIK_LOSS_PROBS,        /* bernoulli_nll */
    LOGLIK_LOSS_LOG_PROBS,    /* categorical_nll */
    LOGLIK_LOSS_VARIANCE,     /* gaussian_nll: the second argument */
    LOGLIK_LOSS_LOG_VARIANCE, /* gaussian_nll, kl_standard_normal: the second argument */
    LOGLIK_LOSS_SCALE,        /* gaussian_nll, laplace_nll: the second argument */
    LOGLIK_LOSS_LOG_SCALE,    /* laplace_nll: the second argument */
};

enum { LOGLIK_LOSS_MODELS = 2 };

/* Arrays are contiguous, of the kernel's floating type; outputs do not overlap inputs and may be NULL. A value is that of
 * one element, or of a row of `width` elements (categorical_nll, kl_standard_normal). */
typedef struct {
    enum loglik_loss_form form;
    ptrdiff_t n, width;
    const void *targets;    /* [n]; categorical_nll: rows of probabilities, or NULL */
    const int64_t *labels;  /* [n], categorical_nll: classes, where there are no rows */
    const void *model[LOGLIK_LOSS_MODELS]; /* elements; the second NULL where there is none */
    const void *weights;    /* [n] of the values, or NULL */
    double smoothing;       /* categorical_nll: share of the target spread over all classes */
    double tolerance;       /* categorical_nll: of the sums of rows of targets, which are 1 */
    int ignores;            /* categorical_nll: whether values with the label `ignored` do not count */
    int64_t ignored;
    double scale;           /* of the gradients */
    void *values;           /* [n], times their weights */
    void *gradient[LOGLIK_LOSS_MODELS]; /* elements: derivatives of the weighted values in the model's arguments, times scale */
    double sum;             /* out: of the weighted values */
    ptrdiff_t bad;          /* out: −1, or the first element (label) outside its range; then the other outputs are undefined */
    int which;              /* out: the argument that is bad: 0 targets, 1 and 2 the model's; −1 for a row of targets that does not
                             * sum to 1 */
} loglik_loss_task;

#endif
