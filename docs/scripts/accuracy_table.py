"""Write docs/results/accuracy.md: for every elementwise kernel of tests/registry.py its bound and the worst error found.

    pip install ".[test]"
    python docs/scripts/accuracy_table.py [--count 2000] [kernel ...]

Arguments are drawn from each domain of the registry (seed 7), results are compared with mpmath at every instruction-set level
of the machine. Levels with the same bits for all of them share a column. It takes about four minutes on two cores; naming
kernels prints their rows instead.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from registry import BY_NAME, KERNELS, mp  # noqa: E402
from test_registry import bits, call, draw, error_in_units  # noqa: E402

import loglik  # noqa: E402
from loglik._kernels import make_ufuncs  # noqa: E402

RESULT = ROOT / "docs" / "results" / "accuracy.md"
TYPES = {"float64": "f64", "float32": "f32"}
Worst = tuple[float, tuple[str, ...]]


def measure(name: str, dtype_name: str, count: int) -> dict[tuple[str, ...], Worst]:
    """Levels with the same bits → the worst error and its arguments."""
    kernel, dtype = BY_NAME[name], np.dtype(dtype_name)
    arguments = draw(kernel, dtype, count * len(kernel.domains), seed=7)
    groups: dict[tuple[bytes, ...], list[str]] = {}
    outputs = {}
    for level in loglik.available_isas():
        outputs[level] = call(make_ufuncs(level)[name], arguments, dtype)
        groups.setdefault(tuple(bits(outputs[level])), []).append(level)
    worst: dict[str, Worst] = {levels[0]: (-1.0, ()) for levels in groups.values()}
    for i in range(len(arguments[0])):
        inputs = [mp.mpf(float(a[i])) for a in arguments]
        exact = kernel.reference(*inputs)
        for level in worst:
            for got, value in zip(outputs[level], exact if isinstance(exact, tuple) else (exact,), strict=True):
                error = error_in_units(kernel, got[i], value, inputs, dtype)
                if error > worst[level][0]:
                    worst[level] = error, tuple(str(a[i]) for a in arguments)
    return {tuple(levels): worst[levels[0]] for levels in groups.values()}


def _measure(task: tuple[str, str, int]) -> dict[tuple[str, ...], Worst]:
    return measure(*task)


def row(name: str, dtype: str, found: dict[tuple[str, ...], Worst], columns: list[tuple[str, ...]]) -> str:
    kernel = BY_NAME[name]
    cells = [f"`{name}`", dtype, f"{kernel.ulp[TYPES[dtype]]:g} {'ulp' if kernel.terms is None else 'u·Σ'}"]
    for column in columns:
        levels = next(levels for levels in found if column[0] in levels)
        error, arguments = found[levels]
        text = f"{error:.2f}" if error <= kernel.ulp[TYPES[dtype]] else f"**{error:.2f}**"  # bold: beyond the bound
        cells += [text, f"`{', '.join(arguments)}`"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*", help="these only; the result is printed")
    parser.add_argument("--count", type=int, default=2000, help="arguments from each domain")
    options = parser.parse_args()
    tasks = [(name, dtype, options.count) for name in options.kernels or [k.name for k in KERNELS] for dtype in TYPES]
    with ProcessPoolExecutor() as pool:
        results = list(pool.map(_measure, tasks))

    # Columns: levels that agree in every bit everywhere.
    columns: list[tuple[str, ...]] = []
    for level in loglik.available_isas():
        for i, column in enumerate(columns):
            if all(any({level, *column} <= set(levels) for levels in found) for found in results):
                columns[i] = (*column, level)
                break
        else:
            columns.append((level,))
    titles = ["kernel", "type", "bound"]
    for column in columns:
        titles += [f"worst: {', '.join(column)}", "at"]
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|" + "---:|---|" * len(columns)]
    lines += [row(name, dtype, found, columns) for (name, dtype, _), found in zip(tasks, results, strict=True)]
    text = "\n".join(lines) + "\n"
    if options.kernels:
        print(text, end="")
        return
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        f"<!-- made by docs/scripts/accuracy_table.py --count {options.count}, loglik {loglik.__version__} -->\n\n{text}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
