"""Which rows of `loglik bench` one version does slower than another.

    python benchmarks/compare.py OLD NEW [--rows WORDS] [--runs 3] [--threads 1] [--json FILE]

OLD and NEW are wheels, or folders that hold an installed `loglik`. Both are measured by this Python, with its NumPy. WORDS select
rows as `loglik bench --filter` does; all rows take about ten minutes.

Each version runs in a process of its own, which loads its own benchmarks, builds a row's problem and times it on request. The two
take turns, so that both see the same machine, and the minimum of 7 turns counts. That is done for each row in each run; a run
starts new processes, because the place of code and arrays in memory is luck that lasts as long as a process.

A row is slower if it is slower in every run: by more than 5 %, and for a call under 20 µs by more than 5 % or 0.3 µs, whichever
is larger. Rows that only one version has, and rows that cannot be built for want of a library, are listed. The exit status is 1
if a row is slower.
"""

import argparse
import contextlib
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TURNS = 7
SHORTEST = 500e-6  # seconds; shorter calls are repeated inside one measurement
SHARE, SHORT_CALL, SHORT_SLACK = 0.05, 20e-6, 0.3e-6
LONG_TURNS, LONG_ROW = 3, 0.5  # a call of half a second has less noise than three of its turns cost time
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Key = tuple[str, str, tuple[int, ...]]


def slower(old: float, new: float) -> bool:
    """The rule, for the seconds of one call."""
    slack = SHARE * old
    if old < SHORT_CALL:
        slack = max(slack, SHORT_SLACK)
    return new - old > slack


# ------------------------------------------------------------------------------------------------ the process that measures


