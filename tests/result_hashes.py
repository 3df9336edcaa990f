"""Hashes of the bits of every result, to show that a change of the code changes none.

    python tests/result_hashes.py --level avx2 --output old.json        # with the old version on PYTHONPATH
    python tests/result_hashes.py --level avx2 --output new.json        # with the new one
    python tests/result_hashes.py --compare old.json new.json           # the names of the calls that differ, in groups

What differs can then be measured: `--compare old.json new.json --names differ.json` writes the names, and
`--level avx2 --names differ.json --values old.npz` runs those calls and keeps their numbers, once with each version;
`--compare old.json new.json --values old.npz new.npz` adds the largest difference in units in the last place, and where it is.

The calls are in `result_cases.py`. One file is for one instruction set (`--level` sets LOGLIK_ISA), one machine and one version
of NumPy; make it anew when the cases change. Needs mpmath, for `registry.py`; the cases of scikit-learn are there where it is
installed. `--threads 2` runs everything with two threads: the hashes of one thread are to come out.

A file maps the name of each case to a digest of types, shapes and bytes, all NaN taken for the same one, and of
AccuracyWarnings. An exception is a result: its type and message stand in the file as they are. The exit status of a comparison
is 1 if anything differs.
"""

import argparse
import collections
import contextlib
import hashlib
import inspect
import json
import os
import re
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import loglik as ll

SHOWN = 12  # names of each group in a comparison
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
        names = [
            *inspect.signature(type(value)).parameters,
            "truncated_mass",
            "dtype",
            "batch_shape",
            "event_shape",
            "fit_report",
        ]
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


