/* Written by csrc/tools/vmath_coefficients.py: do not edit. Lowest degree first. */
#ifndef LOGLIK_VMATH_COEFFICIENTS_H
#define LOGLIK_VMATH_COEFFICIENTS_H

/* (exp(r) - 1 - r) / r^2 on |r| <= log(2)/2 */
/* relative error of the function: 2^-57.82 */
static const double vm_exp_c_f64[] = {
    0x1.000000000000ap-1, 0x1.5555555555509p-3, 0x1.5555555550782p-5, 0x1.111111112553cp-7,
    0x1.6c16c18447bd8p-10, 0x1.a01a01337d347p-13, 0x1.a01999d258fc4p-16, 0x1.71df160c1ace8p-19,
    0x1.28ada2927720cp-22, 0x1.ad926c7922acep-26,
};
/* relative error of the function: 2^-28.16 */
static const float vm_exp_c_f32[] = {
    0x1.fffffc0000000p-2f, 0x1.5554920000000p-3f, 0x1.5558720000000p-5f, 0x1.1239640000000p-7f,
    0x1.6a8e0c0000000p-10f,
};

/* (exp(r) - 1 - r - r^2/2) / r^3 on [-0.292, 0.405] */
/* relative error of the function: 2^-67.95 */
static const double vm_expm1_c_f64[] = {
    0x1.5555555555555p-3, 0x1.5555555555555p-5, 0x1.111111111130dp-7, 0x1.6c16c16c1685dp-10,
    0x1.a01a019f12021p-13, 0x1.a01a01a5b3f15p-16, 0x1.71de3e3470ce2p-19, 0x1.27e4daa343717p-22,
    0x1.ae5714af97a02p-26, 0x1.1f7d6e6af1214p-29, 0x1.71adaf3d1e236p-33,
};
/* relative error of the function: 2^-33.44 */
static const float vm_expm1_c_f32[] = {
    0x1.55555a0000000p-3f, 0x1.5555120000000p-5f, 0x1.1106760000000p-7f, 0x1.6cff140000000p-10f,
    0x1.b57daa0000000p-13f,
};

/* (2 atanh(s) - 2 s) / s^3 in z = s^2, s = (m - 1)/(m + 1), m in [sqrt(1/2), sqrt(2)] */
/* relative error of the function: 2^-59.5 */
static const double vm_log_c_f64[] = {
    0x1.5555555555592p-1, 0x1.999999997ff4fp-2, 0x1.24924941dd089p-2, 0x1.c71c5218485e0p-3,
    0x1.74663c1452d05p-3, 0x1.39a1feab066c2p-3, 0x1.2f02e2d5f09c4p-3,
};
/* relative error of the function: 2^-30.2 */
static const float vm_log_c_f32[] = {
    0x1.55557a0000000p-1f, 0x1.995edc0000000p-2f, 0x1.31dfb60000000p-2f,
};

/* the same for s = t/(2 + t), t in [0, 1] or [-1/2, 1] */
/* relative error of the function: 2^-59.41 */
static const double vm_log1p_01_c_f64[] = {
    0x1.5555555555535p-1, 0x1.99999999a0750p-2, 0x1.249249208c5a4p-2, 0x1.c71c741c73567p-3,
    0x1.745cb40007ed3p-3, 0x1.3b1ddb74f1ba5p-3, 0x1.1067c4cacd3c7p-3, 0x1.efd85471dae0ap-4,
    0x1.55b0ced80f3d9p-4, 0x1.5c793f01a2a95p-3,
};
/* relative error of the function: 2^-27.73 */
static const float vm_log1p_01_c_f32[] = {
    0x1.5555020000000p-1f, 0x1.99d1cc0000000p-2f, 0x1.1ec03e0000000p-2f, 0x1.1eca320000000p-2f,
};

