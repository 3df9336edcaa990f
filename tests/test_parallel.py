"""Threads of the facade: same work for any number of threads, errors, Ctrl-C, fork, exit, settings.

Blocks here are Python functions that meet at barriers, so that the tests do not depend on speed: what must run at the
same time is made to.
"""

import asyncio
import concurrent.futures
import contextvars
import gc
import math
import os
import re
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from subprocess_tools import LIMIT_SECONDS, python_output, run_python

import loglik as ll
from loglik._engine import parallel
from loglik._engine.parallel import run_blocks

THREADS = [1, 2, 3, 7, 16]


@pytest.fixture(autouse=True)
def _restore_settings() -> Iterator[None]:
    before = parallel._process_threads
    yield
    parallel._process_threads = before


def meet(parties: int) -> Callable[[], int]:
    """A barrier that fails instead of hanging."""
    return threading.Barrier(parties, timeout=LIMIT_SECONDS).wait


# ------------------------------------------------------------------------------------------------ the work


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_every_block_runs_exactly_once(threads: int, count: int) -> None:
    done = [0] * count
    with ll.num_threads(threads):
        run_blocks(lambda i: done.__setitem__(i, done[i] + 1), count)
    assert done == [1] * count


@pytest.mark.parametrize("threads", THREADS)
def test_blocks_run_at_the_same_time(threads: int) -> None:
    wait = meet(threads)  # passes only when `threads` blocks run at once
    with ll.num_threads(threads):
        run_blocks(lambda i: wait(), 2 * threads)


def test_no_more_threads_than_asked_for() -> None:
    with ll.num_threads(9):  # the pool is now larger than what the next call may use
        wait = meet(9)
        run_blocks(lambda i: wait(), 9)
    seen = set()
    with ll.num_threads(3):
        run_blocks(lambda i: (seen.add(threading.get_ident()), time.sleep(1e-3)), 60)
    assert 1 <= len(seen) <= 3


@pytest.mark.parametrize(("threads", "seconds"), [(1, math.inf), (8, 1e-6)])
def test_one_thread_or_little_work_stays_in_the_caller(threads: int, seconds: float) -> None:
    seen: list[tuple[int, int]] = []
    with ll.num_threads(threads):
        run_blocks(lambda i: seen.append((i, threading.get_ident())), 5, seconds=seconds)
    assert seen == [(i, threading.get_ident()) for i in range(5)]


@pytest.mark.parametrize("threads", THREADS)
def test_same_bits_for_any_number_of_threads(threads: int) -> None:
    x = np.random.default_rng(1).normal(size=100_003)

    def total() -> tuple[np.ndarray, float]:
        values, sums = np.empty_like(x), np.empty(math.ceil(x.size / 4096))

        def block(i: int) -> None:
            part = slice(4096 * i, 4096 * (i + 1))
            ll.ufuncs.exp(x[part], out=values[part])
            sums[i] = values[part].sum()

        run_blocks(block, sums.size)
        return values, float(sums.sum())

    with ll.num_threads(1):
        expected = total()
    with ll.num_threads(threads):
        for _ in range(5):
            values, summed = total()
            np.testing.assert_array_equal(values, expected[0])
            assert summed == expected[1]


def test_nested_calls_do_not_deadlock() -> None:
    done = np.zeros((6, 5, 4), dtype=int)

    def outer(i: int) -> None:
        def middle(j: int) -> None:
            def inner(k: int) -> None:
                done[i, j, k] += 1

            run_blocks(inner, 4)

        run_blocks(middle, 5)

    with ll.num_threads(4):
        run_blocks(outer, 6)
    assert (done == 1).all()


def test_caller_does_not_wait_for_busy_workers() -> None:
    """Two workers are held by one call; another call finishes although its helpers never start."""
    release = threading.Event()
    wait_for_all = meet(4)

    def hold(i: int) -> None:
        wait_for_all()
        assert release.wait(LIMIT_SECONDS)

    with ll.num_threads(3):
        context = contextvars.copy_context()
        holder = threading.Thread(target=context.run, args=(run_blocks, hold, 3))
        holder.start()
        wait_for_all()
        done: list[int] = []
        run_blocks(done.append, 50)
        assert sorted(done) == list(range(50))
        release.set()
        holder.join(LIMIT_SECONDS)
    assert not holder.is_alive()


def test_caller_works_alone_when_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    parallel._forget_workers()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    with ll.num_threads(4):
        run_blocks(done.append, 20)
    assert done == list(range(20))
    parallel._forget_workers()