def result(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """What a call returns, with the texts of its AccuracyWarnings, or what it raises."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ll.AccuracyWarning)
        try:
            value = call()
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"
        return [value, [str(warning.message) for warning in caught]], None


def digest(call: Callable[[], Any]) -> str:
    value, message = result(call)
    if message is not None:
        return message
    state = hashlib.sha256()
    for piece in pieces(value):
        state.update(piece)
    return state.hexdigest()[:32]


def numbers(value: Any) -> Iterator[np.ndarray]:
    """The floating arrays that a digest is of, in the same order."""
    kind = type(value).__name__
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind == "f":
            yield np.asarray(value)
    elif isinstance(value, float):
        yield np.asarray(value)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, dict):
        yield from numbers(list(value.values()))
    elif kind in OBJECTS:
        yield from numbers([attribute(value, name) for name in OBJECTS[kind]])
    elif hasattr(value, "batch_shape"):
        yield from numbers([attribute(value, name) for name in (*inspect.signature(type(value)).parameters, "truncated_mass")])


def cases(wanted: Callable[[str], bool], every: int = 1) -> Iterator[tuple[str, Callable[[], Any]]]:
    from result_cases import all_cases

    names: set[str] = set()
    for name, call in all_cases():
        if name in names:
            raise ValueError(f"two cases are called {name!r}")
        names.add(name)
        if zlib.crc32(name.encode()) % every == 0 and wanted(name):
            yield name, call


# ------------------------------------------------------------------------------------------------ comparing

Values = dict[str, list[np.ndarray]]


def compare(old: dict[str, str], new: dict[str, str], values: tuple[Values, Values] | None) -> list[str]:
    """Print what differs, in groups; the names."""
    common = old.keys() & new.keys()
    changed = [name for name in new if name in common and old[name] != new[name]]
    groups: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    for name in changed:
        messages = [text if is_message(text) else "a value" for text in (old[name], new[name])]
        groups["values" if messages == ["a value"] * 2 else f"{messages[0]}  ->  {messages[1]}", group(name)].append(name)
    for (what, where), names in sorted(groups.items(), key=lambda item: (item[0][0] != "values", item[0])):
        print(f"{len(names):5} {where}: {what}")
        for name in names[:SHOWN]:
            print(f"          {name}{size(name, values)}")
        if len(names) > SHOWN:
            print(f"          ... and {len(names) - SHOWN} more{largest(names, values)}")
    for what, missing in (("only in the old file", old.keys() - common), ("only in the new file", new.keys() - common)):
        if missing:
            print(f"{len(missing):5} {what}, for example {min(missing)}")
    print(f"{len(changed)} of {len(common)} results differ")
    return changed


def is_message(text: str) -> bool:
    return ":" in text


def group(name: str) -> str:
    """A name without its arguments, numbers and dtypes."""
    while name != (name := re.sub(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|'[^']*'", "", name)):
        pass
    words = [word for word in re.split(r"[\s,]+", name) if not re.search(r"\d|=|^(plain|number|edges|large|integers)$", word)]
    return " ".join(words[:3])


def units(old: Any, new: Any) -> tuple[float, int, str]:
    """The largest difference of two arrays of one dtype in units in the last place, how many differ, and the worst pair."""
    integer = {2: np.int16, 4: np.int32, 8: np.int64}[old.dtype.itemsize]

    def ordered(a: np.ndarray) -> np.ndarray:
        bits = np.ascontiguousarray(a).view(integer).astype(object if integer is np.int64 else np.int64)
        return np.where(bits < 0, np.iinfo(integer).min - bits, bits)

    old, new = old.reshape(-1), new.reshape(-1)
    differ = ~((old == new) & (np.signbit(old) == np.signbit(new)) | np.isnan(old) & np.isnan(new))
    if not differ.any():
        return 0.0, 0, ""
    old, new = old[differ], new[differ]
    distance = np.abs(ordered(old) - ordered(new)).astype(float)
    distance[~(np.isfinite(old) & np.isfinite(new))] = np.inf
    worst = int(np.argmax(distance))
    return float(distance[worst]), len(old), f"at {np.flatnonzero(differ)[worst]}: {old[worst]!r} -> {new[worst]!r}"


def size(name: str, values: tuple[Values, Values] | None) -> str:
    if values is None or any(name not in side for side in values):
        return ""
    a, b = (side[name] for side in values)
    if [(v.shape, v.dtype) for v in a] != [(v.shape, v.dtype) for v in b]:
        return "\n              " + "  ->  ".join(", ".join(f"{v.dtype}{v.shape}" for v in side)[:100] for side in (a, b))
    found = [units(*pair) for pair in zip(a, b, strict=True)]
    ulp, _, where = max(found, key=lambda part: part[0], default=(0.0, 0, ""))
    if not where:
        return "\n              no floating value differs"
    return f"\n              {ulp:.3g} ulp, {sum(part[1] for part in found)} of {sum(v.size for v in a)}, {where}"


def largest(names: list[str], values: tuple[Values, Values] | None) -> str:
    """The largest difference of all of the names, infinities apart."""
    if values is None:
        return ""
    both = [name for name in names if all(name in side for side in values)]
    found = [
        units(a, b)[0]
        for name in both
        for a, b in zip(*(side[name] for side in values), strict=False)
        if (a.shape, a.dtype) == (b.shape, b.dtype)
    ]
    finite = [ulp for ulp in found if np.isfinite(ulp)]
    return f"; at most {max(finite, default=0.0):.3g} ulp, {len(found) - len(finite)} times to or from an infinity or NaN"


def load_values(path: Path) -> Values:
    with np.load(path) as file:
        names = json.loads(str(file["names"]))
        return {name: [file[f"{i}.{k}"] for k in range(count)] for i, (name, count) in enumerate(names)}


# ------------------------------------------------------------------------------------------------ the command


def run(arguments: argparse.Namespace) -> None:
    wanted = set(json.loads(arguments.names.read_text())) if arguments.names else None
    start, found = time.monotonic(), {}
    arrays: dict[str, np.ndarray] = {}
    counts: list[tuple[str, int]] = []
    with ll.num_threads(arguments.threads):
        for name, call in cases(lambda name: arguments.only in name and (wanted is None or name in wanted), arguments.every):
            if arguments.values:
                with contextlib.suppress(TypeError):
                    parts = list(numbers(result(call)[0]))
                    arrays |= {f"{len(counts)}.{k}": part for k, part in enumerate(parts)}
                    counts.append((name, len(parts)))
            else:
                found[name] = digest(call)
    if arguments.values:
        np.savez_compressed(arguments.values[0], names=json.dumps(counts), **arrays)  # type: ignore[arg-type]
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=0))
    where = f"loglik {ll.__version__} in {Path(ll.__file__).parent}"
    print(f"{len(found) or len(counts)} results of {where}, {ll.isa()}, {time.monotonic() - start:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description="Hash the bits of every result.")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the hashes go (JSON)")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="FILE", help="two such files, to say what differs")
    parser.add_argument("--values", type=Path, nargs="+", metavar="FILE", help="where the numbers go (npz); two to compare")
    parser.add_argument(
        "--names", type=Path, metavar="FILE", help="names of cases (JSON): written by --compare, otherwise the cases to run"
    )
    parser.add_argument("--level", choices=ll.available_isas(), help="instruction set; by default the one in use")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one case of N, for a quick look")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases whose name has this text")
    arguments = parser.parse_args()
    if arguments.compare:
        old, new = (
            {n: text for n, text in json.loads(path.read_text()).items() if arguments.only in n} for path in arguments.compare
        )
        values = (load_values(arguments.values[0]), load_values(arguments.values[1])) if arguments.values else None
        changed = compare(old, new, values)
        if arguments.names:
            arguments.names.write_text(json.dumps(changed, indent=0))
        return 1 if changed else 0
    settings = {"LOGLIK_ISA": arguments.level or ll.isa(), "OPENBLAS_NUM_THREADS": "1"}  # both are read when they are loaded
    if not settings.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **settings})
    run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
