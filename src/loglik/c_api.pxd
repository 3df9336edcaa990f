"""The C API for Cython; csrc/include/loglik/loglik.h has the names of the parameters and says what they are."""

from libc.stdint cimport int32_t

cdef extern from "loglik/loglik.h" nogil:
    enum:
        LOGLIK_OK
        LOGLIK_NOT_FINITE
        LOGLIK_NO_MEMORY
        LOGLIK_BAD_ARGUMENT
        LOGLIK_BAD_ISA
        LOGLIK_BAD_TARGET
        LOGLIK_F32
        LOGLIK_F64
    const char *loglik_version()
    const char *loglik_isa()
    ctypedef void (*loglik_loop)(char **, const Py_ssize_t *, const Py_ssize_t *, void *) noexcept nogil
    loglik_loop loglik_find_loop(const char *, int)
    int loglik_softplus_f64(Py_ssize_t, const double *, Py_ssize_t, double *, Py_ssize_t)
    int loglik_sigmoid_f64(Py_ssize_t, const double *, Py_ssize_t, double *, Py_ssize_t)
    int loglik_log_sigmoid_f64(Py_ssize_t, const double *, Py_ssize_t, double *, Py_ssize_t)
    int loglik_normal_log_prob_f64(
        Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, double *,
        Py_ssize_t)
    int loglik_bernoulli_nll_f64(Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, double *, Py_ssize_t)
    int loglik_gaussian_nll_f64(
        Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, double *,
        Py_ssize_t)
    int loglik_bernoulli_nll_sum_f64(Py_ssize_t, const double *, const double *, const double *, double, double *, double *)
    int loglik_normal_kl_f64(
        Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, const double *,
        Py_ssize_t, double *, Py_ssize_t)
    int loglik_bernoulli_kl_f64(Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, double *, Py_ssize_t)
    int loglik_cholesky_f64(Py_ssize_t, Py_ssize_t, const double *, Py_ssize_t, double *, Py_ssize_t, int32_t *)
    int loglik_mvn_log_prob_f64(
        Py_ssize_t, Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t, const double *, Py_ssize_t,
        double *, Py_ssize_t, int32_t *)
    int loglik_mvn_log_prob_shared_f64(
        Py_ssize_t, Py_ssize_t, const double *, Py_ssize_t, const double *, const double *, double *, Py_ssize_t)
    int loglik_softplus_f32(Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t)
    int loglik_sigmoid_f32(Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t)
    int loglik_log_sigmoid_f32(Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t)
    int loglik_normal_log_prob_f32(
        Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t)
    int loglik_bernoulli_nll_f32(Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t)
    int loglik_gaussian_nll_f32(
        Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t)
    int loglik_bernoulli_nll_sum_f32(Py_ssize_t, const float *, const float *, const float *, double, double *, float *)
    int loglik_normal_kl_f32(
        Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, const float *,
        Py_ssize_t, float *, Py_ssize_t)
    int loglik_bernoulli_kl_f32(Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t)
    int loglik_cholesky_f32(Py_ssize_t, Py_ssize_t, const float *, Py_ssize_t, float *, Py_ssize_t, int32_t *)
    int loglik_mvn_log_prob_f32(
        Py_ssize_t, Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, const float *, Py_ssize_t, float *,
        Py_ssize_t, int32_t *)
    int loglik_mvn_log_prob_shared_f32(
        Py_ssize_t, Py_ssize_t, const float *, Py_ssize_t, const float *, const float *, float *, Py_ssize_t)
