"""Instruction-set levels: choose one at import, list them, force one.

`table` is where all other bindings take the kernels from, so a process has one active level.
"""

cdef extern from "cpu.h" nogil:
    void loglik_cpu_name(char *buffer)

cdef extern from *:
    """
    #if defined(__clang__)
    #define LOGLIK_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
    #define LOGLIK_COMPILER "gcc " __VERSION__
    #else
    #define LOGLIK_COMPILER "unknown"
    #endif
    """
    const char *LOGLIK_COMPILER

cdef extern from "dispatch.h" nogil:
    const loglik_kernels *const loglik_levels[]
    const loglik_ufunc_info loglik_ufunc_infos[]
    const int loglik_ufunc_count
    const loglik_kernels *loglik_find_level(const char *name)
    int loglik_level_available(const loglik_kernels *level)
    const loglik_kernels *loglik_level_in_use()
    const char *loglik_version()
    const char *LOGLIK_VERSION


cdef const loglik_kernels *_active = NULL  # set once, below, while the import lock is held

cdef const loglik_kernels *table(level) except NULL:
    """The table of kernels in use, or that of a level by name (tests)."""
    return _active if level is None else kernels_of(level)


def version():
    """Version of the library that was loaded, which is that of the package."""
    return loglik_version().decode()


def isa():
    """Name of the level in use."""
    return _active.name.decode()


def compiled_isas():
    """Names of all levels in this build, best first, whether this machine has them or not."""
    cdef int i = 0
    names = []
    while loglik_levels[i] != NULL:
        names.append(loglik_levels[i].name.decode())
        i += 1
    return names


def available_isas():
    """Names of the levels that this machine can run, best first."""
    return [name for name in compiled_isas() if loglik_level_available(loglik_find_level(name.encode()))]


def cpu_name():
    """Marketing name of the processor, "" where it does not tell."""
    cdef char buffer[49]
    loglik_cpu_name(buffer)
    return bytes(buffer).split(b"\0")[0].decode("ascii", "replace").strip()


def compiler():
    """Name and version of the C compiler that built this, for example "gcc 12.2.0"."""
    return LOGLIK_COMPILER.decode().strip()


def level_properties(str name):
    """Dictionary of what the level is: register width, fused multiply-add, needs in words."""
    cdef const loglik_kernels *level = kernels_of(name)
    return {
        "name": level.name.decode(),
        "description": level.description.decode(),
        "vector_bits": 8 * level.vector_bytes,
        "fma": bool(level.has_fma),
    }


cdef const loglik_kernels *kernels_of(str name) except NULL:
    """The table of a level by name; ImportError where it does not exist or this machine lacks it."""
    cdef const loglik_kernels *level = loglik_find_level(name.encode())
    if level == NULL:
        raise ImportError(
            f"LOGLIK_ISA={name!r} is not an instruction-set level of this build; "
            f"choose one of {', '.join(available_isas())}"
        )
    if not loglik_level_available(level):
        raise ImportError(
            f"LOGLIK_ISA={name!r} needs {level.description.decode()}, which this machine lacks; "
            f"it can run: {', '.join(available_isas())}"
        )
    return level


def _initialise():
    global _active
    if strcmp(loglik_version(), LOGLIK_VERSION) != 0:
        raise ImportError(f"libloglik {loglik_version().decode()} was loaded before; {LOGLIK_VERSION.decode()} is needed")
    _active = loglik_level_in_use()
    if _active == NULL:
        kernels_of(os.environ.get("LOGLIK_ISA", ""))  # says why


_initialise()
