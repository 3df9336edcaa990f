#include "cpu.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* XCR0 says which register files the system saves on a context switch. A CPU feature bit without it is
 * not usable: the upper halves would be lost (virtual machines and old kernels do this). */
static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

uint32_t loglik_cpu_features(void) {
    enum { XMM_YMM = 0x6, ZMM = 0xe0 | XMM_YMM };
    uint32_t a, b, c, d, features = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) {
        return 0;
    }
    const int osxsave = c & bit_OSXSAVE, fma = c & bit_FMA, avx = c & bit_AVX;
    if (!osxsave || !avx || !fma || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return 0;
    }
    const uint64_t xcr0 = read_xcr0();
    if ((b & bit_AVX2) && (xcr0 & XMM_YMM) == XMM_YMM) {
        features |= LOGLIK_CPU_AVX2;
        const uint32_t avx512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
        if ((b & avx512) == avx512 && (xcr0 & ZMM) == ZMM) {
            features |= LOGLIK_CPU_AVX512;
        }
    }
    return features;
}

void loglik_cpu_name(char *buffer) {
    uint32_t words[12];
    memset(buffer, 0, 49);
    if ((uint32_t)__get_cpuid_max(0x80000000u, 0) < 0x80000004u) {
        return;
    }
    for (uint32_t leaf = 0; leaf < 3; leaf++) {
        uint32_t *const w = words + 4 * leaf;
        __get_cpuid(0x80000002u + leaf, w, w + 1, w + 2, w + 3);
    }
    memcpy(buffer, words, 48);
}

#elif defined(__aarch64__)

uint32_t loglik_cpu_features(void) { return LOGLIK_CPU_NEON; }

void loglik_cpu_name(char *buffer) { memset(buffer, 0, 49); }

#else
#error "loglik has kernels for x86-64 and 64-bit Arm"
#endif
