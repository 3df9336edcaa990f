"""The measured figures of docs/scale.md: rows per second and core, from memory, from a memory map, and through dask.

    python docs/scripts/scale_figures.py [rows]

Needs dask. By default 5,000,000 rows of 16 float64 (0.64 GB); one thread, least of 3 times.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import loglik as ll

D = 16


def least(function: Callable[[], Any]) -> float:
    """Seconds."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def main(rows: int = 5_000_000) -> None:
    """Print a line for each figure."""
    import dask
    import dask.array as da

    x = np.random.default_rng(1).standard_normal((rows, D))
    mvn = ll.MultivariateNormal.fit(x[:10_000])
    mixture = ll.MultivariateNormal(x[:32], np.eye(D))
    weights = np.full(32, -np.log(32))
    out = np.empty(rows)
    narrow = x.astype(np.float32)
    chunks = da.from_array(x, chunks=(500_000, D))

    def show(name: str, seconds: float, n: int = rows) -> None:
        print(f"{name:52} {n / seconds / 1e6:8.1f} million rows/s")

    with ll.num_threads(1), dask.config.set(scheduler="synchronous"):
        show("MultivariateNormal.fit, memory", least(lambda: ll.MultivariateNormal.fit(x)))
        show("the same in float32", least(lambda: ll.MultivariateNormal.fit(narrow)))
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "x.npy", x)
            mapped = np.load(Path(folder) / "x.npy", mmap_mode="r")
            show("the same from a memory map (in the page cache)", least(lambda: ll.MultivariateNormal.fit(mapped)))
        show("the same through dask, chunks of 500,000 rows", least(lambda: ll.MultivariateNormal.fit(chunks)))
        small = chunks.rechunk((10_000, D)).persist()
        show("the same through dask, chunks of 10,000 rows", least(lambda: ll.MultivariateNormal.fit(small)))
        show("MultivariateNormal.log_prob", least(lambda: mvn.log_prob(x, out=out)))
        show("its mean through dask, chunks of 500,000 rows", least(lambda: mvn.log_prob(chunks).mean().compute()))
        few = x[: rows // 10]
        show("mixture_log_prob, 32 components", least(lambda: ll.mixture_log_prob(few, weights, mixture)), len(few))
        flat = x.reshape(-1)
        seconds = least(lambda: ll.bernoulli_nll(0.0, logits=flat, reduction="sum"))
        show("bernoulli_nll, sum (a row: one value)", seconds, flat.size)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
