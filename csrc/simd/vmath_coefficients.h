/* Written by csrc/tools/vmath_coefficients.py: do not edit. Lowest degree first. */
#ifndef LOGLIK_VMATH_COEFFICIENTS_H
#define LOGLIK_VMATH_COEFFICIENTS_H

/* (exp(r) - 1 - r) / r^2 on |r| <= log(2)/2 */
/* relative error of the function: 2^-56.79 */
static const double vm_exp_c_f64[] = {
    0x1.000000000000ap-1, 0x1.555555555550bp-3, 0x1.5555555550636p-5, 0x1.1111111123844p-7,
    0x1.6c16c184b5be1p-10, 0x1.a01a0153706e3p-13, 0x1.a019985328a88p-16, 0x1.71de9a8fe4645p-19,
    0x1.28af493d400f7p-22, 0x1.aea090807aa2bp-26,
};
/* relative error of the function: 2^-27.56 */
static const float vm_exp_c_f32[] = {
    0x1.fffffc0000000p-2f, 0x1.5554920000000p-3f, 0x1.5558860000000p-5f, 0x1.1237620000000p-7f,
    0x1.6a43a20000000p-10f,
};

/* (exp(r) - 1 - r - r^2/2) / r^3 on [-0.292, 0.405] */
/* relative error of the function: 2^-62.9 */
static const double vm_expm1_c_f64[] = {
    0x1.5555555555555p-3, 0x1.5555555555555p-5, 0x1.111111111130dp-7, 0x1.6c16c16c1684bp-10,
    0x1.a01a019f120acp-13, 0x1.a01a01a5c2004p-16, 0x1.71de3e352beebp-19, 0x1.27e4da70024aap-22,
    0x1.ae56f587a4cb9p-26, 0x1.1f81b33fad386p-29, 0x1.7172f0c0b9238p-33,
};
/* relative error of the function: 2^-32.84 */
static const float vm_expm1_c_f32[] = {
    0x1.55555a0000000p-3f, 0x1.5555140000000p-5f, 0x1.11066a0000000p-7f, 0x1.6d00600000000p-10f,
    0x1.b569ae0000000p-13f,
};

/* (2 atanh(s) - 2 s) / s^3 in z = s^2, s = (m - 1)/(m + 1), m in [1/sqrt(2), sqrt(2)] */
/* relative error of the function: 2^-59.49 */
static const double vm_log_c_f64[] = {
    0x1.5555555555592p-1, 0x1.999999997ff4fp-2, 0x1.24924941dd9aap-2, 0x1.c71c52177b375p-3,
    0x1.74663c48421fbp-3, 0x1.39a1f9055bc4dp-3, 0x1.2f031bfcf6489p-3,
};
/* relative error of the function: 2^-30.21 */
static const float vm_log_c_f32[] = {
    0x1.55557a0000000p-1f, 0x1.995ed40000000p-2f, 0x1.31e0ee0000000p-2f,
};

/* the same for s = t/(2 + t), t in [0, 1] or [-1/2, 1] */
/* relative error of the function: 2^-59.4 */
static const double vm_log1p_01_c_f64[] = {
    0x1.5555555555535p-1, 0x1.99999999a0752p-2, 0x1.249249208cd9dp-2, 0x1.c71c741be76f9p-3,
    0x1.745cb41d315b1p-3, 0x1.3b1dd84dcf1dfp-3, 0x1.1067f67fcca31p-3, 0x1.efd4cef1778cfp-4,
    0x1.55c1ee2571b2fp-4, 0x1.5c67f10bb6f91p-3,
};
/* relative error of the function: 2^-27.72 */
static const float vm_log1p_01_c_f32[] = {
    0x1.5555020000000p-1f, 0x1.99d1c80000000p-2f, 0x1.1ec06c0000000p-2f, 0x1.1ec9ec0000000p-2f,
};

/* (sin(2 pi r) - 2 pi r) / r^3 in z = r^2, |r| <= 1/8 */
/* relative error of the function: 2^-57.87 */
static const double vm_sin_c_f64[] = {
    -0x1.4abbce625be46p+5, 0x1.466bc67758c49p+6, -0x1.32d2cce31b911p+6, 0x1.50783002c2338p+5,
    -0x1.e3008f12d8bc4p+3, 0x1.e3fba39069efcp+1,
};
/* relative error of the function: 2^-27.89 */
static const float vm_sin_c_f32[] = {
    -0x1.4abbbe0000000p+5f, 0x1.465fac0000000p+6f, -0x1.2db59c0000000p+6f,
};

/* (cos(2 pi r) - 1) / r^2 in z = r^2, |r| <= 1/8 */
/* relative error of the function: 2^-61.37 */
static const double vm_cos_c_f64[] = {
    -0x1.3bd3cc9be45dep+4, 0x1.03c1f081b5a52p+6, -0x1.55d3c7e3bfe52p+6, 0x1.e1f50675b164ep+5,
    -0x1.a6d1e2385687ep+4, 0x1.f9c4ad4fd96b5p+2, -0x1.b03443fd8393fp+0,
};
/* relative error of the function: 2^-31.06 */
static const float vm_cos_c_f32[] = {
    -0x1.3bd3cc0000000p+4f, 0x1.03c1b00000000p+6f, -0x1.55b2b40000000p+6f, 0x1.d4ef3c0000000p+5f,
};

#endif
