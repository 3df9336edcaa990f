"""The process that measures.

Thread pools of other libraries (BLAS below NumPy, JAX, torch) read their size when they are loaded. `loglik bench` and the tour
therefore measure in a new process, which runs ``loglik bench`` with the wanted number of threads in its environment.
"""

import os
import sys
from collections.abc import Sequence

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NPROC",
)
CHILD = "LOGLIK_BENCH_CHILD"  # set in the process that measures


def is_child() -> bool:
    """Whether this is the process that measures."""
    return bool(os.environ.get(CHILD))


def command(arguments: Sequence[str]) -> list[str]:
    """Command line of the process that measures."""
    return [sys.executable, "-m", "loglik", "bench", *arguments]


def environment(threads: int) -> dict[str, str]:
    """Environment of the process that measures."""
    return os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)) | {CHILD: "1"}
