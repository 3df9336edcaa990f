"""C types of the kernels that the bindings call: csrc/dispatch.h and csrc/kernels/*/*_list.h in the words of Cython."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "dispatch.h" nogil:
    ctypedef void (*loglik_loop)(
        char **args, const Py_ssize_t *dims, const Py_ssize_t *steps, void *data) noexcept nogil
    enum:
        LOGLIK_F64
        LOGLIK_F32
    ctypedef struct loglik_ufunc_info:
        const char *name
        const char *signature
        const char *types
        size_t offset
    ctypedef struct loglik_dice_segment:
        pass
    ctypedef enum loglik_gradient_form "enum loglik_gradient_form":
        pass
    ctypedef struct loglik_gradient_task:
        loglik_gradient_form form
        Py_ssize_t problems, points, gaussians, d
        const char *x
        const char *loc
        const char *matrix
        Py_ssize_t x_e, x_n, x_d, loc_e, loc_k, matrix_e, matrix_k
        char *value
        Py_ssize_t value_e, value_n, value_k
        char *rows
        double *row_sums
        double *sums
        double *outer
        char *gradient
        int stream, stream_rows
        char *scratch
    ctypedef enum loglik_loss_form "enum loglik_loss_form":
        pass
    ctypedef struct loglik_loss_task:
        loglik_loss_form form
        Py_ssize_t n, width
        const void *targets
        const int64_t *labels
        const void *model[2]
        const void *weights
        double smoothing, tolerance
        int ignores
        int64_t ignored
        double scale
        void *values
        void *gradient[2]
        double sum
        Py_ssize_t bad
        int which
    enum:
        LOGLIK_ORDER_BINS
    ctypedef struct loglik_moments_task:
        Py_ssize_t n, d
        int diagonal, extremes
        const void *x
        const double *weights
        double weight
        double *shift
        double *offset
        double *squares
        double *rest
        double *low
        double *high
        double *scratch
    ctypedef struct loglik_f64_kernels:
        # losses_list.h
        void (*bernoulli_nll_task)(loglik_loss_task *task) noexcept nogil
        void (*gaussian_nll_task)(loglik_loss_task *task) noexcept nogil
        void (*categorical_nll_task)(loglik_loss_task *task) noexcept nogil
        void (*kl_standard_normal_task)(loglik_loss_task *task) noexcept nogil
        void (*laplace_nll_task)(loglik_loss_task *task) noexcept nogil
        # order_list.h
        void (*order_counts)(const double *x, const double *weights, Py_ssize_t n, int64_t low, int shift, int64_t *counts,
                             double *sums) noexcept nogil
        Py_ssize_t (*order_gather)(const double *x, const double *weights, Py_ssize_t n, int64_t low, int64_t high, double *out,
                                   double *weights_out) noexcept nogil
        double (*absolute_deviations)(const double *x, const double *weights, Py_ssize_t n, double center) noexcept nogil
        # gaussian_list.h
        void (*mvn_gradient)(const loglik_gradient_task *task) noexcept nogil
        void (*mvn_gradient_each)(const loglik_gradient_task *task) noexcept nogil
        void (*mvn_gradient_diagonal)(const loglik_gradient_task *task) noexcept nogil
        Py_ssize_t (*mvn_gradient_diagonal_scratch)(Py_ssize_t d) noexcept nogil
        Py_ssize_t (*mvn_gradient_scratch)(Py_ssize_t d) noexcept nogil
        Py_ssize_t (*mvn_gradient_each_scratch)(Py_ssize_t d) noexcept nogil
        # discrete_list.h
        void (*convolve)(const double *a, Py_ssize_t na, const double *b, Py_ssize_t nb, Py_ssize_t first,
                         Py_ssize_t last, double *out) noexcept nogil
        # random_list.h
        void (*random_uniform)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, double scale, double shift, double last,
            double *out) noexcept nogil
        void (*random_normal)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, double scale, double shift, double last,
            double *out) noexcept nogil
        void (*random_laplace)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, double scale, double shift, double last,
            double *out) noexcept nogil
    ctypedef struct loglik_f32_kernels:
        # losses_list.h
        void (*bernoulli_nll_task)(loglik_loss_task *task) noexcept nogil
        void (*gaussian_nll_task)(loglik_loss_task *task) noexcept nogil
        void (*categorical_nll_task)(loglik_loss_task *task) noexcept nogil
        void (*kl_standard_normal_task)(loglik_loss_task *task) noexcept nogil
        void (*laplace_nll_task)(loglik_loss_task *task) noexcept nogil
        # order_list.h
        void (*order_counts)(const float *x, const double *weights, Py_ssize_t n, int64_t low, int shift, int64_t *counts,
                             double *sums) noexcept nogil
        Py_ssize_t (*order_gather)(const float *x, const double *weights, Py_ssize_t n, int64_t low, int64_t high, float *out,
                                   double *weights_out) noexcept nogil
        double (*absolute_deviations)(const float *x, const double *weights, Py_ssize_t n, double center) noexcept nogil
        # gaussian_list.h
        void (*mvn_gradient)(const loglik_gradient_task *task) noexcept nogil
        void (*mvn_gradient_each)(const loglik_gradient_task *task) noexcept nogil
        void (*mvn_gradient_diagonal)(const loglik_gradient_task *task) noexcept nogil
        Py_ssize_t (*mvn_gradient_diagonal_scratch)(Py_ssize_t d) noexcept nogil
        Py_ssize_t (*mvn_gradient_scratch)(Py_ssize_t d) noexcept nogil
        Py_ssize_t (*mvn_gradient_each_scratch)(Py_ssize_t d) noexcept nogil
        # discrete_list.h
        void (*convolve)(const float *a, Py_ssize_t na, const float *b, Py_ssize_t nb, Py_ssize_t first,
                         Py_ssize_t last, float *out) noexcept nogil
        # random_list.h
        void (*random_uniform)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, float scale, float shift, float last,
            float *out) noexcept nogil
        void (*random_normal)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, float scale, float shift, float last,
            float *out) noexcept nogil
        void (*random_laplace)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, float scale, float shift, float last,
            float *out) noexcept nogil
    ctypedef struct loglik_kernels:
        const char *name
        const char *description
        int vector_bytes
        int has_fma
        const loglik_f64_kernels *f64
        const loglik_f32_kernels *f32
        # discrete_list.h
        Py_ssize_t (*dice_segments)(int64_t n, int64_t s) noexcept nogil
        Py_ssize_t (*dice_pmf)(int64_t n, int64_t s, double *out, Py_ssize_t count,
                               loglik_dice_segment *segments) noexcept nogil
        void (*dice_probs)(double *out, Py_ssize_t count, const loglik_dice_segment *segments,
                           Py_ssize_t n_segments) noexcept nogil
        void (*counts_next)(
            const uint32_t *c, const uint32_t *a, const uint32_t *b, Py_ssize_t digits, int64_t times_c, int64_t times_a,
            int64_t times_b, int64_t divisor, uint32_t *out) noexcept nogil
        void (*dice_scaled)(double *out, int64_t *exponents, Py_ssize_t count, const loglik_dice_segment *segments,
                            Py_ssize_t n_segments) noexcept nogil
        void (*scaled_add)(double *m, int64_t *e, const double *terms, int64_t shift, Py_ssize_t n) noexcept nogil
        void (*scaled_normalise)(double *m, int64_t *e, Py_ssize_t n) noexcept nogil
        void (*scaled_values)(const double *m, const int64_t *e, double *out, Py_ssize_t n) noexcept nogil
        void (*scaled_cumulative)(const double *m, const int64_t *e, double *out_m, int64_t *out_e,
                                  Py_ssize_t n) noexcept nogil
        # moments_list.h
        void (*moments_f64)(loglik_moments_task *task) noexcept nogil
        void (*moments_f32)(loglik_moments_task *task) noexcept nogil
        Py_ssize_t (*moments_scratch)(Py_ssize_t d, int diagonal) noexcept nogil
        # random_list.h
        void (*philox_words)(
            uint64_t key, uint64_t stream, uint64_t counter, Py_ssize_t count, uint32_t *out) noexcept nogil
        void (*random_discrete)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t n, const double *cdf, const int32_t *guide,
            Py_ssize_t cells, int64_t *out) noexcept nogil
        Py_ssize_t (*mvn_log_ratio_scratch)(Py_ssize_t d, Py_ssize_t count) noexcept nogil
        void (*mvn_log_ratio_moments)(
            uint64_t key, uint64_t stream, uint64_t start, Py_ssize_t count, Py_ssize_t d, int js, const double *excess,
            const double *shift, double constant, double *scratch, double *mean, double *squares) noexcept nogil
    loglik_loop loglik_loop_at(const loglik_kernels *level, size_t offset, int type)
