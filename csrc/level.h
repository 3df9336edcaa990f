/* The tables of one level: their names, and their fields from kernel_list.h (for kernels_f64.c and kernels_f32.c). */
#ifndef LOGLIK_LEVEL_H
#define LOGLIK_LEVEL_H

#define LOGLIK_JOIN_(a, b, c) a##b##c
#define LOGLIK_JOIN(a, b, c) LOGLIK_JOIN_(a, b, c)
#define LOGLIK_STRING_(x) #x
#define LOGLIK_STRING(x) LOGLIK_STRING_(x)

#define LOGLIK_TABLE LOGLIK_JOIN(loglik_kernels_, LOGLIK_LEVEL, )
#define LOGLIK_F32_TABLE LOGLIK_JOIN(loglik_kernels_, LOGLIK_LEVEL, _f32)

#define LOGLIK_LOOP(name, signature, types) .name = name##_loop,
#define LOGLIK_FUNCTION(result, name, arguments) .name = name,
#define LOGLIK_TYPED_KERNELS(R) LOGLIK_UFUNCS(LOGLIK_LOOP) LOGLIK_FUNCTIONS(LOGLIK_FUNCTION, R)

#endif
