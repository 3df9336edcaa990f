"""What was built: symbols of the objects, of the library and the extension module, libraries, files, size, import."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from c_api_tools import declared_functions, other_functions
from subprocess_tools import python_output

import loglik as ll
from loglik import _kernels

ROOT = Path(__file__).parents[1]
PACKAGE = [Path(folder) for folder in ll.__path__]  # an editable install has two
EXTENSIONS = sorted(
    file for folder in PACKAGE for file in folder.glob("_*" + (sysconfig.get_config_var("EXT_SUFFIX") or ".so"))
)
LIBRARY = Path(ll.show_config("dicts")["library"])  # type: ignore[index]
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_nm = pytest.mark.skipif(not shutil.which("nm"), reason="no nm")
needs_readelf = pytest.mark.skipif(
    not shutil.which("readelf") or not sys.platform.startswith("linux"), reason="no readelf, or no ELF"
)


def lines(*command: object) -> list[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True
    ).stdout.splitlines()


def level_flags() -> dict[str, list[str]]:
    """Flags of each level of this build, from their only home, CMakeLists.txt."""
    text = (ROOT / "CMakeLists.txt").read_text()
    found = dict(re.findall(r"^  loglik_level\((\w+) *([^)]*)\)", text, re.MULTILINE))
    return {name: [flag for flag in found[name].split() if flag.startswith("-")] for name in _kernels.compiled_isas()}


# ------------------------------------------------------------------------------------------------ objects


def built_object(level: str, source: str) -> Path | None:
    """The object of a build in this tree, if there is one that is newer than every source."""
    newest = max(file.stat().st_mtime for file in (ROOT / "csrc").rglob("*.[ch]"))
    for cache in (ROOT / "build").glob("*/CMakeCache.txt"):
        target = cache.parent / "CMakeFiles" / f"loglik_{level}.dir" / "csrc" / f"{source}.o"
        if "LOGLIK_PYTHON:BOOL=ON" in cache.read_text() and target.exists() and target.stat().st_mtime > newest:
            return target
    return None


def compiled_object(level: str, source: str, target: Path) -> Path:
    if COMPILER is None:
        pytest.skip("no build folder and no C compiler")
    flags = ["-std=gnu11", "-O0", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno"]
    includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    subprocess.run(
        [
            COMPILER,
            *flags,
            *level_flags()[level],
            f"-DLOGLIK_LEVEL={level}",
            *includes,
            "-c",
            str(ROOT / "csrc" / source),
            "-o",
            str(target),
        ],
        check=True,
    )
    return target


@needs_nm
@pytest.mark.parametrize("source,table", [("kernels_f64.c", ""), ("kernels_f32.c", "_f32")])
@pytest.mark.parametrize("level", _kernels.compiled_isas())
def test_an_object_exports_its_table_and_nothing_else(level: str, source: str, table: str, tmp_path: Path) -> None:
    """Two objects with other flags must not share a symbol: the linker could keep the one that does not run here."""
    target = built_object(level, source) or compiled_object(level, source, tmp_path / f"{level}.o")
    symbols = [line.split() for line in lines("nm", target)]
    exported = [(kind, name) for *_, kind, name in symbols if kind.isupper() and kind != "U"]
    assert [name for _, name in exported] == [f"loglik_kernels_{level}{table}"]
    assert exported[0][0] in "DR", "a data symbol"
    assert not [name for *_, kind, name in symbols if kind in "VWvwu"], "no weak or unique symbols"
    needed = {name for *_, kind, name in symbols if kind == "U"} - {f"loglik_kernels_{level}_f32"}
    by_compiler = {"memcpy", "memset", "memmove", "memcmp", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
    # Scratch of the generalised ufuncs, whose loops are given none; scalar mathematics of the log-determinant.
    assert needed <= by_compiler | {"posix_memalign", "malloc", "free", "frexp", "log", "sqrt", "sqrtf"}


# ------------------------------------------------------------------------------------------------ library, extension module

BINARIES = [*EXTENSIONS, LIBRARY]
binaries = pytest.mark.parametrize("file", BINARIES, ids=lambda file: file.name.split(".")[0])


def test_there_is_one_extension_module_and_one_library_beside_it() -> None:
    assert {file.name.split(".")[0] for file in EXTENSIONS} == {"_kernels"}
    assert {file for folder in PACKAGE for file in folder.rglob("*.so*")} == {*BINARIES}
    assert LIBRARY.parent == EXTENSIONS[0].parent


@needs_nm
def test_the_extension_module_exports_its_initialisation_only() -> None:
    exported = [line.split()[-1] for line in lines("nm", "-D", "--defined-only", EXTENSIONS[0])]
    assert exported == ["PyInit__kernels"]


@needs_nm
def test_the_library_exports_what_is_documented_and_what_the_module_needs() -> None:
    exported = [line.split()[-1] for line in lines("nm", "-D", "--defined-only", LIBRARY)]
    internal = {"cpu_name", "find_level", "level_available", "level_in_use", "levels", "ufunc_count", "ufunc_infos"}
    assert set(exported) == {f"loglik_{name}" for name in internal} | set(declared_functions()) | other_functions()


@needs_nm
@binaries
def test_binaries_are_stripped(file: Path) -> None:
    assert lines("nm", file) == []


@needs_readelf
@binaries
def test_binaries_need_the_c_library_only(file: Path) -> None:
    """No OpenMP (a second runtime beside another package's), no BLAS, no C++; our library is found beside the module only."""
    text = "\n".join(lines("readelf", "-d", file))
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", text))
    others = {name for name in needed if not re.match(r"(libc|libm|libpthread|ld-linux[-\w]*)\.(so|musl)", name)}
    assert others == (set() if file == LIBRARY else {LIBRARY.name})
    assert re.findall(r"(?:RPATH|RUNPATH).*\[(.*)\]", text) == ([] if file == LIBRARY else ["$ORIGIN"])
    assert "TEXTREL" not in text


def test_installed_size() -> None:
    files = {*BINARIES}
    for folder in PACKAGE:  # of an editable install it holds what is not installed, too
        found = (f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
        files |= {f for f in found if f.suffix not in (".pyx", ".pxi", ".c") and not f.match("_*.pxd")}
    assert sum(file.stat().st_size for file in files) <= 8_000_000


# ------------------------------------------------------------------------------------------------ files and version


def test_typed() -> None:
    names = {file.name for folder in PACKAGE for file in folder.iterdir()}
    assert "py.typed" in names
    assert "ufuncs.pyi" in names
    assert "c_api.pxd" in names
    for file in EXTENSIONS:
        assert file.name.split(".")[0] + ".pyi" in names


def test_stub_of_the_kernels_is_current() -> None:
    path = ROOT / "csrc" / "tools" / "make_ufuncs_stub.py"
    specification = importlib.util.spec_from_file_location("make_ufuncs_stub", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert module.STUB.read_text() == module.stub_text(), f"run python {path.relative_to(ROOT)}"


def test_version_has_one_home() -> None:
    assert importlib.metadata.version("loglik") == ll.__version__
    # A version in tests/ would be found by this test itself; documents may tell of other versions.
    files = [
        ROOT / "pyproject.toml",
        ROOT / "CMakeLists.txt",
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "csrc").rglob("*.[ch]"),
    ]
    homes = [file.name for file in files if f'"{ll.__version__}"' in file.read_text()]
    assert homes == ["__init__.py"]


def test_include_directory_has_the_header() -> None:
    assert (Path(ll.get_include()) / "loglik" / "loglik.h").is_file()


@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_public_header_compiles_alone(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    kind, standard = ("cpp", "c++17") if "++" in compiler else ("c", "c11")
    source = tmp_path / f"use.{kind}"
    source.write_text("#include <loglik/loglik.h>\nloglik_loop loop;\n")
    subprocess.run(
        [compiler, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{ll.get_include()}",
         "-fsyntax-only", str(source)],
        check=True,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ import


def test_subnormal_numbers_survive_import() -> None:
    code = """
        import numpy as np
        tiny = np.array([5e-324, 1e-310])
        import loglik
        loglik.ufuncs.exp(tiny)
        print((tiny * 1.0 != 0).all(), float(tiny[0]) / 1.0 != 0.0, np.float32(1e-45) * np.float32(1) != 0)
    """
    assert python_output(code) == "True True True"


def test_import_loads_nothing_optional() -> None:
    code = """
        import sys
        import numpy
        before = set(sys.modules)
        import loglik
        new = {name.split(".")[0] for name in set(sys.modules) - before}
        print(sorted(new - set(sys.stdlib_module_names) - {"loglik", "numpy"}))
        slow = {"concurrent.futures", "multiprocessing", "asyncio", "argparse", "unittest", "json", "csv"}
        print(sorted(slow & (set(sys.modules) - before)))
    """
    others, slow = python_output(code).splitlines()
    # cython_runtime and the module of its shared types appear with every Cython module.
    loaded = [name for name in eval(others) if "cython" not in name.lower()]
    # An editable install needs the finder that its build backend put into the environment.
    assert [name for name in loaded if not name.startswith("_loglik_editable")] == []
    assert slow == "[]"
