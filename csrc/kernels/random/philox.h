/* Philox4x32-10, a counter-based generator: random words as a function of (key, stream, counter).
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 * A block of four 32-bit words is ten rounds of multiply and xor on
 *     (counter low, counter high, stream low, stream high)   with the key   (key low, key high).
 * There is no state, so any part of a sequence can be made anywhere, by any thread, in any order: results
 * depend on addresses only. Integers only, so they are the same at every level.
 *
 * Order of the words. PHILOX_GROUP = 32 consecutive counters make a group of 64 words of 64 bits: first
 * w0·2^32 + w1 of every counter, then w2·2^32 + w3 of every counter. It is what the last round leaves in the
 * registers, so nothing is shuffled, and it is the same at every level because 32 is a multiple of the lanes. */

enum {
    PHILOX_GROUP = 32,                     /* counters in a group */
    PHILOX_GROUP_WORDS = 2 * PHILOX_GROUP, /* 64-bit words in a group */
    PHILOX_VECTORS = PHILOX_GROUP / LANES_f64,     /* of one kind in a group */
    PHILOX_INTERLEAVED = PHILOX_VECTORS < 4 ? PHILOX_VECTORS : 4, /* hide the latency of the multiplication */
};

static const uint32_t PHILOX_M0 = 0xD2511F53, PHILOX_M1 = 0xCD9E8D57;
static const uint32_t PHILOX_W0 = 0x9E3779B9, PHILOX_W1 = 0xBB67AE85;

/* The 32-bit words live in the low halves of 64-bit lanes; the high halves hold rubbish, which the
 * multiplication (of low halves) and the final shift ignore. So the low word of a product is the product
 * itself, and a round is two multiplications, two shifts and four xors. */
static __attribute__((noinline)) void philox_groups(uint64_t key, uint64_t stream, uint64_t group, ptrdiff_t count, uint64_t *out) {
    uint32_t k0[10], k1[10];
    for (int round = 0; round < 10; round++) {
        k0[round] = (uint32_t)key + (uint32_t)round * PHILOX_W0;
        k1[round] = (uint32_t)(key >> 32) + (uint32_t)round * PHILOX_W1;
    }
    const uint32_t stream_low = (uint32_t)stream, stream_high = (uint32_t)(stream >> 32);
    const vu64 m0 = vu_set1(PHILOX_M0), m1 = vu_set1(PHILOX_M1);
    vu64 key0[10], key1[10];
    for (int round = 3; round < 10; round++) {
        key0[round] = vu_set1(k0[round]);
        key1[round] = vu_set1(k1[round]);
    }

    for (ptrdiff_t g = 0; g < count; g++, group++, out += PHILOX_GROUP_WORDS) {
        const uint64_t counter = group * PHILOX_GROUP; /* only its low word varies within the group */
        /* Three of the four words that enter round 1 are the same for the group, two that enter round 2, one
         * that enters round 3: those parts are computed once. */
        const uint64_t p1 = (uint64_t)PHILOX_M1 * stream_low;
        const uint32_t x0 = (uint32_t)(p1 >> 32) ^ (uint32_t)(counter >> 32) ^ k0[0], x1 = (uint32_t)p1;
        const uint64_t q0 = (uint64_t)PHILOX_M0 * x0;
        const vu64 round1_c2 = vu_set1(stream_high ^ k1[0]);
        const vu64 round2_c0 = vu_set1(x1 ^ k0[1]), round2_c2 = vu_set1((uint32_t)(q0 >> 32) ^ k1[1]);
        const vu64 round3_c0 = vu_set1(k0[2]), round3_c2 = vu_set1((uint32_t)q0 ^ k1[2]);

        for (int v = 0; v < PHILOX_VECTORS; v += PHILOX_INTERLEAVED) {
            vu64 c0[PHILOX_INTERLEAVED], c1[PHILOX_INTERLEAVED], c2[PHILOX_INTERLEAVED], c3[PHILOX_INTERLEAVED];
            for (int i = 0; i < PHILOX_INTERLEAVED; i++) {
                const vu64 low = vu_iota() + vu_set1((uint32_t)counter + (uint32_t)((v + i) * LANES_f64));
                const vu64 a = vu_mul_low(m0, low);           /* round 1 */
                const vu64 b = vu_mul_low(m1, (a >> 32) ^ round1_c2); /* round 2 */
                const vu64 y0 = (b >> 32) ^ round2_c0, y2 = a ^ round2_c2;
                const vu64 c = vu_mul_low(m0, y0), d = vu_mul_low(m1, y2); /* round 3 */
                c0[i] = (d >> 32) ^ b ^ round3_c0;
                c1[i] = d;
                c2[i] = (c >> 32) ^ round3_c2;
                c3[i] = c;
            }
#pragma GCC unroll 6
            for (int round = 3; round < 9; round++) {
                for (int i = 0; i < PHILOX_INTERLEAVED; i++) {
                    const vu64 a = vu_mul_low(m0, c0[i]), b = vu_mul_low(m1, c2[i]);
                    c0[i] = (b >> 32) ^ c1[i] ^ key0[round];
                    c1[i] = b;
                    c2[i] = (a >> 32) ^ c3[i] ^ key1[round];
                    c3[i] = a;
                }
            }
            for (int i = 0; i < PHILOX_INTERLEAVED; i++) {
                /* Round 10: (high ^ c1 ^ key) in the upper half, the low word of the product in the lower. */
                const vu64 a = vu_mul_low(m0, c0[i]), b = vu_mul_low(m1, c2[i]);
                vu_store(out + (v + i) * LANES_f64, b ^ ((c1[i] ^ key0[9]) << 32));
                vu_store(out + PHILOX_GROUP + (v + i) * LANES_f64, a ^ ((c3[i] ^ key1[9]) << 32));
            }
        }
    }
}

#if REAL_IS_DOUBLE /* once */
/* The words w0..w3 of `count` counters from `counter`, in the order of the publication. */
static void philox_words(uint64_t key, uint64_t stream, uint64_t counter, ptrdiff_t count, uint32_t *out) {
    uint64_t words[PHILOX_GROUP_WORDS];
    while (count > 0) {
        const ptrdiff_t first = (ptrdiff_t)(counter % PHILOX_GROUP);
        const ptrdiff_t taken = count < PHILOX_GROUP - first ? count : PHILOX_GROUP - first;
        philox_groups(key, stream, counter / PHILOX_GROUP, 1, words);
        for (ptrdiff_t i = first; i < first + taken; i++, out += 4) {
            for (int half = 0; half < 2; half++) {
                uint64_t word;
                memcpy(&word, words + half * PHILOX_GROUP + i, sizeof word);
                out[2 * half] = (uint32_t)(word >> 32);
                out[2 * half + 1] = (uint32_t)word;
            }
        }
        counter += (uint64_t)taken;
        count -= taken;
    }
}
#endif