/* (sin(2 pi r) - 2 pi r) / r^3 in z = r^2, |r| <= 1/8 */
/* relative error of the function: 2^-57.91 */
static const double vm_sin_c_f64[] = {
    -0x1.4abbce625be46p+5, 0x1.466bc67758c4cp+6, -0x1.32d2cce31becdp+6, 0x1.507830033d274p+5,
    -0x1.e3008f9b6d7f1p+3, 0x1.e3fbd9a527c55p+1,
};
/* relative error of the function: 2^-27.89 */
static const float vm_sin_c_f32[] = {
    -0x1.4abbbe0000000p+5f, 0x1.465fac0000000p+6f, -0x1.2db5da0000000p+6f,
};

/* (cos(2 pi r) - 1) / r^2 in z = r^2, |r| <= 1/8 */
/* relative error of the function: 2^-61.47 */
static const double vm_cos_c_f64[] = {
    -0x1.3bd3cc9be45dep+4, 0x1.03c1f081b5a52p+6, -0x1.55d3c7e3bfe53p+6, 0x1.e1f50675b142bp+5,
    -0x1.a6d1e237ed2cep+4, 0x1.f9c4acb9d7a84p+2, -0x1.b034005f845cap+0,
};
/* relative error of the function: 2^-31.0 */
static const float vm_cos_c_f32[] = {
    -0x1.3bd3cc0000000p+4f, 0x1.03c1ae0000000p+6f, -0x1.55b1300000000p+6f, 0x1.d46c760000000p+5f,
};

/* (erf(x) - 2 x / sqrt(pi)) / x^3 in z = x^2, |x| <= 0.625 */
/* relative error of the function: 2^-64.21 */
static const double vm_erf_c_f64[] = {
    -0x1.812746b0379e7p-2, 0x1.ce2f21a042c2fp-4, -0x1.b82ce3128aa28p-6, 0x1.565bcd0eb7faep-8,
    -0x1.c02db40394f5bp-11, 0x1.f9a322a8199b0p-14, -0x1.f4d10f280e79fp-17, 0x1.b9b8ac53335dcp-20,
    -0x1.5bf0a5821261ap-23, 0x1.b32f6021f952bp-27,
};
/* relative error of the function: 2^-31.92 */
static const float vm_erf_c_f32[] = {
    -0x1.8127460000000p-2f, 0x1.ce2e840000000p-4f, -0x1.b809ea0000000p-6f, 0x1.5338380000000p-8f,
    -0x1.8013aa0000000p-11f,
};

/* ((1 + 2 a) erfcx(a) - 1) / w in q = w - 1, w = 2 a/(a + 4), a >= 0 */
/* relative error of the function: 2^-55.93 */
static const double vm_erfcx_c_f64[] = {
    0x1.dd2c8b74febf6p-3, -0x1.7d8f1c4524742p-2, 0x1.8d4ecb405c62dp-2, -0x1.47938f4c73159p-2,
    0x1.c0398cb6f0a74p-3, -0x1.00428c8fe72c5p-3, 0x1.e1a956434fe27p-5, -0x1.625ed099c6fdfp-6,
    0x1.63f2603ed575dp-8, -0x1.a2bedb1ba8b69p-12, -0x1.77d651d688678p-12, 0x1.4dcd790e3b088p-13,
    -0x1.1ed6d6cf77ed2p-17, -0x1.09ed3f0a382abp-16, 0x1.36bb8b2540c4fp-18, 0x1.219f01c0d46cdp-20,
    -0x1.a768407466682p-21, -0x1.375d12d4372ccp-25, 0x1.effac2d19c93fp-24, -0x1.72fec3e4b61d7p-28,
    -0x1.184af8e2ab75ep-26, 0x1.bc44187df4f3ap-30, 0x1.112191edfde40p-29, -0x1.b8b7b1d82cebfp-33,
    -0x1.2d52a19f33db1p-33,
};

/* ((1 + 2 a) erfcx(a) - 1) / w in q = w - 1, w = 2 a/(a + 2), a >= 0 */
/* relative error of the function: 2^-27.15 */
static const float vm_erfcx_c_f32[] = {
    0x1.1ba0380000000p-2f, -0x1.7a9db20000000p-2f, 0x1.a133ce0000000p-3f, -0x1.44e8c00000000p-5f,
    -0x1.dd1fbc0000000p-7f, 0x1.ac6f5a0000000p-8f, 0x1.1f8c1a0000000p-9f, -0x1.fb4fd40000000p-11f,
    -0x1.095b900000000p-11f, 0x1.26383c0000000p-13f, 0x1.716e320000000p-14f, -0x1.72b9420000000p-16f,
};

