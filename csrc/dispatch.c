#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"

#ifdef LOGLIK_WITH_BASELINE
extern const loglik_kernels loglik_kernels_baseline;
#endif
#ifdef LOGLIK_WITH_AVX2
extern const loglik_kernels loglik_kernels_avx2;
#endif
#ifdef LOGLIK_WITH_AVX512
extern const loglik_kernels loglik_kernels_avx512;
#endif
#ifdef LOGLIK_WITH_NEON
extern const loglik_kernels loglik_kernels_neon;
#endif

const loglik_kernels *const loglik_levels[] = {
#ifdef LOGLIK_WITH_AVX512
    &loglik_kernels_avx512,
#endif
#ifdef LOGLIK_WITH_AVX2
    &loglik_kernels_avx2,
#endif
#ifdef LOGLIK_WITH_BASELINE
    &loglik_kernels_baseline,
#endif
#ifdef LOGLIK_WITH_NEON
    &loglik_kernels_neon,
#endif
    NULL,
};

const loglik_ufunc_info loglik_ufunc_infos[] = {
#define LOGLIK_INFO(name, signature, types) {#name, types, signature, offsetof(loglik_f64_kernels, name)},
    LOGLIK_UFUNCS(LOGLIK_INFO)
#undef LOGLIK_INFO
};

const int loglik_ufunc_count = sizeof loglik_ufunc_infos / sizeof *loglik_ufunc_infos;

int loglik_level_available(const loglik_kernels *level) {
    return (level->needs & ~loglik_cpu_features()) == 0;
}

const loglik_kernels *loglik_find_level(const char *name) {
    for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
        if (name ? strcmp(name, (*level)->name) == 0 : loglik_level_available(*level)) {
            return *level;
        }
    }
    return NULL;
}

const loglik_kernels *loglik_level_in_use(void) {
    static const loglik_kernels *chosen; /* Threads that come first together all choose the same table, which is constant. */
    const loglik_kernels *level = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (!level) {
        const char *const forced = getenv("LOGLIK_ISA");
        level = loglik_find_level(forced && *forced ? forced : NULL);
        if (!level || !loglik_level_available(level)) {
            return NULL;
        }
        __atomic_store_n(&chosen, level, __ATOMIC_RELAXED);
    }
    return level;
}