# ------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("threads", THREADS)
def test_exception_of_the_lowest_failing_block_is_raised(threads: int) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def block(i: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, i)
        time.sleep(1e-4 * (i % 3))
        with lock:
            running -= 1
        if i in (5, 6, 8, 20):
            raise ValueError(f"block {i}")

    for _ in range(20):
        most = 0
        with ll.num_threads(threads), pytest.raises(ValueError, match=r"^block 5$"):
            run_blocks(block, 1000)
        assert running == 0, "a block was still running when the call returned"
        assert most < 1000 - 1, "blocks went on starting after a failure"


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit, ll.AccuracyWarning])
def test_every_kind_of_exception_reaches_the_caller(threads: int, error: type[BaseException]) -> None:
    main = threading.get_ident()

    def block(i: int) -> None:
        if threads == 1 or threading.get_ident() != main:  # in a worker, where there is one
            raise error("from a block")
        time.sleep(1e-3)

    with ll.num_threads(threads), pytest.raises(error, match="from a block"):
        run_blocks(block, 10_000)


def test_next_call_after_an_error_is_right() -> None:
    def fail(i: int) -> None:
        raise ValueError

    done: list[int] = []
    with ll.num_threads(4):
        with pytest.raises(ValueError):  # noqa: PT011
            run_blocks(fail, 10)
        run_blocks(done.append, 10)
    assert sorted(done) == list(range(10))


def test_errors_leave_no_reference_cycle_to_the_arrays_of_a_block() -> None:
    class Data:
        pass

    def fail_with_data() -> "weakref.ref[Data]":
        data = Data()

        def block(i: int) -> None:
            assert data is not None
            raise ValueError

        with ll.num_threads(3), pytest.raises(ValueError):  # noqa: PT011
            run_blocks(block, 3)
        return weakref.ref(data)

    gc.disable()
    try:
        reference = fail_with_data()
        # Workers let go of a job after the caller has returned; wait for them, not for the collector.
        deadline = time.monotonic() + LIMIT_SECONDS
        while reference() is not None and time.monotonic() < deadline:
            time.sleep(1e-3)
        assert reference() is None
    finally:
        gc.enable()


def test_errstate_of_the_caller_holds_in_workers() -> None:
    wait = meet(4)

    def block(i: int) -> None:
        wait()  # four threads, of which three are workers
        np.log(np.full(3, -1.0))

    with ll.num_threads(4):
        with np.errstate(invalid="ignore"):
            run_blocks(block, 4)
        with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
            run_blocks(block, 4)


# ------------------------------------------------------------------------------------------------ Ctrl-C


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises KeyboardInterrupt, also where the parent process has it ignored (a background job of a shell)."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("threads", [1, 4])
def test_ctrl_c_is_answered_between_blocks_and_the_next_call_is_right(threads: int) -> None:
    running = [0]
    lock = threading.Lock()

    def block(i: int) -> None:
        with lock:
            running[0] += 1
        if i == 20:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(2e-3)
        with lock:
            running[0] -= 1

    count = 10_000  # tens of seconds, unless the interrupt is answered
    with ll.num_threads(threads):
        with pytest.raises(KeyboardInterrupt):
            run_blocks(block, count)
        interrupted = 1 if threads == 1 else running[0]  # the caller's own block may have been cut
        assert running[0] == interrupted <= 1
        done: list[int] = []
        run_blocks(done.append, 100)
    assert sorted(done) == list(range(100))


@pytest.mark.usefixtures("ctrl_c")
def test_repeated_ctrl_c_waits_for_running_blocks() -> None:
    """A caller that waits for a worker is interrupted again and again: the worker's block still ends first."""
    main, ended = threading.get_ident(), []
    worker_runs = threading.Event()

    def block(i: int) -> None:
        if threading.get_ident() == main:
            assert worker_runs.wait(LIMIT_SECONDS)
            return
        worker_runs.set()
        for _ in range(5):
            time.sleep(20e-3)  # the caller has no block left and waits
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20e-3)
        ended.append(i)

    with ll.num_threads(2):
        with pytest.raises(KeyboardInterrupt):
            run_blocks(block, 2)
        assert len(ended) == 1, "the call returned while a block was still running"


# ------------------------------------------------------------------------------------------------ processes and exit

THREADED_SUM = """
import os, sys
import numpy as np
import loglik as ll
from loglik._engine.parallel import run_blocks

def work(threads=3):
    out = np.zeros(1000)
    def block(i):
        ll.ufuncs.exp(np.full(10, i / 100), out=out[10 * i:10 * i + 10])
    with ll.num_threads(threads):
        run_blocks(block, 100)
    return float(out.sum())

expected = work(1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_fork_after_threaded_use() -> None:
    code = (
        THREADED_SUM
        + """
