"""Public names only grow: what `public_names.json` lists is still there, and means the same.

The list is made by `public_names.py`, which says how.
"""

import base64
import ctypes
import json
import pickle
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import public_names
import pytest

import loglik as ll

LIST: dict[str, Any] = json.loads((Path(__file__).parent / "public_names.json").read_text())
SOURCE = (public_names.ROOT / "csrc").is_dir()
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_source = pytest.mark.skipif(not SOURCE, reason="needs the source tree")
POSITIONAL = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")


def grown(old: Any, new: Any) -> str:
    """Why the new signature does not accept every call of the old one; empty if it does."""
    if not isinstance(old, list) or not isinstance(new, list):
        return "" if old == new else f"{old!r} became {new!r}"
    here = {name: (kind, default) for name, kind, default in new}
    for name, kind, default in old:
        if here.get(name) != (kind, default):
            return f"{name}: {(kind, default)} became {here.get(name, 'nothing')}"
    positional = [[name for name, kind, _ in side if kind in POSITIONAL] for side in (old, new)]
    if positional[1][: len(positional[0])] != positional[0]:
        return f"positional arguments {positional[0]} became {positional[1]}"
    known = {name for name, _, _ in old}
    required = [name for name, kind, default in new if name not in known and default is None and not kind.startswith("VAR")]
    return f"{required} must be given now" if required else ""


@pytest.mark.parametrize(
    ("old", "new", "good"),
    [
        ([["x", "POSITIONAL_OR_KEYWORD", None]], [["x", "POSITIONAL_OR_KEYWORD", None], ["n", "KEYWORD_ONLY", "1"]], True),
        ([["x", "POSITIONAL_OR_KEYWORD", None]], [["x", "POSITIONAL_OR_KEYWORD", None], ["n", "KEYWORD_ONLY", None]], False),
        ([["x", "POSITIONAL_OR_KEYWORD", None]], [["x", "POSITIONAL_ONLY", None]], False),
        ([["x", "KEYWORD_ONLY", "1"]], [["x", "KEYWORD_ONLY", "2"]], False),
        ([["x", "KEYWORD_ONLY", "1"]], [], False),
        (
            [["x", "POSITIONAL_OR_KEYWORD", "1"], ["y", "POSITIONAL_OR_KEYWORD", "1"]],
            [["y", "POSITIONAL_OR_KEYWORD", "1"], ["x", "POSITIONAL_OR_KEYWORD", "1"]],
            False,
        ),
        ("attribute", [], False),
    ],
)
def test_what_an_addition_is(old: Any, new: Any, good: bool) -> None:
    assert (grown(old, new) == "") is good


def test_names() -> None:
    here = public_names.modules()
    for module, names in LIST["modules"].items():
        if module in here or module != "loglik.sklearn":
            assert set(names) <= set(here.get(module, ())), module


def test_signatures() -> None:
    here = public_names.signatures()
    if SOURCE:
        here |= public_names.written_signatures(public_names.ROOT / "src" / "loglik" / "torch.py")
    imported = tuple(f"{module}." for module in public_names.modules()) + (("loglik.torch.",) if SOURCE else ())
    wrong = {}
    for name, old in LIST["signatures"].items():
        optional = name.startswith(("loglik.sklearn.", "loglik.torch."))
        if not optional or name.startswith(tuple(m for m in imported if m != "loglik.")):
            wrong[name] = grown(old, here.get(name))
    assert not {name: reason for name, reason in wrong.items() if reason}


def test_attributes_of_objects() -> None:
    here = public_names.attributes()
    missing = {name: set(old) - set(here[name]) for name, old in LIST["attributes"].items()}
    assert not {name: names for name, names in missing.items() if names}


def test_ufuncs() -> None:
    here = public_names.ufuncs()
    for name, old in LIST["ufuncs"].items():
        types = here[name].pop("types")
        assert set(old.pop("types")) <= set(types), name
        assert here[name] == old, name


PICKLES = [(section, name) for section in ("pickles", "earlier pickles") for name in LIST[section]]


@pytest.mark.parametrize(("section", "name"), PICKLES)
def test_pickles_can_be_read(section: str, name: str) -> None:
    stored = LIST[section][name]
    value = pickle.loads(base64.b64decode(stored["bytes"]))
    if name.startswith("loglik."):
        assert value is getattr(ll.ufuncs if name.startswith("loglik.ufuncs.") else ll, name.rsplit(".", 1)[1])
        return
    again = public_names.OBJECTS[name]()
    assert type(value) is type(again)
    assert repr(value) == repr(again) == stored["repr"]
    if type(value).__eq__ is not object.__eq__:
        assert value == again


# ------------------------------------------------------------------------------------------------ C and Cython


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return ctypes.CDLL(public_names.library())


@pytest.mark.parametrize("symbol", LIST["symbols"])
def test_symbols(library: ctypes.CDLL, symbol: str) -> None:
    assert getattr(library, symbol)


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
def test_header(tmp_path: Path) -> None:
    """What was declared may be declared again: a compiler refuses another type. Constants keep their values."""
    lines = ["#include <loglik/loglik.h>", "#include <assert.h>"]
    # A typedef that differs is an error as a repeated declaration (C11) is none.
    lines += [f"{declaration};" for declaration in LIST["header"]["declarations"]]
    lines += [f'static_assert({name} == {value}, "{name}");' for name, value in LIST["header"]["constants"].items()]
    file = tmp_path / "names.c"
    file.write_text("\n".join([*lines, ""]))
    command = [str(COMPILER), "-std=c11", "-fsyntax-only", "-I", ll.get_include(), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file.write_text("\n".join([*lines, "int loglik_softplus_f64(int);", ""]))
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0  # the compiler does look


def test_include() -> None:
    for name in LIST["include"]:
        assert (Path(ll.get_include()) / name).is_file()


@needs_source
def test_cython_declarations() -> None:
    assert set(LIST["pxd"]) <= set(public_names.pxd(public_names.ROOT))


@needs_source
def test_pkg_config() -> None:
    here = public_names.pkg_config(public_names.ROOT)
    for name, words in LIST["pkg_config"].items():
        assert set(words) <= set(here[name]), name


def test_the_list_is_whole() -> None:
    """A list that was made without some part would compare nothing."""
    assert set(LIST) == {*public_names.SECTIONS, "earlier pickles"}
    for section in LIST.values():
        assert section
    assert len(LIST["pickles"]) > len(LIST["ufuncs"]) + len(public_names.OBJECTS)
    assert {f"loglik.ufuncs.{name}" for name in LIST["ufuncs"]} <= set(LIST["earlier pickles"])
    assert {"loglik.sklearn.GaussianMixture", "loglik.torch.mvn_log_prob", "loglik.Normal.log_prob"} <= set(LIST["signatures"])
    assert np.all([f"loglik_mvn_log_prob_{t}" in LIST["symbols"] for t in ("f32", "f64")])