/* ((1 + t) log(1 + t) + (1 - t) log(1 - t)) / t^2 in z = t^2, |t| <= 1/2 */
/* relative error of the function: 2^-57.1 */
static const double vm_js_c_f64[] = {
    0x1.0000000000000p+0, 0x1.5555555555490p-3, 0x1.111111112ae5dp-4, 0x1.24924911ba30dp-5,
    0x1.6c16c84da2bc9p-6, 0x1.f07aa7244a877p-7, 0x1.682fef660d374p-7, 0x1.0fed1cca4b343p-7,
    0x1.be0cc8749d291p-8, 0x1.f80f4c6cc5f7bp-9, 0x1.2e2fc516eb5ccp-7, -0x1.ba89285080656p-8,
    0x1.d73cf77f05305p-7,
};
/* relative error of the function: 2^-28.32 */
static const float vm_js_c_f32[] = {
    0x1.0000000000000p+0f, 0x1.55559c0000000p-3f, 0x1.10f2d20000000p-4f, 0x1.28bb3e0000000p-5f,
    0x1.2da0120000000p-6f, 0x1.c09d0c0000000p-6f,
};

/* x/d - 1 in v = 1.28125 - 12.26171875/(s + 4.25), d = s - 1.125, -2 log(2 P(normal > x)) = s^2 - 1.125^2 */
/* relative error of the function: 2^-56.39 */
static const double vm_ndtri_c_f64[] = {
    0x1.376382946e868p-3, -0x1.5455df28f2871p-3, 0x1.d738414bd720ep-5, -0x1.79ee916353ec9p-6,
    0x1.15b4f64bbea02p-7, -0x1.8e1076b2eacfbp-9, 0x1.9f613ad25539bp-11, -0x1.ef924e9d1abbdp-16,
    -0x1.e23cdd82dea91p-13, 0x1.07fd5f62aea52p-12, -0x1.c5d767a0fa584p-13, 0x1.4d898701cdd96p-13,
    -0x1.d7476dd949217p-14, 0x1.3746ca1c9ca43p-14, -0x1.9814cc6451d4cp-15, 0x1.01dd05ffa9adep-15,
    -0x1.3c4da351cf8d4p-16, 0x1.5659160a898acp-17, -0x1.eab51fc408176p-18, 0x1.db04f66a00aa4p-18,
    -0x1.67a730fa60b8ap-20, -0x1.3cf4221a2c586p-18, -0x1.3a60e56280fa4p-19, 0x1.2df82979b1269p-17,
    0x1.dfe5c724e06c9p-20, -0x1.2ec76848ab68fp-17, -0x1.e39ed6341b7ebp-20, 0x1.d0d997d6524e6p-18,
    0x1.1dc17a27159e4p-20, -0x1.e04f1efd806dcp-19, -0x1.b7c18faf8b2cap-22, 0x1.32be64f1203fep-20,
    0x1.5bee09ab1abcdp-24, -0x1.7e472527b5203p-23,
};

/* x/d - 1 in v = 1.421875 - 6.962890625/(s + 1.75), d = s - 1.125, -2 log(2 P(normal > x)) = s^2 - 1.125^2 */
/* relative error of the function: 2^-27.69 */
static const float vm_ndtri_c_f32[] = {
    0x1.cb1b840000000p-3f, -0x1.5e03940000000p-3f, 0x1.dc6ce80000000p-7f, -0x1.1eb9120000000p-9f,
    -0x1.ee25380000000p-11f, 0x1.a1cd4c0000000p-12f, -0x1.534bb40000000p-12f, 0x1.94713e0000000p-14f,
    -0x1.6582fa0000000p-15f, 0x1.2d5e840000000p-17f, -0x1.ef088a0000000p-17f,
};

#endif
