"""The examples of the README and of the pages run and print what it says; its commands name what exists."""

import doctest
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def text() -> str:
    return README.read_text(encoding="utf-8")


def test_example_runs(text):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    examples = doctest.DocTestParser().get_doctest(text, {}, "README.md", str(README), 0)
    assert len(examples.examples) >= 10
    failures: list[str] = []
    runner.run(examples, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_examples_of_the_pages_run(page):
    needs = {"c-api": ["numba", "cffi"], "interop": ["dask", "pandas", "polars", "xarray", "array_api_strict"]}
    for package in needs.get(page.stem, [page.stem] if page.stem in ("jax", "sklearn", "torch") else []):
        pytest.importorskip(package)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    examples = doctest.DocTestParser().get_doctest(page.read_text(encoding="utf-8"), {}, page.name, str(page), 0)
    failures: list[str] = []
    runner.run(examples, out=failures.append)
    assert not failures, "".join(failures)


def test_example_is_short(text):
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    assert len(block.group(1).splitlines()) <= 25


def test_commands_name_what_exists(text):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "loglik" in project["scripts"]
    assert ".venv/bin/loglik tour" in text
    for extra in re.findall(r"\.\[(\w+)\]", text):
        assert extra in project["optional-dependencies"]


def test_links_to_files_are_not_broken(text):
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / target).exists(), target
