/* Uniform and standard normal numbers from Philox words; csrc/tools/box_muller.py makes the coefficients.
 *
 * A sequence is addressed by (key, stream, index). A group of Philox words (512 bytes) makes 64 float64 or 128
 * float32 values; value number i comes from group i / 64 (i / 128), so any part [start, start + n) has the
 * bits of the whole. In float32 the group is taken as 128 words of 32 bits, low halves first.
 *
 * Normals: Box and Muller's polar form. The first half of a group's words gives radii r = sqrt(-2 log u), the
 * second half angles; values j and j + half of a group are r cos and r sin of the same pair.
 *   float64: u = 1 - U in (0, 1] of 53 bits, so |z| <= 8.57; angle of 54 bits.
 *   float32: u = k 2^-31 + 2^-32, k the upper 31 bits rounded to float32, so |z| <= 6.66; angle of 32 bits.
 * Error of the transformation, against r cos and r sin of this u and angle: below 4 ulp of r.
 *
 * Words pass through a buffer in L1: generator and transformation in one loop would want more registers than there
 * are. Radius and rotation share a loop, so that division and square root overlap with polynomials. Logarithm,
 * sine and cosine are shorter than those of vmath.h, which round more carefully: the normals are 13 % faster for it. */

enum {
    GROUP = PHILOX_GROUP_WORDS * 8 / (int)sizeof(R), /* values from a group of words */
    HALF = GROUP / 2,
    BUFFERED = 8, /* groups made at a time: 4 KB of words */
};

/* U in [0, 1).
 * float64: U = (1 - bit 62) / 2 + (bits 0..51) 2^-53. float32: U = (bits 8..31) 2^-24. */
ALWAYS_INLINE V unit_closed_open(VI word) {
#if REAL_IS_DOUBLE
    const V low = v_from_bits((word & CI(0x000fffffffffffff)) | CI(0x3fe0000000000000)); /* in [1/2, 1) */
    const V bit = v_from_bits(word & CI(0x4000000000000000));                            /* 0 or 2 */
    return v_fnma(bit, C(0.25), low);
#else
    return v_from_int(vi_shr(word, 8)) * C(0x1p-24);
#endif
}

/* u in (0, 1], for the logarithm: small values keep all their bits. */
ALWAYS_INLINE V unit_open_closed(VI word) {
#if REAL_IS_DOUBLE
    return C(1.0) - unit_closed_open(word);
#else
    return v_fma(v_from_int(vi_shr(word, 1)), C(0x1p-31), C(0x1p-32)); /* the product is exact: the same without FMA */
#endif
}

/* -2 log u for u in (0, 1], not subnormal.
 * u = 2^e m with m in [sqrt(1/2), sqrt(2)), s = (m - 1) / (m + 1), log m = 2 atanh(s). u = 1 gives 0. */
ALWAYS_INLINE V minus_two_log(V u) {
    V e;
    const V m = vm_split(u, &e), s = (m - C(1.0)) / (m + C(1.0)), z = s * s;
#if REAL_IS_DOUBLE
    V p = C(-0.29591899619320605);
    p = v_fma(p, z, C(-0.30628101073121849));
    p = v_fma(p, z, C(-0.36367128653923181));
    p = v_fma(p, z, C(-0.44444397146324832));
    p = v_fma(p, z, C(-0.57142857484775833));
    p = v_fma(p, z, C(-0.79999999998829352));
    p = v_fma(p, z, C(-1.3333333333333468));
#else
    V p = C(-0.597434556);
    p = v_fma(p, z, C(-0.799550831));
    p = v_fma(p, z, C(-1.33333553));
#endif
    p = v_fma(p, z, C(-4.0));
    return v_fma(e, C(-1.3862943611198906), s * p);
}

ALWAYS_INLINE V radius(V u) { return v_sqrt(minus_two_log(u)); }

/* (r cos, r sin) of an angle that is uniform on the circle.
 * float64: (bits 0..51) 2^-52 - 1/2, float32: (bits 0..29) 2^-30 - 1/2 as a signed fraction, is t, and the angle
 * t pi/2 is within 45 degrees; the next bit but one exchanges cos and sin, the highest bit turns by 180 degrees. */
