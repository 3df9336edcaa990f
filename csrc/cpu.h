/* Which instruction sets the processor has and the operating system saves. */
#ifndef LOGLIK_CPU_H
#define LOGLIK_CPU_H

#include <stdint.h>

#include "loglik/loglik.h"

enum {
    LOGLIK_CPU_AVX2 = 1u << 0,   /* AVX2 and FMA, YMM state saved by the system */
    LOGLIK_CPU_AVX512 = 1u << 1, /* AVX-512 F, DQ, BW, VL, ZMM state saved by the system */
    LOGLIK_CPU_NEON = 1u << 2,   /* always there on 64-bit Arm */
};

/* Feature bits of this machine. Reads CPUID and XGETBV; no state, cheap enough for import. */
uint32_t loglik_cpu_features(void);

/* Marketing name of the processor, from CPUID leaves 0x80000002..4; "" where there is none.
 * buffer: at least 49 bytes. */
LOGLIK_API void loglik_cpu_name(char *buffer);

#endif
