/* Exact counts of the sums of dice: one step of the recurrence of dice.h on large integers.
 *
 * Design
 *  - Integers are arrays of 32-bit digits, lowest first: three products and a carry fit in int64_t.
 *  - One pass forms the combination and divides it. The quotient is exact, so it is found from the lowest digit up, with the
 *    inverse of the divisor's odd part modulo 2^32: no division. Its chain of two products per digit is the limit. */
#if REAL_IS_DOUBLE

static void counts_next(const uint32_t *c, const uint32_t *a, const uint32_t *b, ptrdiff_t digits, int64_t times_c,
                        int64_t times_a, int64_t times_b, int64_t divisor, uint32_t *out) {
    int shift = 0;
    while (!(divisor >> shift & 1)) {
        shift++;
    }
    const uint32_t odd = (uint32_t)(divisor >> shift);
    uint32_t inverse = odd * 3 ^ 2; /* 5 bits; every step doubles them */
    for (int i = 0; i < 3; i++) {
        inverse *= 2 - odd * inverse;
    }
    int64_t carry = 0;
    uint64_t waiting = 0; /* the digit before, whose lowest bits the shift drops */
    uint32_t borrow = 0;
    for (ptrdiff_t i = 0; i <= digits + 1; i++) {
        if (i < digits) {
            carry += times_c * (int64_t)c[i] - times_a * (int64_t)a[i] + times_b * (int64_t)b[i];
        }
        const uint64_t both = (uint64_t)(uint32_t)carry << 32 | waiting;
        waiting = (uint32_t)carry;
        carry >>= 32;
        if (i > 0) {
            const uint32_t digit = (uint32_t)(both >> shift), quotient = (digit - borrow) * inverse;
            borrow = (digit < borrow) + (uint32_t)((uint64_t)quotient * odd >> 32);
            out[i - 1] = quotient;
        }
    }
}

#endif
