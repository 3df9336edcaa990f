"""Threads of the facade: fixed blocks of work, fanned out over worker threads.

Design
- Kernels release the GIL and know nothing of threads. A facade function cuts large work into blocks whose
  boundaries depend on the problem alone, so results have the same bits for any number of threads.
- The caller takes blocks too, from a counter that it shares with the workers. It can always finish alone: nested
  calls, busy workers and a system that refuses threads cannot deadlock it.
- A worker that arrives after the caller has closed the job does nothing, so the caller waits for blocks that have
  started and never for the queue.
- When a block raises (a signal handler's KeyboardInterrupt included), no further block starts and running ones end
  before the call returns: nobody writes to the caller's arrays afterwards. Blocks are taken in order, so the failing
  block with the lowest index has always run: its exception is raised, the same one for any number of threads.
- Workers run in a copy of the caller's context, so that ``np.errstate`` and ``num_threads`` hold there.
- Workers start on first use, and anew in a forked child, where they do not exist. They are daemon threads of our own:
  importing `concurrent.futures` (and `logging` with it) on first use registers what a fork does, and a fork in another
  thread at that moment runs half of it.
"""

import contextlib
import contextvars
import functools
import math
import operator
import os
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

__all__ = ["get_num_threads", "in_order", "num_threads", "run_blocks", "set_num_threads"]

# Below about a millisecond of work, waking a thread costs more than it saves.
SERIAL_BELOW_SECONDS = 1e-3

_context_threads: contextvars.ContextVar[int | None] = contextvars.ContextVar("loglik_num_threads", default=None)
_process_threads: int | None = None  # by set_num_threads; None: not set
_default_threads: int | None = None  # found on first use

_tasks: "SimpleQueue[Callable[[], object]]" = SimpleQueue()  # what the workers take
_workers = 0  # threads that serve it
_workers_lock = threading.RLock()  # a signal handler may come here, too


def _threads_from_environment() -> int | None:
    text = os.environ.get("LOGLIK_NUM_THREADS", "").strip()
    if text:
        if not (text.isdecimal() and int(text) > 0):
            raise ValueError(f"LOGLIK_NUM_THREADS must be a positive integer, got {text!r}")
        return int(text)
    # Not ours: may list one number per nesting level, and a value that we cannot read is not our error.
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def _quota(directory: str) -> float:
    """CPUs that the quota of one control group allows (version 2, then version 1); infinity without one."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        with open(f"{directory}/cpu.max") as file:
            quota, period = file.read().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        with open(f"{directory}/cpu.cfs_quota_us") as file:
            micros = int(file.read())
        with open(f"{directory}/cpu.cfs_period_us") as file:
            return micros / int(file.read()) if micros > 0 else math.inf
    return math.inf


def _cgroup_quota(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> float:
    """CPUs that the quotas of this process's control group and of its ancestors allow; infinity without one."""
    quota = min(_quota(root), _quota(f"{root}/cpu"))
    with contextlib.suppress(OSError), open(membership) as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            base = f"{root}/cpu" if controllers else root
            while path.strip("/"):
                quota = min(quota, _quota(base + path))
                path = os.path.dirname(path)
    return quota


def _machine_threads() -> int:
    if hasattr(os, "process_cpu_count"):  # Python 3.13: affinity, and -X cpu_count
        cpus = os.process_cpu_count() or 1
    else:
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cpus, _cgroup_quota())))


def _check_count(function: str, n: int) -> int:
    try:
        count = operator.index(n)
    except TypeError:
        count = None
    if count is None or isinstance(n, bool):
        raise TypeError(f"{function}: n must be an integer, got {n!r}")
    if count < 1:
        raise ValueError(f"{function}: n must be at least 1, got {n!r}")
    return count


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
    _process_threads = _check_count("set_num_threads", n)


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
    token = _context_threads.set(_check_count("num_threads", n))
    try:
        yield
    finally:
        _context_threads.reset(token)


def _serve(tasks: "SimpleQueue[Callable[[], object]]") -> None:
    """What a worker runs. It keeps no reference to a task that it has done, nor to the arrays of it."""
    while True:
        tasks.get()()


