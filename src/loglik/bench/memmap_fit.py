"""Fit of a file that is read through a memory map: time, share of the memory's speed, peak memory.

    python -m loglik.bench.memmap_fit [rows] [columns]

By default 10,000,000 rows of 16 float64 (1.28 GB), in the folder for temporary files.
"""

import functools
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

import loglik as ll
from loglik.bench import probes

_ROWS = 100_000  # written at a time


def main(rows: int = 10_000_000, columns: int = 16) -> None:
    """Write the file, fit it, and print what it took."""
    rng, threads = np.random.default_rng(1), ll.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        x = np.lib.format.open_memmap(path, "w+", np.float64, (rows, columns))
        for start in range(0, rows, _ROWS):
            block = x[start : start + _ROWS]
            block[...] = rng.standard_normal(block.shape, dtype=np.float32)
        del x
        x = np.load(path, mmap_mode="r")
        probe = probes.streams([x], [], threads)
        reading: list[float] = []
        fitting: list[float] = []
        for _ in range(3):
            for function, times in ((probe, reading), (functools.partial(ll.MultivariateNormal.fit, x), fitting)):
                began = time.perf_counter()
                function()
                times.append(time.perf_counter() - began)
        tracemalloc.start()
        fit = ll.MultivariateNormal.fit(x)
        peak = tracemalloc.get_traced_memory()[1]
    seconds, read = min(fitting), min(reading)
    print(f"{rows} x {columns}, {threads} threads: {seconds:.3f} s, {x.nbytes / seconds / 1e9:.1f} GB/s, "
          f"{100 * read / seconds:.0f} % of the speed of reading ({read:.3f} s)")  # fmt: skip
    assert fit.fit_report is not None
    print(f"peak of allocated memory {peak / 1e6:.2f} MB; log-likelihood {fit.fit_report.log_likelihood:.6f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
