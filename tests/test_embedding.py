"""Public functions in the threads and processes of others: nothing hangs, and the bits are those of a call on its own.

What `loglik._engine.parallel` promises is tested in test_parallel.py; this is how people use it.
"""

import concurrent.futures
import importlib.util
import os
import sys
import threading

import pytest
from embedding_work import families
from subprocess_tools import LIMIT_SECONDS, python_output

import loglik as ll

HERE = os.path.dirname(os.path.abspath(__file__))
START = f"import sys, warnings; sys.path.insert(0, {HERE!r})\nfrom embedding_work import families, Scores\n"


def test_32_threads():
    """All at once, while the package uses threads of its own."""
    expected = families()
    barrier = threading.Barrier(32)

    def work(_):
        barrier.wait(LIMIT_SECONDS)
        return families()

    with ll.num_threads(4), concurrent.futures.ThreadPoolExecutor(32) as pool:
        results = list(pool.map(work, range(32), timeout=LIMIT_SECONDS))
    assert all(result == expected for result in results)


@pytest.mark.parametrize("threads", [1, 3])
def test_number_of_threads_changes_no_bit(threads):
    expected = families(7)
    with ll.num_threads(threads):
        assert families(7) == expected


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(method, tmp_path):
    """Workers that start after the package has used its threads."""
    if method != "spawn" and not hasattr(os, "fork"):
        pytest.skip("no fork on this platform")
    script = tmp_path / "script.py"
    script.write_text(
        START
        + f"""
import multiprocessing
if __name__ == "__main__":
    expected = [families(0), families(1)]
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork beside threads, which is the point here
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.map(families, [0, 1, 0, 1]) == expected * 2, [families(0), families(1)] == expected)
"""
    )
    assert python_output(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')") == "True True"


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_joblib(backend):
    pytest.importorskip("joblib")
    code = START + f"""
import joblib
warnings.simplefilter("ignore")  # of joblib, about forks
expected = [families(0), families(1)]
got = joblib.Parallel(n_jobs=2, backend={backend!r})(joblib.delayed(families)(i) for i in (0, 1, 1, 0))
print(got == [*expected, *expected[::-1]])
"""
    assert python_output(code, PYTHONPATH=os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")])) == "True"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_data_loader():
    """Forked workers of torch, after threads of the package and of torch were used."""
    code = START + """
warnings.simplefilter("ignore")
import torch
expected = [families(0), families(1)]
torch.ones(500, 500) @ torch.ones(500, 500)
loader = torch.utils.data.DataLoader(Scores(), batch_size=None, num_workers=2, multiprocessing_context="fork")
for epoch in range(2):
    print(list(loader) == expected * 4)
"""
    assert python_output(code) == "True\nTrue"