def _need_workers(count: int) -> int:
    """Start workers until there are `count`; how many of them there are, fewer where the system refuses a thread."""
    global _workers
    with _workers_lock, contextlib.suppress(RuntimeError):  # "can't start new thread", also at interpreter shutdown
        while _workers < count:
            threading.Thread(target=_serve, args=(_tasks,), name=f"loglik_{_workers}", daemon=True).start()
            _workers += 1
    return min(_workers, count)


def _forget_workers() -> None:
    """In a forked child the workers do not exist, and locks may be held by nobody."""
    global _tasks, _workers, _workers_lock
    _tasks, _workers, _workers_lock = SimpleQueue(), 0, threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


class _Job:
    """Blocks of one call: who takes which, who is still at work, and what went wrong.

    Built on bare locks: `with` on one cannot be split by a signal handler's exception, as a condition variable can.
    """

    def __init__(self, function: Callable[[int], object], count: int) -> None:
        self._function, self._count = function, count
        self._lock = threading.Lock()  # guards what follows
        self._next = 0  # the next block; at least `count` when no further block may start
        self._running = 0  # helpers that have entered and not left
        self._closed = False  # no helper may enter
        self._errors: list[tuple[int, BaseException]] = []
        self._all_left = threading.Lock()  # held until the last helper leaves a closed job
        self._all_left.acquire()

    def _take(self) -> int:
        with self._lock:
            i = self._next
            self._next += 1
            return i

    def _fail(self, i: int, error: BaseException) -> None:
        with self._lock:
            self._errors.append((i, error))
            self._next = self._count

    def work(self) -> None:
        """Do blocks until there are none."""
        while (i := self._take()) < self._count:
            try:
                self._function(i)
            except Exception as error:
                self._fail(i, error)

    def help(self) -> None:
        """What a worker runs; nothing if it comes too late."""
        with self._lock:
            if self._closed:
                return
            self._running += 1
        try:
            self.work()
        except BaseException as error:  # SystemExit and the like, which must not vanish in the worker
            self._fail(-1, error)
        finally:
            with self._lock:
                self._running -= 1
                last = self._closed and self._running == 0
            if last:
                self._all_left.release()

    def close(self) -> None:
        """Start no further block and wait until the running ones have ended, however often Ctrl-C is pressed."""
        interrupt: BaseException | None = None
        while True:
            try:
                with self._lock:
                    self._closed, self._next = True, self._count
                    running = self._running
                if running:
                    self._all_left.acquire()
                break
            except BaseException as error:  # from a signal handler: nothing else raises here
                interrupt = error
        if interrupt is not None:
            raise interrupt

    def raise_first(self) -> None:
        """Raise the exception of the failing block with the lowest index, if any failed."""
        if self._errors:
            error = min(self._errors, key=operator.itemgetter(0))[1]
            try:
                raise error
            finally:  # its traceback refers to this frame and to the arrays of the block: leave no cycle
                self._errors.clear()
                del error


def run_blocks(function: Callable[[int], object], count: int, *, seconds: float = math.inf) -> None:
    """Call ``function(i)`` for every i in range(count), in any order and possibly at the same time.

    Returns when every block has ended. If blocks raise, no further ones start and the exception of the one with the
    lowest index is raised; an exception that a signal handler raises in the caller (Ctrl-C) goes first.

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

    job = _Job(function, count)
    try:
        for _ in range(_need_workers(threads - 1)):
            _tasks.put(functools.partial(contextvars.copy_context().run, job.help))
        job.work()
    finally:
        job.close()
    job.raise_first()


def in_order(function: Callable[[int], Any], count: int, most: int, *, seconds: float = math.inf) -> Iterator[Any]:
    """``function(i)`` for i = 0, 1, ..., in this order: computed `most` at a time by `run_blocks`, so that no more are in memory.

    For results that are joined one after the other, or are too large to keep. `seconds` is of the whole work.
    """
    for first in range(0, count, most):
        results: list[Any] = [None] * min(most, count - first)

        def one(i: int, first: int = first, results: list[Any] = results) -> None:
            results[i] = function(first + i)

        run_blocks(one, len(results), seconds=seconds * len(results) / count)
        while results:
            yield results.pop(0)
