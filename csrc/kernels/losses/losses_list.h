/* Part of kernel_list.h: losses of blocks of values (loss_task.h). */
#include "loss_task.h"

/* Negative log-likelihoods with what the caller asks for: their sum always, values and gradients where there is memory. */
#define LOGLIK_FUNCTIONS_LOSSES(X, R)                                                                       \
    X(void, bernoulli_nll_task, (loglik_loss_task *task))                                                   \
    X(void, gaussian_nll_task, (loglik_loss_task *task))                                                    \
    X(void, categorical_nll_task, (loglik_loss_task *task))                                                 \
    X(void, kl_standard_normal_task, (loglik_loss_task *task))                                              \
    X(void, laplace_nll_task, (loglik_loss_task *task))
