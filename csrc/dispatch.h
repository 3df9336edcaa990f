/* The table of kernels of one instruction-set level, and how a level is chosen.
 *
 * A level is a named value: it can be listed, queried and forced. Each level is one constant table, filled
 * by compiling kernels_f64.c and kernels_f32.c with that level's flags. What is exported (LOGLIK_API) is what the extension module needs. */
#ifndef LOGLIK_DISPATCH_H
#define LOGLIK_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "kernel_list.h"
#include "loglik/loglik.h"

/* The kernels of one element type. Loops come first, so that a loop has the same offset for both types. */
#define LOGLIK_FIELD(name, signature, types) loglik_loop name;
#define LOGLIK_FUNCTION_FIELD(result, name, arguments) result(*name) arguments;
typedef struct {
    LOGLIK_UFUNCS(LOGLIK_FIELD)
    LOGLIK_FUNCTIONS(LOGLIK_FUNCTION_FIELD, double)
} loglik_f64_kernels;
typedef struct {
    LOGLIK_UFUNCS(LOGLIK_FIELD)
    LOGLIK_FUNCTIONS(LOGLIK_FUNCTION_FIELD, float)
} loglik_f32_kernels;
#undef LOGLIK_FIELD

typedef struct {
    const char *name;        /* "baseline", "avx2", "avx512", "neon" */
    const char *description; /* what the level needs */
    uint32_t needs;          /* LOGLIK_CPU_* bits */
    int vector_bytes;        /* width of one register */
    int has_fma;             /* fused multiply-adds are one instruction */
    const loglik_f64_kernels *f64;
    const loglik_f32_kernels *f32;
    LOGLIK_UNTYPED(LOGLIK_FUNCTION_FIELD)
#undef LOGLIK_FUNCTION_FIELD
} loglik_kernels;

/* What NumPy must know about a ufunc, the same at every level. */
typedef struct {
    const char *name;
    const char *types;     /* see kernel_list.h */
    const char *signature; /* of a generalised ufunc; NULL for an elementwise one */
    size_t offset;         /* of its loop in loglik_f64_kernels and loglik_f32_kernels */
} loglik_ufunc_info;

/* The loop at `offset` for a type (LOGLIK_F64 or LOGLIK_F32). */
static inline loglik_loop loglik_loop_at(const loglik_kernels *level, size_t offset, int type) {
    const char *const kernels = type == LOGLIK_F64 ? (const char *)level->f64 : (const char *)level->f32;
    return *(const loglik_loop *)(kernels + offset);
}

LOGLIK_API extern const loglik_ufunc_info loglik_ufunc_infos[];
LOGLIK_API extern const int loglik_ufunc_count;

/* All levels in this binary, best first; NULL-terminated. */
LOGLIK_API extern const loglik_kernels *const loglik_levels[];

/* The level called `name`, or the best one that the machine has if name is NULL.
 * NULL if there is no such level in this binary (unknown name). The caller checks `needs`. */
LOGLIK_API const loglik_kernels *loglik_find_level(const char *name);

/* Whether this machine can run the level. */
LOGLIK_API int loglik_level_available(const loglik_kernels *level);

/* The level in use by this process, for loglik.h and for Python: chosen on first use, the best one or that of LOGLIK_ISA. NULL
 * where the machine lacks that, or there is none of the name. */
LOGLIK_API const loglik_kernels *loglik_level_in_use(void);

#endif
