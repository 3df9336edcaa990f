# cython: language_level=3, freethreading_compatible=True, boundscheck=False, wraparound=False
"""Block kernels of the losses: one contiguous block in, a sum and what else was asked for out."""

from cython cimport floating

from loglik._dispatch cimport active_kernels, loglik_kernels


def bernoulli_nll_block(
    const floating[::1] targets not None,
    const floating[::1] model not None,
    const floating[::1] weights,
    bint from_logits,
    double scale,
    floating[::1] values,
    floating[::1] gradient,
):
    """One block of the Bernoulli negative log-likelihood.

    Returns (sum, bad, which): `bad` is -1, or the first index whose target (`which` 0) or probability (1) is outside
    [0, 1]. `values` and `gradient` may be None; they must not overlap the inputs.
    """
    cdef Py_ssize_t n = targets.shape[0], bad
    cdef const loglik_kernels *kernels = active_kernels()
    cdef double total = 0.0
    cdef int which = 0
    if model.shape[0] != n or (weights is not None and weights.shape[0] != n) or (
        (values is not None and values.shape[0] != n) or (gradient is not None and gradient.shape[0] != n)
    ):
        raise ValueError("bernoulli_nll_block: lengths differ")
    if n == 0:
        return 0.0, -1, 0
    cdef const floating *w = &weights[0] if weights is not None else NULL
    cdef floating *v = &values[0] if values is not None else NULL
    cdef floating *g = &gradient[0] if gradient is not None else NULL
    with nogil:
        if floating is double:
            if from_logits:
                bad = kernels.bernoulli_nll_logits_f64(&targets[0], &model[0], w, n, scale, v, g, &total, &which)
            else:
                bad = kernels.bernoulli_nll_probs_f64(&targets[0], &model[0], w, n, scale, v, g, &total, &which)
        else:
            if from_logits:
                bad = kernels.bernoulli_nll_logits_f32(&targets[0], &model[0], w, n, <float> scale, v, g, &total, &which)
            else:
                bad = kernels.bernoulli_nll_probs_f32(&targets[0], &model[0], w, n, <float> scale, v, g, &total, &which)
    return total, bad, which
