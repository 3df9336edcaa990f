"""Memory of arrays for the bindings, which need a pointer and one check; a memoryview would take a buffer at each call."""

cdef inline char *memory(cnp.ndarray array, int dtype, bint write) except NULL:
    """Data of a contiguous array of one dtype; an error for any other, and for one that must be written and may not be."""
    if cnp.PyArray_TYPE(array) != dtype or not cnp.PyArray_IS_C_CONTIGUOUS(array) or not cnp.PyArray_ISNOTSWAPPED(array):
        raise ValueError(f"an array of dtype {array.dtype} is not contiguous or has the wrong dtype")
    if write and not cnp.PyArray_ISWRITEABLE(array):
        raise ValueError("an output array is read-only")
    return cnp.PyArray_BYTES(array)
