# cython: language_level=3, boundscheck=False, wraparound=False
"""Kernels of loglik on threads of their own, without the GIL."""

from cython.parallel cimport prange

from loglik.c_api cimport loglik_bernoulli_nll_sum_f64, loglik_mvn_log_prob_shared_f64

import numpy as np

cdef enum:
    BLOCK = 1024


def mvn_log_prob(const double[:, ::1] x, const double[::1] loc, const double[:, ::1] covariance, int threads=2):
    """Log-densities of the rows of x under one Gaussian; the threads take blocks of rows."""
    cdef Py_ssize_t n = x.shape[0], d = x.shape[1], first
    cdef int status, failed = 0
    result = np.empty(n)
    cdef double[::1] out = result
    if d == 0 or loc.shape[0] != d or covariance.shape[0] != d or covariance.shape[1] != d:
        raise ValueError("mvn_log_prob: shapes do not match")
    for first in prange(0, n, BLOCK, nogil=True, num_threads=threads):
        status = loglik_mvn_log_prob_shared_f64(
            min(BLOCK, n - first), d, &x[first, 0], d, &loc[0], &covariance[0, 0], &out[first], 1)
        failed += status != 0
    if failed:
        raise ValueError("mvn_log_prob: the covariance is not positive definite")
    return result


def bernoulli_nll_rows(const double[:, ::1] targets, const double[:, ::1] logits, int threads=2):
    """Negative log-likelihood of each row in nats, and its gradient in the logits; the threads take rows."""
    cdef Py_ssize_t n = logits.shape[0], width = logits.shape[1], i
    cdef int status, failed = 0
    sums, gradients = np.empty(n), np.empty((n, width))
    cdef double[::1] s = sums
    cdef double[:, ::1] g = gradients
    if width == 0 or targets.shape[0] != n or targets.shape[1] != width:
        raise ValueError("bernoulli_nll_rows: shapes do not match")
    for i in prange(n, nogil=True, num_threads=threads):
        status = loglik_bernoulli_nll_sum_f64(width, &targets[i, 0], &logits[i, 0], NULL, 1.0, &s[i], &g[i, 0])
        failed += status != 0
    if failed:
        raise ValueError("bernoulli_nll_rows: targets must be in [0, 1]")
    return sums, gradients
