/* loglik: what C code outside the package may rely on.
 *
 * Names start with loglik_ (types, functions) or LOGLIK_ (macros). No Python.h, no NumPy headers. The installed
 * directory of this file is what loglik.get_include() returns.
 *
 * So far this is the signature of the kernels' loops only: the kernels are reached from Python, as the ufuncs of
 * loglik.ufuncs, and no function is exported by a library yet. */
#ifndef LOGLIK_H
#define LOGLIK_H

#include <stddef.h>

/* The inner loop of a kernel; the same as that of a NumPy ufunc, npy_intp being ptrdiff_t on every supported platform.
 *
 * args   one pointer per argument, inputs then outputs; aligned for their element type, in native byte order
 * dims   dims[0] is the number of elements (outer iterations), then the core dimensions of a generalised ufunc
 * steps  in bytes, may be negative or zero: the outer one of each argument, then the core ones argument by argument
 * data   not used
 *
 * Inputs and outputs do not overlap, unless an elementwise output is exactly one of the inputs. The floating-point state on
 * return is that on entry, but for the invalid flag where a NaN was made from input without one. */
typedef void (*loglik_loop)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data);

#endif
