"""Instruction-set levels: listed, chosen at import, forced by LOGLIK_ISA, refused in clear words."""

import platform
import shutil
import subprocess

import numpy as np
import pytest
from subprocess_tools import python_output, run_python

import loglik as ll
from loglik import _kernels

X86_LEVELS = ["avx512", "avx2", "baseline"]


def test_levels_of_this_build() -> None:
    expected = X86_LEVELS if platform.machine().lower() in ("x86_64", "amd64") else ["neon"]
    assert _kernels.compiled_isas() == expected
    assert ll.available_isas() == [name for name in expected if name in ll.available_isas()]
    assert ll.available_isas()[-1] == expected[-1], "the last level needs nothing"


def test_the_best_level_is_taken_by_default() -> None:
    assert python_output("import loglik as ll; print(ll.isa())", LOGLIK_ISA=None) == ll.available_isas()[0]
    assert python_output("import loglik as ll; print(ll.isa())", LOGLIK_ISA="") == ll.available_isas()[0]


@pytest.mark.parametrize("level", ll.available_isas())
def test_forced_level_is_the_one_in_use(level: str) -> None:
    code = """
        import loglik as ll, numpy as np
        print(ll.isa(), ll.show_config("dicts")["isa"], float(ll.ufuncs.exp(np.ones(9))[4]))
    """
    in_use, shown, value = python_output(code, LOGLIK_ISA=level).split()
    assert in_use == shown == level
    # The level is what runs, not only what is reported.
    assert float(value) == _kernels.make_ufuncs(level)["exp"](np.ones(9))[4]


@pytest.mark.parametrize("name", ["sse9", "AVX2", " ", "avx2 ", "avx", "é"])
def test_unknown_level_is_an_import_error_that_lists_the_choice(name: str) -> None:
    process = run_python("import loglik", LOGLIK_ISA=name)
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: LOGLIK_ISA=")
    assert "not an instruction-set level" in last
    assert ", ".join(ll.available_isas()) in last


def check_lacking_level(process: subprocess.CompletedProcess[str], lacking: str) -> None:
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: LOGLIK_ISA={lacking!r} needs ")
    assert "which this machine lacks" in last


@pytest.mark.parametrize("lacking", [name for name in _kernels.compiled_isas() if name not in ll.available_isas()])
def test_level_that_the_machine_lacks_is_an_import_error(lacking: str) -> None:
    check_lacking_level(run_python("import loglik", LOGLIK_ISA=lacking), lacking)


@pytest.mark.skipif(
    _kernels.compiled_isas() != X86_LEVELS or not shutil.which("qemu-x86_64"), reason="needs x86-64 and qemu-x86_64"
)
def test_processor_without_avx() -> None:
    """On an emulated processor of 2008 the package falls back to baseline and refuses the other levels."""
    emulator = ("qemu-x86_64", "-cpu", "Nehalem")
    code = "import loglik as ll; print(ll.isa(), ll.available_isas(), ll.ufuncs.exp(0.0))"
    process = run_python(code, launcher=emulator, LOGLIK_ISA=None)
    assert process.stdout.strip() == "baseline ['baseline'] 1.0", process.stderr
    for lacking in ("avx2", "avx512"):
        check_lacking_level(run_python("import loglik", launcher=emulator, LOGLIK_ISA=lacking), lacking)


def test_properties_of_the_levels() -> None:
    bits = {"baseline": 128, "neon": 128, "avx2": 256, "avx512": 512}
    for name in ll.available_isas():
        properties = _kernels.level_properties(name)
        assert properties["name"] == name
        assert properties["vector_bits"] == bits[name]
        assert properties["fma"] == (name != "baseline")
        assert properties["description"]


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    configuration = ll.show_config("dicts")
    assert configuration is not None
    assert configuration["loglik"] == ll.__version__
    assert configuration["isa"] == ll.isa()
    assert configuration["available_isas"] == ll.available_isas()
    assert configuration["threads"] == ll.get_num_threads()
    assert configuration["compiler"].split()[0] in ("gcc", "clang")
    assert ll.show_config() is None
    printed = capsys.readouterr().out
    for name in configuration:
        assert name in printed
    with pytest.raises(ValueError, match=r"show_config: mode must be .* got 'yaml'"):
        ll.show_config("yaml")  # type: ignore[arg-type]
