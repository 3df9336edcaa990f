# cython: language_level=3, freethreading_compatible=True, binding=False
"""The one extension module: kernels of every instruction-set level, and thin skins over them by concept.

Skins check sizes and types, release the GIL and call the table of the level in use. One module, because each has 35 kB of
Cython's own code; its parts are in the folder `_skins`.
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

include "_skins/levels.pxi"
include "_skins/arrays.pxi"
include "_skins/ufuncs.pxi"
include "_skins/losses.pxi"
include "_skins/gradients.pxi"
include "_skins/sums.pxi"
include "_skins/moments.pxi"
include "_skins/random.pxi"
include "_skins/probes.pxi"