def serve(threads: int) -> None:
    """Answer requests: one line of JSON in, one out. Only what bench modules of every version have is used."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a benchmark prints is no reply
    import loglik as ll
    from loglik.bench import all_cases
    from loglik.bench.runner import SelfTimed

    cases = {(case.name, case.dtype, case.shape): case for case in all_cases()}
    run: Any = None

    def once(repeats: int) -> float:
        if isinstance(run, SelfTimed):
            return run.seconds()
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        return (time.perf_counter() - start) / repeats

    ll.set_num_threads(threads)
    gc.disable()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "list":
                reply: Any = [[name, dtype, shape] for name, dtype, shape in cases]
            elif request["do"] == "build":
                run = None
                gc.collect()
                name, dtype, shape = request["key"]
                run = cases[name, dtype, tuple(shape)].build().run
                reply = once(1)
                if reply < LONG_ROW:  # it also warmed up
                    reply = once(1)
            else:
                reply = once(request["repeats"])
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


class Version:
    """One installed version: its folder, and its process while one runs."""

    def __init__(self, folder: Path, threads: int) -> None:
        paths = [str(folder.resolve()), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | dict.fromkeys(THREADS, str(threads)) | {"PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, __file__, "--serve", "--threads", str(threads)]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )

    def ask(self, do: str, **request: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("compare: a measuring process has ended; its message is above")
        return json.loads(line)

    def keys(self) -> list[Key]:
        return [(name, dtype, tuple(shape)) for name, dtype, shape in self.ask("list")]

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@contextlib.contextmanager
def both(folders: tuple[Path, Path], threads: int) -> Iterator[tuple[Version, Version]]:
    versions = (Version(folders[0], threads), Version(folders[1], threads))
    try:
        yield versions
    finally:
        for version in versions:
            version.close()


# ------------------------------------------------------------------------------------------------ the comparison


def measure(versions: tuple[Version, Version], key: Key, first: int) -> tuple[float, float] | str:
    """Seconds of one call with the old and the new version, or why there are none. `first` begins; turns alternate."""
    estimates = [version.ask("build", key=key) for version in versions]
    for estimate in estimates:
        if isinstance(estimate, dict):
            return str(estimate["error"])
    longest = max(*estimates, 1e-9)
    repeats = max(1, math.ceil(SHORTEST / longest))
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(LONG_TURNS if longest > LONG_ROW else TURNS):
        for which in ((first + turn) % 2, (first + turn + 1) % 2):
            seconds[which].append(versions[which].ask("time", repeats=repeats))
    return min(seconds[0]), min(seconds[1])


def compare(
    folders: tuple[Path, Path], words: str | None, runs: int, threads: int
) -> dict[Key, list[tuple[float, float] | str]]:
    found: dict[Key, list[tuple[float, float] | str]] = {}
    for run in range(runs):
        with both(folders, threads) as versions:
            old, new = (dict.fromkeys(version.keys()) for version in versions)
            if run == 0:
                for what, missing in (("old", [k for k in old if k not in new]), ("new", [k for k in new if k not in old])):
                    for key in missing:
                        print(f"only the {what} version has {label(key)}")
            keys = [key for key in new if key in old and selected(key, words)]
            if not keys:
                raise SystemExit(f"compare: no common row matches {words!r}")
            for i, key in enumerate(keys):
                result = measure(versions, key, run + i)
                found.setdefault(key, []).append(result)
                print(f"run {run + 1}  {i + 1:3}/{len(keys)}  {label(key):<58} {shown(result)}", flush=True)
    return found


def selected(key: Key, words: str | None) -> bool:
    if not words:
        return True
    alternatives = [part.split() for part in words.lower().split(",") if part.strip()]
    return any(all(word in f"{key[0]} {key[1]}" for word in part) for part in alternatives)


def label(key: Key) -> str:
    name, dtype, shape = key
    return f"{name} {dtype} {'x'.join(map(str, shape))}"


def shown(result: tuple[float, float] | str) -> str:
    if isinstance(result, str):
        return result
    old, new = result
    return f"{old * 1e6:11.2f} µs {new * 1e6:11.2f} µs  {new / old - 1:+7.1%}{'  slower' if slower(old, new) else ''}"


def folder(path: Path, scratch: Path) -> Path:
    """Where to import loglik from: a wheel is unpacked."""
    if path.is_file():
        zipfile.ZipFile(path).extractall(scratch)
        path = scratch
    if not (path / "loglik" / "__init__.py").is_file():
        raise SystemExit(f"compare: {path} is no wheel and has no loglik")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare two versions of loglik over the rows of its benchmark.")
    parser.add_argument("versions", type=Path, nargs="*", metavar="WHEEL-OR-FOLDER")
    parser.add_argument("--rows", metavar="WORDS", help="as loglik bench --filter: 'mvn float64, dice'")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the seconds of every row and run")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.threads)
        return 0
    if len(arguments.versions) != 2:
        parser.error("two versions are needed, the old one first")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        old, new = (folder(path, Path(scratch) / str(i)) for i, path in enumerate(arguments.versions))
        found = compare((old, new), arguments.rows, arguments.runs, arguments.threads)
    if arguments.json:
        rows = [{"name": k[0], "dtype": k[1], "shape": k[2], "runs": results} for k, results in found.items()]
        arguments.json.write_text(json.dumps(rows, indent=1))
    worse = {}
    for key, results in found.items():
        pairs = [result for result in results if not isinstance(result, str)]
        if len(pairs) == len(results) and all(slower(*pair) for pair in pairs):
            worse[key] = pairs
    print(f"\n{len(found)} rows, {arguments.runs} runs, {time.monotonic() - start:.0f} s; {len(worse)} slower")
    for key, pairs in worse.items():
        ratios = "  ".join(f"{new / old - 1:+.1%}" for old, new in pairs)
        print(f"{label(key):<58} {ratios}   {min(old for old, _ in pairs) * 1e6:.2f} µs")
    for key, results in found.items():
        for reason in {result for result in results if isinstance(result, str)}:
            print(f"not measured: {label(key)}: {reason}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