def child(depth):
    good = work() == expected and (depth == 0 or fork(depth - 1))
    return good

def fork(depth):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if child(depth) else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork beside threads, which is the point here
assert work() == expected
print(all(fork(depth) for depth in (0, 1, 2, 0, 0)), work() == expected)
"""
    )
    assert python_output(code) == "True True"


def test_fork_while_other_threads_work() -> None:
    """The first fork falls into the first use of the workers in other threads."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this platform")
    code = (
        THREADED_SUM
        + """
import threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
stop = threading.Event()
def hammer():
    while not stop.is_set():
        work()
threads = [threading.Thread(target=hammer) for _ in range(3)]
for thread in threads: thread.start()
good = True
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() == expected else 1
        finally:
            os._exit(code)
    good &= os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
stop.set()
for thread in threads: thread.join()
print(good)
"""
    )
    assert python_output(code) == "True"


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_multiprocessing_workers(method: str, tmp_path: Path) -> None:
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("no fork on this platform")
    script = tmp_path / "script.py"
    script.write_text(
        THREADED_SUM
        + f"""
import multiprocessing
if __name__ == "__main__":
    assert work() == expected
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(work, [1, 2, 3, 4]) == [expected] * 4)
"""
    )
    assert python_output(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')") == "True"


def test_use_at_interpreter_shutdown() -> None:
    """First use in an atexit handler, use after the pool has closed, and a thread that outlives the main one."""
    code = (
        THREADED_SUM
        + """
import atexit, threading, time
if "warm" in sys.argv:
    work()
atexit.register(lambda: print("atexit", work() == expected, flush=True))
def late():
    threading.main_thread().join()
    print("thread", [work() == expected for _ in range(3)] == [True] * 3, flush=True)
if "thread" in sys.argv:
    threading.Thread(target=late).start()
"""
    )
    for arguments in ([], ["warm"], ["thread"], ["warm", "thread"]):
        process = run_python(code, *arguments)
        assert process.returncode == 0, process.stderr
        assert process.stderr == ""
        lines = process.stdout.split("\n")[:-1]
        assert sorted(lines) == sorted(["atexit True"] + ["thread True"] * ("thread" in arguments))


def test_import_starts_no_thread() -> None:
    assert python_output("import threading; import loglik; print(threading.active_count())") == "1"


def test_first_use_in_a_thread_loads_no_module() -> None:
    """A fork in another thread during an import finds its locks held and its fork hooks registered by half."""
    code = THREADED_SUM + "before = set(sys.modules); work(); print(sorted(set(sys.modules) - before))"
    assert python_output(code) == "[]"


def test_workers_keep_nothing_alive() -> None:
    def use_and_forget() -> "weakref.ref[np.ndarray]":
        array, wait = np.zeros(3), meet(3)

        def block(i: int) -> None:
            wait()
            array[i] = i

        with ll.num_threads(3):
            run_blocks(block, 3)
        return weakref.ref(array)

    alive, end = use_and_forget(), time.monotonic() + LIMIT_SECONDS
    while alive() is not None and time.monotonic() < end:  # a worker may not yet have left its last task
        time.sleep(0.001)
    assert alive() is None


def test_32_hammering_threads() -> None:
    def expected(seed: int) -> list[float]:
        return [math.sqrt(seed * i) for i in range(40)]

    def hammer(seed: int) -> bool:
        for repeat in range(15):
            result = [math.nan] * 40

            def block(i: int, seed: int = seed, result: list[float] = result) -> None:
                result[i] = math.sqrt(seed * i)

            with ll.num_threads(1 + (seed + repeat) % 5):
                run_blocks(block, 40)
            if result != expected(seed):
                return False
        return True

    with concurrent.futures.ThreadPoolExecutor(32) as users:
        assert all(users.map(hammer, range(32), timeout=LIMIT_SECONDS))


# ------------------------------------------------------------------------------------------------ settings


def test_num_threads_is_local_to_the_context() -> None:
    ll.set_num_threads(5)
    with ll.num_threads(2):
        assert ll.get_num_threads() == 2
        with ll.num_threads(3):
            assert ll.get_num_threads() == 3
        assert ll.get_num_threads() == 2
        other: list[int] = []
        thread = threading.Thread(target=lambda: other.append(ll.get_num_threads()))
        thread.start()
        thread.join()
        assert other == [5], "another thread does not see the block"
    assert ll.get_num_threads() == 5


def test_num_threads_is_restored_after_an_exception() -> None:
    before = ll.get_num_threads()
    with pytest.raises(ZeroDivisionError), ll.num_threads(before + 1):
        _ = 1 / 0
    assert ll.get_num_threads() == before


def test_num_threads_holds_in_workers() -> None:
    seen: list[int] = []
    with ll.num_threads(3):
        run_blocks(lambda i: seen.append(ll.get_num_threads()), 12)
    assert seen == [3] * 12


def test_num_threads_in_asyncio_tasks() -> None:
    async def task(n: int) -> list[int]:
        seen = []
        with ll.num_threads(n):
            for _ in range(3):
                await asyncio.sleep(0)  # the other tasks run in between
                seen.append(ll.get_num_threads())
        return seen

    async def gather() -> list[list[int]]:
        return await asyncio.gather(*(task(n) for n in (1, 2, 3)))

    assert asyncio.run(gather()) == [[n] * 3 for n in (1, 2, 3)]


@pytest.mark.parametrize("value", [0, -1, np.int64(0)])
def test_counts_below_one_are_refused(value: int) -> None:
    before = ll.get_num_threads()
    with pytest.raises(ValueError, match=f"set_num_threads: n must be at least 1, got {re.escape(repr(value))}"):
        ll.set_num_threads(value)
    with pytest.raises(ValueError, match="num_threads: n must be at least 1"), ll.num_threads(value):
        pass
    assert ll.get_num_threads() == before


@pytest.mark.parametrize("value", [1.0, "2", None, True, np.array([1, 2]), np.True_, 2j, []])
def test_counts_that_are_not_integers_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="set_num_threads: n must be an integer, got "):
        ll.set_num_threads(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="num_threads: n must be an integer, got "), ll.num_threads(value):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("value", [3, np.int8(3), np.array(3)])
