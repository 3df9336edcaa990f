"""Limits of this machine, measured beside the kernels.

A row's limit is the longer of two times: that of a loop which only reads the row's inputs and writes its
outputs, and that of its floating-point operations at the peak rate of fused multiply-adds. Both run on the
same level, threads and, for the first, on the very arrays of the row.
"""

from collections.abc import Callable, Sequence

import numpy as np

from loglik import _kernels
from loglik._engine.parallel import run_blocks

FMA_ROUNDS = 50_000  # about half a millisecond


def fma(dtype: str, threads: int = 1) -> tuple[Callable[[], None], float]:
    """A function that runs multiply-adds in registers on each thread, and its number of operations."""
    single = np.dtype(dtype) == np.float32

    def run() -> None:
        run_blocks(lambda _: _kernels.probe_fma(FMA_ROUNDS, single), threads)

    return run, threads * _kernels.probe_fma(FMA_ROUNDS, single)


def streams(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], threads: int = 1) -> Callable[[], object]:
    """A function that reads `inputs` and overwrites `outputs` (contiguous), split evenly over the threads."""

    def pieces(arrays: Sequence[np.ndarray], i: int) -> list[np.ndarray]:
        flat = [array.reshape(-1) for array in arrays]
        return [a[a.size * i // threads : a.size * (i + 1) // threads].view(np.uint8) for a in flat]

    work = [(pieces(inputs, i), pieces(outputs, i)) for i in range(threads)]
    if threads == 1:
        return lambda: _kernels.probe_streams(*work[0])

    def run() -> None:
        run_blocks(lambda i: _kernels.probe_streams(*work[i]), threads)

    return run


MACHINE_MEGABYTES = 64
"""Size of each array of the printed memory probes: beyond the caches of most machines."""


def machine(threads: int = 1) -> dict[str, tuple[Callable[[], object], float]]:
    """The raw probes printed with every table: name → (function, bytes or operations that it moves)."""
    n = MACHINE_MEGABYTES * 2**20
    arrays = [np.ones(n // 8) for _ in range(3)]
    a, b, c = arrays
    return {
        "read_gb_per_s": (streams([a], [], threads), n),
        "write_gb_per_s": (streams([], [c], threads), n),
        "copy_gb_per_s": (streams([a], [c], threads), 2 * n),
        "triad_gb_per_s": (streams([a, b], [c], threads), 3 * n),
        "fma_f64_gflop_per_s": fma("float64", threads),
        "fma_f32_gflop_per_s": fma("float32", threads),
    }
