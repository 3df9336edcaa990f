/* What the gradient kernels of the multivariate normal are given (mvn_gradient.h): E problems of N points and K
 * Gaussians each, and where the results go. Outputs that are not wanted are NULL. */
#ifndef LOGLIK_GRADIENT_TASK_H
#define LOGLIK_GRADIENT_TASK_H

#include <stddef.h>

/* What the matrix is, and so in what the gradient is taken. */
enum loglik_gradient_form {
    LOGLIK_GRADIENT_COVARIANCE, /* matrix: L, the gradient in Σ = L·Lᵀ */
    LOGLIK_GRADIENT_FACTOR,     /* matrix: L, the gradient in L */
    LOGLIK_GRADIENT_PRECISION,  /* matrix: W, the gradient in Σ⁻¹ = Wᵀ·W */
    LOGLIK_GRADIENT_VARIANCE,   /* matrix: the diagonal v of Σ, the gradient in it */
};

/* Sizes of the scratch memory and of a block of points are those of the kernel; strides are in bytes; the entries of a
 * mean and of a matrix are contiguous. s = Σ⁻¹·(x − μ), y = L⁻¹·(x − μ), δ = x − μ. */
typedef struct {
    enum loglik_gradient_form form;
    ptrdiff_t problems, points, gaussians, d;
    const char *x, *loc, *matrix;
    ptrdiff_t x_e, x_n, x_d, loc_e, loc_k, matrix_e, matrix_k;
    char *value; /* log-densities */
    ptrdiff_t value_e, value_n, value_k;
    char *rows;       /* [E][N][d]: −s, where K is 1 */
    double *row_sums; /* [E][N][d]: −Σₖ s, added to what is there */
    double *sums;     /* [E][K][d]: Σₙ s */
    double *outer;    /* [E][K][d][d]: Σₙ s·sᵀ, tril(Σₙ s·yᵀ), or Σₙ δ·δᵀ, by form; VARIANCE: [E][K][d], Σₙ s² */
    char *gradient;   /* [E][d][d], the gradient in the matrix: mvn_gradient_each only */
    int stream, stream_rows; /* whether `gradient`, `rows` are written past the caches: they are larger than those */
    char *scratch;    /* as many bytes as mvn_gradient_scratch or mvn_gradient_each_scratch says */
} loglik_gradient_task;

#endif
