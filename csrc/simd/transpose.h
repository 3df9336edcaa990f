/* Part of vec.h: whole squares of lanes transposed in registers. */
/* rows[i][j] → rows[j][i] for as many vectors as there are lanes: the vectors i and i + step exchange blocks of step lanes, for
 * step 1, 2, 4, ... */
#define V_EXCHANGE(V, rows, lanes, step, low, high)                                                         \
    UNROLLED                                                                                                \
    for (int i = 0; i < lanes; i++) {                                                                       \
        if (!(i & step)) {                                                                                  \
            const V a = rows[i], b = rows[i + step];                                                        \
            rows[i] = low(a, b);                                                                            \
            rows[i + step] = high(a, b);                                                                    \
        }                                                                                                   \
    }
#define V_LOW_1_OF_2(a, b) __builtin_shufflevector(a, b, 0, 2)
#define V_HIGH_1_OF_2(a, b) __builtin_shufflevector(a, b, 1, 3)
#define V_LOW_1_OF_4(a, b) __builtin_shufflevector(a, b, 0, 4, 2, 6)
#define V_HIGH_1_OF_4(a, b) __builtin_shufflevector(a, b, 1, 5, 3, 7)
#define V_LOW_2_OF_4(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define V_HIGH_2_OF_4(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#define V_LOW_1_OF_8(a, b) __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define V_HIGH_1_OF_8(a, b) __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#define V_LOW_2_OF_8(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define V_HIGH_2_OF_8(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define V_LOW_4_OF_8(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define V_HIGH_4_OF_8(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#define V_LOW_1_OF_16(a, b) __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define V_HIGH_1_OF_16(a, b) __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#define V_LOW_2_OF_16(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define V_HIGH_2_OF_16(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define V_LOW_4_OF_16(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define V_HIGH_4_OF_16(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define V_LOW_8_OF_16(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define V_HIGH_8_OF_16(a, b) __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define V_TRANSPOSE_2(V, rows) V_EXCHANGE(V, rows, 2, 1, V_LOW_1_OF_2, V_HIGH_1_OF_2)
#define V_TRANSPOSE_4(V, rows) V_EXCHANGE(V, rows, 4, 1, V_LOW_1_OF_4, V_HIGH_1_OF_4) V_EXCHANGE(V, rows, 4, 2, V_LOW_2_OF_4, V_HIGH_2_OF_4)
#define V_TRANSPOSE_8(V, rows)                                                                              \
    V_EXCHANGE(V, rows, 8, 1, V_LOW_1_OF_8, V_HIGH_1_OF_8)                                                  \
    V_EXCHANGE(V, rows, 8, 2, V_LOW_2_OF_8, V_HIGH_2_OF_8) V_EXCHANGE(V, rows, 8, 4, V_LOW_4_OF_8, V_HIGH_4_OF_8)
#define V_TRANSPOSE_16(V, rows)                                                                             \
    V_EXCHANGE(V, rows, 16, 1, V_LOW_1_OF_16, V_HIGH_1_OF_16) V_EXCHANGE(V, rows, 16, 2, V_LOW_2_OF_16, V_HIGH_2_OF_16) \
    V_EXCHANGE(V, rows, 16, 4, V_LOW_4_OF_16, V_HIGH_4_OF_16) V_EXCHANGE(V, rows, 16, 8, V_LOW_8_OF_16, V_HIGH_8_OF_16)
#if LOGLIK_VECTOR_BYTES == 64
ALWAYS_INLINE void v_transpose_f64(vf64 *rows) { V_TRANSPOSE_8(vf64, rows) }
ALWAYS_INLINE void v_transpose_f32(vf32 *rows) { V_TRANSPOSE_16(vf32, rows) }
#elif LOGLIK_VECTOR_BYTES == 32
ALWAYS_INLINE void v_transpose_f64(vf64 *rows) { V_TRANSPOSE_4(vf64, rows) }
ALWAYS_INLINE void v_transpose_f32(vf32 *rows) { V_TRANSPOSE_8(vf32, rows) }
#else
ALWAYS_INLINE void v_transpose_f64(vf64 *rows) { V_TRANSPOSE_2(vf64, rows) }
ALWAYS_INLINE void v_transpose_f32(vf32 *rows) { V_TRANSPOSE_4(vf32, rows) }
#endif