def test_every_kind_of_integer_is_taken(value: int) -> None:
    ll.set_num_threads(value)
    assert ll.get_num_threads() == 3
    assert type(ll.get_num_threads()) is int


PRINT_THREADS = "import loglik as ll; print(ll.get_num_threads())"


@pytest.mark.parametrize(
    ("ours", "openmp", "expected"),
    [("3", None, 3), ("3", "5", 3), (None, "5", 5), (None, "4,2", 4), ("", "6", 6), (" 7 ", None, 7)],
)
def test_environment_variables(ours: str | None, openmp: str | None, expected: int) -> None:
    assert python_output(PRINT_THREADS, LOGLIK_NUM_THREADS=ours, OMP_NUM_THREADS=openmp) == str(expected)


@pytest.mark.parametrize("openmp", [None, "", "many", "0", "-2"])
def test_without_a_usable_variable_the_machine_decides(openmp: str | None) -> None:
    found = int(python_output(PRINT_THREADS, LOGLIK_NUM_THREADS=None, OMP_NUM_THREADS=openmp))
    assert found == parallel._machine_threads()
    assert 1 <= found <= (os.cpu_count() or 1)


@pytest.mark.parametrize("text", ["0", "-1", "two", "2.5", "4,2", "1e3"])
def test_bad_loglik_num_threads_is_an_error_that_names_it(text: str) -> None:
    process = run_python(PRINT_THREADS, LOGLIK_NUM_THREADS=text)
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last == f"ValueError: LOGLIK_NUM_THREADS must be a positive integer, got {text!r}"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this platform")
def test_affinity_limits_the_threads() -> None:
    code = """
        import os
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        import loglik as ll
        print(ll.get_num_threads())
    """
    assert python_output(code, LOGLIK_NUM_THREADS=None, OMP_NUM_THREADS=None) == "1"


@pytest.mark.parametrize(
    ("files", "membership", "expected"),
    [
        ({}, "", math.inf),
        ({"cpu.max": "max 100000\n"}, "0::/\n", math.inf),
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, "0::/a/b\n", 2.0),
        ({"a/b/cpu.max": "300000 100000\n"}, "0::/a/b\n", 3.0),
        ({"cpu.max": "garbage\n"}, "0::/not/there\n", math.inf),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "", math.inf),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "", 0.5),
        ({"cpu/d/cpu.cfs_quota_us": "400000", "cpu/d/cpu.cfs_period_us": "100000"}, "4:cpuset:/x\n3:cpu,io:/d\n", 4.0),
    ],
)  # fmt: skip
def test_control_group_quota(tmp_path: Path, files: dict[str, str], membership: str, expected: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "membership").write_text(membership)
    assert parallel._cgroup_quota(str(tmp_path), str(tmp_path / "membership")) == expected


def test_free_threaded_build_keeps_the_lock_off() -> None:
    """On a build without the GIL, importing the package must not turn it on again."""
    if not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled():
        pytest.skip("this interpreter runs with the GIL")
    assert python_output("import sys, loglik; print(sys._is_gil_enabled())") == "False"
