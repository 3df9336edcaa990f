# cython: language_level=3, freethreading_compatible=True
"""The one extension module: kernels of every instruction-set level, and thin bindings of them by concept.

Bindings check sizes and types, release the GIL and call the table of the level in use. They are one module, so that one table is
in use; their parts are in the folder `_bindings`.
"""

cimport cython
cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset, strchr, strcmp, strlen

import os

import numpy as np

cnp.import_array()
cnp.import_ufunc()

include "_bindings/levels.pxi"
include "_bindings/arrays.pxi"
include "_bindings/ufuncs.pxi"
include "_bindings/losses.pxi"
include "_bindings/gradients.pxi"
include "_bindings/sums.pxi"
include "_bindings/moments.pxi"
include "_bindings/order.pxi"
include "_bindings/random.pxi"
include "_bindings/probes.pxi"
