/* The one list of kernels. Adding a kernel starts here (CONTRIBUTING.md walks through it).
 *
 * LOGLIK_UFUNCS: X(name, signature, types). Their documentation is in src/loglik/_ufunc_docs.py.
 *   signature  core dimensions of a generalised ufunc, NULL for an elementwise one.
 *   types      one letter per argument, inputs "->" outputs:
 *                r  floating; the floating inputs decide whether the float32 or the float64 loop runs
 *                t  floating like r, but it never decides (targets of a loss)
 *                i  int32 (error reports)
 *                d  float64 in both loops (sums)
 * The C loop is called name_loop.
 *
 * LOGLIK_FUNCTIONS: X(result, name, arguments), with R the floating type: kernels that are not ufuncs (random streams,
 * block sums), called from the Cython bindings.
 * LOGLIK_UNTYPED: X(result, name, arguments), the same for kernels that exist once (their bodies stand under
 * #if REAL_IS_DOUBLE, and so in kernels_f64.c).
 * Kernels take and return plain C: pointers, sizes, status codes. Memory comes from the caller.
 *
 * A concept defines the lists that it has. */
#ifndef LOGLIK_KERNEL_LIST_H
#define LOGLIK_KERNEL_LIST_H

#include "kernels/elementwise/elementwise_list.h"
#include "kernels/losses/losses_list.h"
#include "kernels/gaussian/gaussian_list.h"
#include "kernels/moments/moments_list.h"
#include "kernels/order/order_list.h"
#include "kernels/random/random_list.h"
#include "kernels/discrete/discrete_list.h"
#include "kernels/probes/probes_list.h"

/* clang-format off */
#define LOGLIK_UFUNCS(X) \
    LOGLIK_UFUNCS_ELEMENTWISE(X) \
    LOGLIK_UFUNCS_GAUSSIAN(X) \
    LOGLIK_UFUNCS_DISCRETE(X)

#define LOGLIK_FUNCTIONS(X, R) \
    LOGLIK_FUNCTIONS_LOSSES(X, R) \
    LOGLIK_FUNCTIONS_GAUSSIAN(X, R) \
    LOGLIK_FUNCTIONS_ORDER(X, R) \
    LOGLIK_FUNCTIONS_RANDOM(X, R) \
    LOGLIK_FUNCTIONS_DISCRETE(X, R) \
    LOGLIK_FUNCTIONS_PROBES(X, R)

#define LOGLIK_UNTYPED(X) \
    LOGLIK_UNTYPED_MOMENTS(X) \
    LOGLIK_UNTYPED_RANDOM(X) \
    LOGLIK_UNTYPED_DISCRETE(X) \
    LOGLIK_UNTYPED_PROBES(X)

#endif