ALWAYS_INLINE void rotate(V r, VI word, V *x, V *y) {
#if REAL_IS_DOUBLE
    const V t = v_from_bits((word & CI(0x000fffffffffffff)) | CI(0x3ff0000000000000)) - C(1.5), z = t * t;
    const M swap = vi_negative(word << 1);
    V sine = C(5.6336634036554805e-08), cosine = C(4.6553372480041551e-07);
    sine = v_fma(sine, z, C(-3.5986412843074242e-06));
    sine = v_fma(sine, z, C(0.00016044115014394282));
    sine = v_fma(sine, z, C(-0.0046817541322601141));
    sine = v_fma(sine, z, C(0.079692626246037915));
    sine = v_fma(sine, z, C(-0.64596409750624417));
    sine = v_fma(sine, z, C(1.5707963267948966));
    cosine = v_fma(cosine, z, C(-2.5200143058658262e-05));
    cosine = v_fma(cosine, z, C(0.00091925995414755249));
    cosine = v_fma(cosine, z, C(-0.020863480735867385));
    cosine = v_fma(cosine, z, C(0.25366950789995935));
    cosine = v_fma(cosine, z, C(-1.2337005501361553));
#else
    const V t = v_from_int(word << 2) * C(0x1p-32), z = t * t;
    const M swap = vi_negative(word << 1);
    V sine = C(-0.00460157966), cosine = C(-0.0204172829);
    sine = v_fma(sine, z, C(0.0796799983));
    sine = v_fma(sine, z, C(-0.645963456));
    sine = v_fma(sine, z, C(1.57079632));
    cosine = v_fma(cosine, z, C(0.253603211));
    cosine = v_fma(cosine, z, C(-1.23369771));
#endif
    sine = sine * t;
    cosine = v_fma(cosine, z, C(1.0));
    r = v_flip_sign(r, v_from_bits(word));
    *x = r * v_select(swap, sine, cosine);
    *y = r * v_select(swap, cosine, sine);
}

static void uniform_groups(uint64_t key, uint64_t stream, uint64_t group, ptrdiff_t count, R *out) {
    uint64_t words[BUFFERED * PHILOX_GROUP_WORDS] __attribute__((aligned(64)));
    for (ptrdiff_t done = 0; done < count; done += BUFFERED, out += BUFFERED * GROUP) {
        const ptrdiff_t groups = count - done < BUFFERED ? count - done : BUFFERED;
        philox_groups(key, stream, group + (uint64_t)done, groups, words);
        for (ptrdiff_t i = 0; i < groups * GROUP; i += LANES) {
            v_store(out + i, unit_closed_open(v_bits(v_load((const R *)words + i))));
        }
    }
}

static void normal_groups(uint64_t key, uint64_t stream, uint64_t group, ptrdiff_t count, R *out) {
    uint64_t words[BUFFERED * PHILOX_GROUP_WORDS] __attribute__((aligned(64)));
    for (ptrdiff_t done = 0; done < count; done += BUFFERED) {
        const ptrdiff_t groups = count - done < BUFFERED ? count - done : BUFFERED;
        philox_groups(key, stream, group + (uint64_t)done, groups, words);
        for (const R *pair = (const R *)words; pair < (const R *)words + groups * GROUP; pair += GROUP) {
            for (int i = 0; i < HALF; i += LANES) {
                V x, y;
                rotate(radius(unit_open_closed(v_bits(v_load(pair + i)))), v_bits(v_load(pair + HALF + i)), &x, &y);
                v_store(out + i, x);
                v_store(out + HALF + i, y);
            }
            out += GROUP;
        }
    }
}

/* +-(-log u): the sign is the highest bit of the word in float64, the lowest in float32, which u does not use. */
static void laplace_groups(uint64_t key, uint64_t stream, uint64_t group, ptrdiff_t count, R *out) {
    uint64_t words[BUFFERED * PHILOX_GROUP_WORDS] __attribute__((aligned(64)));
    for (ptrdiff_t done = 0; done < count; done += BUFFERED, out += BUFFERED * GROUP) {
        const ptrdiff_t groups = count - done < BUFFERED ? count - done : BUFFERED;
        philox_groups(key, stream, group + (uint64_t)done, groups, words);
        for (ptrdiff_t i = 0; i < groups * GROUP; i += LANES) {
            const VI word = v_bits(v_load((const R *)words + i));
            const V magnitude = C(0.5) * minus_two_log(unit_open_closed(word));
            v_store(out + i, v_flip_sign(magnitude, v_from_bits(REAL_IS_DOUBLE ? word : word << 31)));
        }
    }
}

