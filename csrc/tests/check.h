/* What the C tests share: checks that count, random numbers, memory that ends at a forbidden page. */
#ifndef LOGLIK_TESTS_CHECK_H
#define LOGLIK_TESTS_CHECK_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dispatch.h"

static long checks_done, checks_failed;

/* Counts a check; prints what failed (the first 20 times). */
__attribute__((format(printf, 2, 3))) static inline void check(int good, const char *format, ...) {
    checks_done++;
    if (!good && checks_failed++ < 20) {
        va_list arguments;
        va_start(arguments, format);
        fprintf(stderr, "FAILED: ");
        vfprintf(stderr, format, arguments);
        fprintf(stderr, "\n");
        va_end(arguments);
    }
}

/* The exit status of main. A test that checked nothing has failed. */
static inline int checks_end(void) {
    printf("%ld checks, %ld failed\n", checks_done, checks_failed);
    return checks_failed != 0 || checks_done == 0;
}

/* splitmix64: the same numbers on every machine. */
static uint64_t random_state = 1;
static inline uint64_t random_bits(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
/* Uniform on (-1, 1). */
static inline double random_signed(void) { return (double)(int64_t)random_bits() * 0x1p-63; }

/* Memory between two pages that must not be touched, so that reading or writing one byte too far is a crash. */
typedef struct {
    char *map, *data;
    size_t map_size, size;
} guarded;

static inline guarded guarded_new(size_t size, int at_end) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page - 1) / page * page;
    guarded g = {.map_size = inner + 2 * page, .size = size};
    g.map = mmap(NULL, g.map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || (inner && mprotect(g.map + page, inner, PROT_READ | PROT_WRITE))) {
        perror("guarded_new");
        exit(2);
    }
    g.data = at_end ? g.map + page + inner - size : g.map + page;
    return g;
}
static inline void guarded_free(guarded g) { munmap(g.map, g.map_size); }

/* The processor's floating-point control and status, in one number. */
#if defined(__x86_64__)
#include <xmmintrin.h>
enum { FP_INVALID_BIT = 1, FP_ALL_FLAGS = 0x3f };
static const uint64_t FP_CLEAN = 0x1f80, FP_STRANGE = 0x1f80 | 0x8000 | 0x40 | 0x2000; /* flush, daz, round down */
static inline uint64_t fp_read(void) { return _mm_getcsr(); }
static inline void fp_write(uint64_t state) { _mm_setcsr((unsigned)state); }
#elif defined(__aarch64__)
enum { FP_INVALID_BIT = 1, FP_ALL_FLAGS = 0x1f };
static const uint64_t FP_CLEAN = 0, FP_STRANGE = (uint64_t)(1u << 24 | 2u << 22) << 32; /* flush, round down */
static inline uint64_t fp_read(void) {
    uint64_t control, status;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(control), "=r"(status)::"memory");
    return control << 32 | (status & 0xffffffffu);
}
static inline void fp_write(uint64_t state) {
    __asm__ volatile("msr fpsr, %0\n\tmsr fpcr, %1" ::"r"(state & 0xffffffffu), "r"(state >> 32) : "memory");
}
#endif

#endif
