"""Hashes of the bits of every result, to show that a change of the code changes none.

    python tests/result_hashes.py --save old.json [--level avx2]        # with the old version installed
    python tests/result_hashes.py --compare old.json [--level avx2]     # with the new one: what differs; exit status 1 if anything does

The calls are in `result_cases.py`. One file is for one instruction set (`--level`; by default the best of the machine), one
machine and one version of NumPy; make it anew when the cases change. Needs mpmath, for `registry.py`; the cases of
scikit-learn are there where it is installed.

The file maps the name of each case to a digest of types, shapes and bytes, all NaN taken for the same one, and of
AccuracyWarnings. An exception is a result: its type and message stand in the file as they are. Everything runs with one
thread and with two; results that differ between them are reported and make the exit status 1.
"""

import argparse
import collections
import hashlib
import inspect
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import loglik as ll

THREADS = (1, 2)
SHOWN = 40  # lines of each kind in a comparison
OBJECTS = {
    "FitReport": ("method", "n", "weight", "n_parameters", "log_likelihood", "aic", "bic", "standard_errors"),
    "Estimate": ("value", "stderr", "low", "high", "n", "method", "converged"),
    "MomentStats": ("count", "weight", "mean", "min", "max", "variance"),
}
"""The public attributes of what is no distribution."""


def pieces(value: Any) -> Iterator[bytes]:
    """What a digest is of: a value taken apart into its types and bytes."""
    kind = type(value).__name__
    if isinstance(value, np.ndarray | np.generic):
        array = np.array(value, order="C")
        if array.dtype.kind == "f":
            array[np.isnan(array)] = np.nan
        yield f"{'array' if isinstance(value, np.ndarray) else 'scalar'} {array.dtype.str} {array.shape} ".encode()
        yield array.tobytes()
    elif isinstance(value, tuple | list):
        yield f"{kind} {len(value)} ".encode()
        for part in value:
            yield from pieces(part)
    elif isinstance(value, dict):
        yield f"dict {list(value)} ".encode()
        yield from pieces(list(value.values()))
    elif kind in OBJECTS:
        yield f"{kind} ".encode()
        yield from pieces([attribute(value, name) for name in OBJECTS[kind]])
    elif hasattr(value, "batch_shape"):
        names = [*inspect.signature(type(value)).parameters, "truncated_mass", "dtype", "batch_shape", "event_shape", "fit_report"]
        yield f"{kind} ".encode()
        yield from pieces({name: got for name in names if not callable(got := attribute(value, name))})
    else:
        yield f"{kind} {value!r} ".encode()


def attribute(value: Any, name: str) -> Any:
    """An attribute, or why there is none: the factor of a singular matrix, for example."""
    try:
        return getattr(value, name, None)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def digest(call: Callable[[], Any]) -> str:
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ll.AccuracyWarning)
        try:
            value = call()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        state = hashlib.sha256()
        for piece in pieces([value, [str(warning.message) for warning in caught]]):
            state.update(piece)
    return state.hexdigest()


def digests(part_of_name: str) -> tuple[dict[str, str], list[str]]:
    """From the names of the cases to digests, and the names of those that depend on the number of threads."""
    from result_cases import all_cases

    found: dict[str, str] = {}
    unequal = []
    for name, call in all_cases():
        if part_of_name not in name:
            continue
        if name in found:
            raise ValueError(f"two cases are called {name!r}")
        seen = []
        for threads in THREADS[:1] if name.startswith("ufuncs.") else THREADS:  # a ufunc runs in the calling thread
            with ll.num_threads(threads):
                seen.append(digest(call))
        found[name] = seen[0]
        if len(set(seen)) > 1:
            unequal.append(name)
    return found, unequal


def compare(old: dict[str, str], new: dict[str, str]) -> bool:
    """Print what differs; whether nothing does."""
    common = old.keys() & new.keys()
    changed = [name for name in new if name in common and old[name] != new[name]]
    messages: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
    for name in changed:
        if is_message(old[name]) and is_message(new[name]):
            messages[old[name], new[name]].append(name)
    values = [name for name in changed if not (is_message(old[name]) and is_message(new[name]))]
    listed("differ", [f"{name}{became(old[name], new[name])}" for name in values])
    listed("are missing now", [name for name in old if name not in common])
    listed("are new", [name for name in new if name not in common])
    listed(
        f"errors of {sum(map(len, messages.values()))} cases have another text",
        [f"{names[0]} (and {len(names) - 1} more)\n        {a}\n        {b}" for (a, b), names in messages.items()],
    )
    return not changed and old.keys() == new.keys()


def is_message(result: str) -> bool:
    return ":" in result


def became(old: str, new: str) -> str:
    if not (is_message(old) or is_message(new)):
        return ""
    return f"\n        {old if is_message(old) else 'a value'}\n        {new if is_message(new) else 'a value'}"


def listed(what: str, lines: list[str]) -> None:
    if lines:
        print(f"{len(lines)} {what}")
        for line in lines[:SHOWN]:
            print(f"    {line}")
        if len(lines) > SHOWN:
            print(f"    ... and {len(lines) - SHOWN} more")


def main() -> int:
    parser = argparse.ArgumentParser(description="Hash the bits of every result.")
    parser.add_argument("--save", type=Path, metavar="FILE")
    parser.add_argument("--compare", type=Path, metavar="FILE")
    parser.add_argument("--level", choices=ll.available_isas(), help="instruction set; by default the one in use")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases whose name has this text")
    arguments = parser.parse_args()
    settings = {"LOGLIK_ISA": arguments.level or ll.isa(), "OPENBLAS_NUM_THREADS": "1"}  # both are read when they are loaded
    if not settings.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **settings})

    start = time.monotonic()
    found, unequal = digests(arguments.only)
    print(f"{len(found)} results of loglik {ll.__version__} in {Path(ll.__file__).parent}, {ll.isa()}, {time.monotonic() - start:.0f} s")
    listed("depend on the number of threads", unequal)
    if arguments.save:
        arguments.save.write_text(json.dumps(found, indent=0))
    same = True
    if arguments.compare:
        old = {name: text for name, text in json.loads(arguments.compare.read_text()).items() if arguments.only in name}
        same = compare(old, found)
        print("no difference" if same else "different")
    return 1 if unequal or not same else 0


if __name__ == "__main__":
    sys.exit(main())
