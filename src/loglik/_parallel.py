"""Threads of the facade: fixed blocks of work, fanned out over a pool.

Design
- Kernels release the GIL and know nothing of threads. A facade function cuts large work into blocks whose
  boundaries depend on the problem alone, so results have the same bits for any number of threads.
- The caller takes blocks too, from a counter that it shares with the workers. It can always finish alone: nested
  calls, busy pools and pools that are shutting down cannot deadlock it.
- When a block raises (a signal handler's KeyboardInterrupt included), no further block starts, running ones end, and
  the first exception is raised in the caller.
- Workers run in a copy of the caller's context, so that ``np.errstate`` and ``num_threads`` hold there.
- The pool is made on first use and dropped in a forked child, whose threads do not exist.
"""

import contextlib
import contextvars
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["get_num_threads", "num_threads", "run_blocks", "set_num_threads"]

# Below about a millisecond of work, waking a thread costs more than it saves.
SERIAL_BELOW_SECONDS = 1e-3

_context_threads: contextvars.ContextVar[int | None] = contextvars.ContextVar("loglik_num_threads", default=None)
_process_threads: int | None = None  # by set_num_threads; None: not set
_default_threads: int | None = None  # found on first use

_pool: "ThreadPoolExecutor | None" = None
_pool_size = 0
_pool_lock = threading.Lock()


def _threads_from_environment() -> int | None:
    for name in ("LOGLIK_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "").strip()
        if not text:
            continue
        first = text.split(",")[0]  # OMP_NUM_THREADS may list one number per nesting level
        if first.isdecimal() and int(first) > 0:
            return int(first)
        if name.startswith("LOGLIK"):
            raise ValueError(f"{name} must be a positive integer, got {text!r}")
    return None


def _cgroup_quota() -> float:
    """CPUs that the container's quota allows; infinity without one."""
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as file:
            micros = int(file.read())
        with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
            return micros / int(file.read()) if micros > 0 else math.inf
    return math.inf


def _machine_threads() -> int:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cpus, _cgroup_quota())))


def _check_count(n: int) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"num_threads: n must be an integer, got {n!r}")
    n = n.__index__()
    if n < 1:
        raise ValueError(f"num_threads: n must be at least 1, got {n}")
    return n


def get_num_threads() -> int:
    """Number of threads that a large call may use.

    In this order: the innermost ``num_threads`` block, ``set_num_threads``, the environment variables
    ``LOGLIK_NUM_THREADS`` and ``OMP_NUM_THREADS``, the CPUs that affinity and cgroup quota allow.
    Results do not depend on it.
    """
    global _default_threads
    n = _context_threads.get() or _process_threads
    if n is None:
        if _default_threads is None:
            _default_threads = _threads_from_environment() or _machine_threads()
        n = _default_threads
    return n


def set_num_threads(n: int) -> None:
    """Set the number of threads for the process.

    Parameters
    ----------
    n : int
        At least 1. With 1, everything runs in the calling thread.

    Raises
    ------
    ValueError
        If `n` is below 1.
    TypeError
        If `n` is not an integer.
    """
    global _process_threads
    _process_threads = _check_count(n)


@contextlib.contextmanager
def num_threads(n: int) -> Iterator[None]:
    """Context manager: at most `n` threads inside the block, in this thread or task only.

    Examples
    --------
    >>> import loglik as ll
    >>> with ll.num_threads(1):
    ...     ll.get_num_threads()
    1
    """
    token = _context_threads.set(_check_count(n))
    try:
        yield
    finally:
        _context_threads.reset(token)


def _get_pool(workers: int) -> "ThreadPoolExecutor":
    """The shared pool, with at least `workers` threads."""
    global _pool, _pool_size
    with _pool_lock:
        if _pool is None or _pool_size < workers:
            from concurrent.futures import ThreadPoolExecutor  # not at import: it costs milliseconds

            old = _pool
            _pool, _pool_size = ThreadPoolExecutor(workers, thread_name_prefix="loglik"), workers
            if old is not None:
                old.shutdown(wait=False)
        return _pool


def _drop_pool() -> None:
    global _pool, _pool_size, _pool_lock
    _pool, _pool_size, _pool_lock = None, 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_pool)


def run_blocks(function: Callable[[int], object], count: int, *, seconds: float = math.inf) -> None:
    """Call ``function(i)`` for every i in range(count), in any order and possibly at the same time.

    Parameters
    ----------
    function : callable
        Does one block; it should hold the GIL briefly and take 0.2 to 10 ms, so that Ctrl-C is answered between blocks.
    count : int
        Number of blocks.
    seconds : float
        Estimate of the whole work; below about a millisecond it is done in the calling thread.
    """
    threads = min(get_num_threads(), count) if seconds >= SERIAL_BELOW_SECONDS else 1
    if threads <= 1:
        for i in range(count):
            function(i)
        return

    take = itertools.count().__next__  # atomic under the GIL; see _Counter for builds without it
    if not _gil_enabled():
        take = _Counter().take
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set() and (i := take()) < count:
            try:
                function(i)
            except BaseException:
                stop.set()
                raise

    futures = []
    # A pool that is shutting down (interpreter exit) takes no work: the caller does it alone.
    with contextlib.suppress(RuntimeError):
        pool = _get_pool(threads - 1)
        for _ in range(threads - 1):
            futures.append(pool.submit(contextvars.copy_context().run, work))
    try:
        work()
    except BaseException:
        stop.set()
        _finish(futures, raise_first=False)
        raise
    _finish(futures, raise_first=True)


def _finish(futures: list, *, raise_first: bool) -> None:
    """Wait for the workers that started; one that is still queued has nothing left to do and is cancelled."""
    running = [future for future in futures if not future.cancel()]
    errors = [error for future in running if (error := future.exception()) is not None]
    if raise_first and errors:
        raise errors[0]


def _gil_enabled() -> bool:
    import sys

    return getattr(sys, "_is_gil_enabled", lambda: True)()


class _Counter:
    def __init__(self) -> None:
        self._next, self._lock = 0, threading.Lock()

    def take(self) -> int:
        with self._lock:
            i = self._next
            self._next += 1
            return i