typedef void (*groups_function)(uint64_t key, uint64_t stream, uint64_t group, ptrdiff_t count, R *out);

/* x ← min(x·scale + shift, last) for whole groups, each operation rounded: at every level the same, and as NumPy does it. */
static __attribute__((noinline)) void affine(R *x, ptrdiff_t n, R scale, R shift, R last) {
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        v_store(x + i, v_min(v_load(x + i) * v_set1(scale) + v_set1(shift), v_set1(last)));
    }
}

/* Values [start, start + n) of a sequence, transformed: whole groups straight into `out`, the ends through a buffer. */
ALWAYS_INLINE void fill(uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, R scale, R shift, R last, R *out,
                        const groups_function make) {
    const int plain = scale == 1 && shift == 0 && last == (R)INFINITY;
    R part[GROUP];
    const fp_state saved = fp_enter();
    uint64_t group = start / GROUP;
    ptrdiff_t first = (ptrdiff_t)(start % GROUP);
    while (n > 0) {
        if (first == 0 && n >= GROUP) {
            const ptrdiff_t groups = n < BUFFERED * GROUP ? n / GROUP : BUFFERED; /* transformed while they are in L1 */
            make(key, stream, group, groups, out);
            if (!plain) {
                affine(out, groups * GROUP, scale, shift, last);
            }
            group += (uint64_t)groups;
            out += groups * GROUP;
            n -= groups * GROUP;
        } else {
            const ptrdiff_t taken = n < GROUP - first ? n : GROUP - first;
            make(key, stream, group++, 1, part);
            if (!plain) {
                affine(part, GROUP, scale, shift, last);
            }
            memcpy(out, part + first, (size_t)taken * sizeof(R));
            out += taken;
            n -= taken;
            first = 0;
        }
    }
    fp_leave(saved, 0);
}

static void random_uniform(uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, R scale, R shift, R last, R *out) {
    fill(key, stream, start, n, scale, shift, last, out, uniform_groups);
}

static void random_normal(uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, R scale, R shift, R last, R *out) {
    fill(key, stream, start, n, scale, shift, last, out, normal_groups);
}

static void random_laplace(uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, R scale, R shift, R last, R *out) {
    fill(key, stream, start, n, scale, shift, last, out, laplace_groups);
}

#if REAL_IS_DOUBLE

/* Indices drawn from cumulative probabilities cdf[0] <= ... <= cdf[last] = 1: the first k with U < cdf[k], for the uniform
 * numbers U of values [start, start + n) of the sequence. Between two equal entries there is no U, and none above the last.
 * guide[c] is the first k with c/cells < cdf[k] (guide[cells] = last), cells a power of two: the binary search has about one
 * step left where there are as many cells as entries (H.-C. Chen, Y. Asau, On generating random variates from an empirical
 * distribution, AIIE Trans. 6, 1974). */
static void random_discrete(uint64_t key, uint64_t stream, uint64_t start, ptrdiff_t n, const double *cdf, const int32_t *guide,
                            ptrdiff_t cells, int64_t *out) {
    enum { CHUNK = 8 * GROUP };
    double u[CHUNK];
    const fp_state saved = fp_enter();
    while (n > 0) {
        const ptrdiff_t whole = CHUNK - (ptrdiff_t)(start % CHUNK), count = n < whole ? n : whole;
        random_uniform(key, stream, start, count, 1, 0, INFINITY, u);
        for (ptrdiff_t i = 0; i < count; i++) {
            const ptrdiff_t cell = (ptrdiff_t)(u[i] * (double)cells);
            int32_t low = guide[cell], high = guide[cell + 1];
            while (low < high) {
                const int32_t middle = low + (high - low) / 2;
                if (cdf[middle] <= u[i]) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            out[i] = low;
        }
        start += (uint64_t)count;
        out += count;
        n -= count;
    }
    fp_leave(saved, 0);
}

#endif
