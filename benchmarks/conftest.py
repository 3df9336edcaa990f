"""pytest-benchmark over the cases of loglik.bench: each file takes the families that its `FAMILIES` names."""

import os
from collections.abc import Callable

import pytest

from loglik._engine.parallel import num_threads
from loglik.bench import Case, Problem, all_cases

QUICK = os.environ.get("LOGLIK_BENCH_QUICK", "") not in {"", "0"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    families = metafunc.module.FAMILIES
    cases = [case for case in all_cases(quick=QUICK) if case.name.split(".")[0] in families]
    ids = [f"{case.name}-{case.dtype}-{'x'.join(map(str, case.shape))}" for case in cases]
    metafunc.parametrize("case", cases, ids=ids, scope="module")


@pytest.fixture(scope="module")
def problem(case: Case) -> Problem:
    made = case.build()
    error = made.error(made.run())
    assert error <= made.tolerance, f"wrong result: error {error} {case.unit}"
    return made


@pytest.fixture
def measure(benchmark: Callable, case: Case) -> Callable:
    """Times a function on one thread, in the group of its case."""
    benchmark.group = f"{case.name} {case.dtype} {case.shape}"

    def run(function: Callable[[], object]) -> None:
        with num_threads(1):
            benchmark(function)

    return run
