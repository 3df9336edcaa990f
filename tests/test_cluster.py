"""A fit on two processes, one of which is killed while it works."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import loglik as ll

pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

LIMIT_SECONDS = 120  # against hangs only


def _block(block_info=None):
    """A chunk, made where it is needed."""
    i = block_info[None]["chunk-location"][0]
    return np.random.default_rng(i).normal(i, 1.0, (2000, 3))


def _slowly(block, directory):
    Path(directory, f"{os.getpid()}").touch()
    end = time.monotonic() + LIMIT_SECONDS
    while not Path(directory, "killed").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return block


@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_midway_changes_no_bit(tmp_path):
    import dask
    from distributed import Client, LocalCluster

    x = da.map_blocks(_block, chunks=((2000,) * 24, (3,)), dtype=float, meta=np.empty((0, 3)))
    with dask.config.set(scheduler="synchronous"):
        expected = ll.MultivariateNormal.fit(x)
    slow = x.map_blocks(_slowly, str(tmp_path), dtype=float, meta=np.empty((0, 3)))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        from dask import delayed

        future = client.compute(delayed(ll.MomentStats.fit)(_statistics(slow), ll.MultivariateNormal))
        end = time.monotonic() + LIMIT_SECONDS
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(int(next(tmp_path.iterdir()).name), signal.SIGKILL)  # in the middle of a chunk
        (tmp_path / "killed").touch()
        fitted = future.result(timeout=LIMIT_SECONDS)
        assert ll.MultivariateNormal.fit(x) == expected  # on what is left of the cluster
    assert fitted == expected
    assert fitted.fit_report.n == 48_000


def _statistics(x):
    """What MomentStats.update does, without waiting for it."""
    from loglik._engine import chunks
    from loglik.moments import _stats_of

    return chunks.tree("test", lambda block, weights: _stats_of(block, weights, "propagate"), x, None, (0,), 1)
