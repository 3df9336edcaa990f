"""Registration of the kernels as NumPy ufuncs, generated from the list in csrc/kernel_list.h.

Each kernel has a float32 and a float64 loop. NumPy would choose between them by safe casting, where an int64 array
beside a float32 one means float64; the package's rule is that floating inputs decide alone and integers follow. So
one promoter is registered for all other combinations of types (NumPy asks it only where no loop matches exactly).
"""

cdef extern from "Python.h":
    void Py_INCREF(void *)
    const char *PyUnicode_AsUTF8(str text) except NULL

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyArray_DTypeMeta:
        int type_num
    PyArray_DTypeMeta PyArray_HalfDType
    PyArray_DTypeMeta PyArray_FloatDType
    PyArray_DTypeMeta PyArray_DoubleDType
    PyArray_DTypeMeta PyArray_Int32DType
    PyArray_DTypeMeta PyArray_PyFloatDType
    PyArray_DTypeMeta PyArray_PyLongDType

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFuncObject:
        int nin
        int nargs
        void **data
    ctypedef void (*PyUFuncGenericFunction)(char **, const Py_ssize_t *, const Py_ssize_t *, void *) noexcept nogil
    object PyUFunc_FromFuncAndDataAndSignature(
        PyUFuncGenericFunction *functions, void **data, const char *types, int ntypes, int nin, int nout,
        int identity, const char *name, const char *doc, int unused, const char *signature)
    int PyUFunc_AddPromoter(object ufunc, object dtypes, object promoter) except -1
    int PyUFunc_None


cdef bint is_integer_or_bool(PyArray_DTypeMeta *dtype) noexcept:
    return dtype == &PyArray_PyLongDType or cnp.NPY_BOOL <= dtype.type_num <= cnp.NPY_ULONGLONG


cdef int promote(
    PyObject *ufunc, PyArray_DTypeMeta **dtypes, PyArray_DTypeMeta **signature, PyArray_DTypeMeta **resolved,
) except -1:
    """Fill `resolved` with the types of the loop for `dtypes`; -1 with a TypeError where there is none."""
    cdef const loglik_ufunc_info *info = <const loglik_ufunc_info *> (<PyUFuncObject *> ufunc).data[0]
    cdef int nin = (<PyUFuncObject *> ufunc).nin, nargs = (<PyUFuncObject *> ufunc).nargs
    cdef PyArray_DTypeMeta *dtype
    cdef PyArray_DTypeMeta *real = NULL
    cdef PyArray_DTypeMeta *asked = NULL
    cdef bint decides
    cdef char letter
    cdef int i
    for i in range(nargs):
        letter = info.types[i if i < nin else i + 2]  # the outputs stand behind "->"
        if letter == c"r" and (signature[i] == &PyArray_FloatDType or signature[i] == &PyArray_DoubleDType):
            asked = signature[i]
        if i >= nin:
            continue
        dtype = dtypes[i]
        decides = letter == c"r"
        if dtype == NULL:
            raise TypeError(f"{info.name.decode()}: argument {i} has no dtype (reduce and accumulate are not supported)")
        if dtype == &PyArray_DoubleDType:
            if decides:
                real = &PyArray_DoubleDType
        elif dtype == &PyArray_FloatDType or dtype == &PyArray_HalfDType:
            if decides and real == NULL:
                real = &PyArray_FloatDType
        elif not (is_integer_or_bool(dtype) or dtype == &PyArray_PyFloatDType):
            raise TypeError(
                f"{info.name.decode()}: argument {i} has dtype {(<object> <PyObject *> dtype).__name__}; "
                "real floating (up to float64), integer or bool is needed"
            )
    if asked != NULL:
        real = asked
    elif real == NULL:
        real = &PyArray_DoubleDType
    for i in range(nargs):
        letter = info.types[i if i < nin else i + 2]
        resolved[i] = real
        if letter == c"i":
            resolved[i] = &PyArray_Int32DType
        elif letter == c"d":
            resolved[i] = &PyArray_DoubleDType
        Py_INCREF(<void *> resolved[i])
    return 0


cdef object make_ufunc(const loglik_kernels *level, const loglik_ufunc_info *info, str doc):
    """The ufunc of one kernel. Its small tables and its documentation live as long as the process, as NumPy requires."""
    cdef int nin = strchr(info.types, c"-") - info.types
    cdef int nargs = strlen(info.types) - 2
    cdef PyUFuncGenericFunction *functions = <PyUFuncGenericFunction *> calloc(2, sizeof(PyUFuncGenericFunction))
    cdef void **data = <void **> calloc(2, sizeof(void *))
    cdef char *types = <char *> calloc(2 * nargs, 1)
    cdef char letter
    cdef int i, k
    if functions == NULL or data == NULL or types == NULL:
        raise MemoryError
    functions[0] = loglik_loop_at(level, info.offset, LOGLIK_F32)
    functions[1] = loglik_loop_at(level, info.offset, LOGLIK_F64)
    for k in range(2):
        data[k] = <void *> info
        for i in range(nargs):
            letter = info.types[i if i < nin else i + 2]
            types[k * nargs + i] = (
                cnp.NPY_INT32 if letter == c"i" else cnp.NPY_DOUBLE if letter == c"d" or k == 1 else cnp.NPY_FLOAT
            )
    Py_INCREF(<void *> doc)
    ufunc = PyUFunc_FromFuncAndDataAndSignature(
        functions, data, types, 2, nin, nargs - nin, PyUFunc_None, info.name, PyUnicode_AsUTF8(doc), 0, info.signature)
    # Output types do not take part in the choice; None leaves them open.
    pattern = (np.dtype,) * nin + (None,) * (nargs - nin)
    PyUFunc_AddPromoter(ufunc, pattern, PyCapsule_New(<void *> promote, b"numpy._ufunc_promoter", NULL))
    return ufunc


def make_ufuncs(str level, dict docs not None={}):
    """All kernels of an instruction-set level as a dictionary from name to ufunc; `docs`: their documentation by name.

    `loglik.ufuncs` holds those of the level in use; tests make those of every level that the machine has.
    """
    cdef const loglik_kernels *kernels = kernels_of(level)
    cdef int i
    ufuncs = {}
    for i in range(loglik_ufunc_count):
        name = loglik_ufunc_infos[i].name.decode()
        ufuncs[name] = make_ufunc(kernels, &loglik_ufunc_infos[i], docs.get(name, ""))
    return ufuncs


def kernel_types():
    """Dictionary from kernel name to its (types, signature) as in csrc/kernel_list.h."""
    cdef int i
    return {
        loglik_ufunc_infos[i].name.decode(): (
            loglik_ufunc_infos[i].types.decode(),
            None if loglik_ufunc_infos[i].signature == NULL else loglik_ufunc_infos[i].signature.decode(),
        )
        for i in range(loglik_ufunc_count)
    }
