"""Bindings of the machine probes (csrc/kernels/probes/probes.h) for loglik.bench."""

cdef extern from "dispatch.h" nogil:
    ctypedef struct probe_f64_kernels "loglik_f64_kernels":
        double (*probe_fma)(Py_ssize_t rounds, double *sink) noexcept nogil
    ctypedef struct probe_f32_kernels "loglik_f32_kernels":
        double (*probe_fma)(Py_ssize_t rounds, float *sink) noexcept nogil
    ctypedef struct probe_kernels "loglik_kernels":
        const probe_f64_kernels *f64
        const probe_f32_kernels *f32
        int64_t (*probe_streams)(const char *const *inputs, const Py_ssize_t *in_bytes, Py_ssize_t nin,
                                 char *const *outputs, const Py_ssize_t *out_bytes, Py_ssize_t nout) noexcept nogil


cdef enum:
    MAX_STREAMS = 8


cdef int take(list arrays, char **data, Py_ssize_t *size, bint write) except -1:
    cdef cnp.ndarray array
    cdef Py_ssize_t i
    for i in range(len(arrays)):
        array = arrays[i]
        data[i], size[i] = memory(array, cnp.NPY_UINT8, write), cnp.PyArray_SIZE(array)
    return 0


def probe_fma(Py_ssize_t rounds, bint single):
    """Run `rounds` of multiply-adds in registers, in float32 if `single`; the number of operations done."""
    cdef const probe_kernels *kernels = <const probe_kernels *> table(None)
    cdef double operations, sink64
    cdef float sink32
    with nogil:
        if single:
            operations = kernels.f32.probe_fma(rounds, &sink32)
        else:
            operations = kernels.f64.probe_fma(rounds, &sink64)
    return operations


def probe_streams(list inputs, list outputs):
    """Read all of `inputs` and overwrite all of `outputs` with zeros, side by side.

    Both are lists of contiguous byte views (``array.reshape(-1).view("u1")``), at most 8 each.
    Returns a sum over what was read.
    """
    cdef const probe_kernels *kernels = <const probe_kernels *> table(None)
    cdef char *sources[MAX_STREAMS]
    cdef char *targets[MAX_STREAMS]
    cdef Py_ssize_t in_bytes[MAX_STREAMS]
    cdef Py_ssize_t out_bytes[MAX_STREAMS]
    cdef Py_ssize_t nin = len(inputs), nout = len(outputs)
    cdef int64_t total
    if nin > MAX_STREAMS or nout > MAX_STREAMS:
        raise ValueError(f"at most {MAX_STREAMS} inputs and outputs, got {nin} and {nout}")
    take(inputs, sources, in_bytes, False)
    take(outputs, targets, out_bytes, True)
    with nogil:
        total = kernels.probe_streams(<const char *const *> sources, in_bytes, nin, targets, out_bytes, nout)
    return total
