"""The documentation names everything that is public, and lists the examples that there are (building it is `.ci/run docs`)."""

import ast
import sys
from pathlib import Path

import pytest

import loglik as ll

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))


@pytest.fixture(scope="module")
def api_pages():
    sys.path.insert(0, str(DOCS / "scripts"))
    try:
        import api_pages as module
    finally:
        sys.path.pop(0)
    return module


def test_every_public_name_is_in_the_api_reference(api_pages):
    groups, left = api_pages.grouped()
    assert not left
    listed = [name for names in groups.values() for name in names]
    sections = [module.__name__.removeprefix("loglik.") for module in api_pages.modules()]
    assert sorted([*listed, *sections, "ufuncs"]) == sorted(ll.__all__)


def test_every_kernel_is_in_the_api_reference(api_pages):
    assert {f"kernels/{name}.rst" for name in ll.ufuncs.__all__} < set(api_pages.pages())


def test_every_page_is_listed():
    """In a table of contents: Sphinx would warn, but only when it is run."""
    contents = "\n".join((DOCS / name).read_text(encoding="utf-8") for name in ("index.md", "guide.md", "development.md"))
    lines = {line.strip() for line in contents.splitlines()}
    for page in DOCS.glob("*.md"):
        assert page.stem in lines | {"index"}, f"{page.name} is in no table of contents of index.md, guide.md or development.md"


def test_every_decision_is_listed():
    folder = DOCS / "decisions"
    lines = {line.strip() for line in (folder / "index.md").read_text(encoding="utf-8").splitlines()}
    pages = {page.stem for page in folder.glob("*.md")} - {"index"}
    assert pages
    assert pages <= lines, f"not in the table of contents of decisions/index.md: {sorted(pages - lines)}"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_are_short_and_say_what_they_show(file):
    text = file.read_text(encoding="utf-8")
    title, rule, *_ = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert len(title) == len(rule)
    assert len(text.splitlines()) <= 90


def test_the_order_of_the_gallery_names_examples():
    tree = ast.parse((DOCS / "conf.py").read_text(encoding="utf-8"))
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    order = ast.literal_eval(assigned["ORDER"])
    assert set(order) == {file.stem.removeprefix("plot_") for file in EXAMPLES}
