/* The list of levels, the choice of one, and the list of kernels. */
#include <ctype.h>

#include "check.h"
#include "cpu.h"

int main(void) {
    check(loglik_cpu_features() == loglik_cpu_features(), "features change");
    char name[49];
    memset(name, 'x', sizeof name);
    loglik_cpu_name(name);
    check(memchr(name, 0, sizeof name) != NULL, "processor name is not terminated");

    int levels = 0, available = 0;
    for (const loglik_kernels *const *level = loglik_levels; *level; level++, levels++) {
        check(loglik_find_level((*level)->name) == *level, "%s is not found by its name", (*level)->name);
        check((*level)->description[0] != 0, "%s has no description", (*level)->name);
        check((*level)->vector_bytes >= 16, "%s has no vectors", (*level)->name);
        if (loglik_level_available(*level)) {
            check(available++ > 0 || loglik_find_level(NULL) == *level, "%s is not the best level", (*level)->name);
            printf("%s ", (*level)->name);
        } else {
            check(((*level)->needs & ~loglik_cpu_features()) != 0, "%s is refused without a need", (*level)->name);
        }
        if (level[1]) {
            check((*level)->vector_bytes >= level[1]->vector_bytes, "levels are not in order of preference");
        } else {
            check(loglik_level_available(*level), "the last level needs something: %s", (*level)->name);
        }
    }
    check(levels > 0, "no levels");
    check(loglik_find_level("") == NULL && loglik_find_level("sse9") == NULL, "an unknown level is found");

    check(loglik_ufunc_count > 0, "no kernels");
    for (int i = 0; i < loglik_ufunc_count; i++) {
        const loglik_ufunc_info *const info = &loglik_ufunc_infos[i];
        const char *const arrow = strstr(info->types, "->");
        check(arrow && arrow > info->types && arrow[2], "%s: types %s", info->name, info->types);
        check(strspn(info->types, "rtid->") == strlen(info->types), "%s: types %s", info->name, info->types);
        check(strchr(info->types, 'r') != NULL, "%s: no argument decides the type", info->name);
        check(islower((unsigned char)info->name[0]), "%s: name", info->name);
        for (int j = 0; j < i; j++) {
            check(strcmp(info->name, loglik_ufunc_infos[j].name) != 0, "%s is listed twice", info->name);
        }
        for (const loglik_kernels *const *level = loglik_levels; *level; level++) {
            const loglik_loop f64 = loglik_loop_at(*level, info->offset, LOGLIK_F64);
            const loglik_loop f32 = loglik_loop_at(*level, info->offset, LOGLIK_F32);
            check(f64 && f32 && f64 != f32, "%s at %s", info->name, (*level)->name);
        }
    }
    return checks_end();
}
