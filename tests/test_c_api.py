"""The C API as the installed library has it, through ctypes, cffi and numba: the bits of the Python functions.

Layouts, sizes, bad arguments, levels and threads: csrc/tests/test_c_api.c. The examples in C and Cython: .ci/check_examples.py.
"""

import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from c_api_tools import declared_functions, other_functions
from subprocess_tools import python_output, run_python

import loglik as ll
from loglik.cli import main

ROOT = Path(__file__).parents[1]
LIBRARY = ll.show_config("dicts")["library"]  # type: ignore[index]
FUNCTIONS = declared_functions()
ELEMENTWISE = ("softplus", "sigmoid", "log_sigmoid")
ELEMENTWISE += ("normal_log_prob", "bernoulli_nll", "gaussian_nll", "normal_kl", "bernoulli_kl")
MATRICES = ("cholesky", "mvn_log_prob", "mvn_log_prob_shared")
IN_PLACE = [Path(folder) for folder in ll.__path__] == [ROOT / "src" / "loglik"]  # not installed, not editable either
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class Library:
    """Functions of libloglik for arrays: pointers are taken from arrays, whose strides are passed as they are."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(LIBRARY)
        self.library.loglik_version.restype = self.library.loglik_isa.restype = ctypes.c_char_p
        for name, parameters in FUNCTIONS.items():
            kinds = {"ptrdiff_t": ctypes.c_ssize_t, "double": ctypes.c_double}
            getattr(self.library, name).argtypes = [kinds.get(c_type, ctypes.c_void_p) for c_type, _ in parameters]

    def __call__(self, name: str, dtype: np.dtype, *arguments: object) -> int:
        function = f"loglik_{name}_f{8 * dtype.itemsize}"
        values = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        return int(getattr(self.library, function)(*values))


@pytest.fixture(scope="module")
def c():
    return Library()


# ------------------------------------------------------------------------------------------------ declarations


def test_what_is_declared() -> None:
    expected = {f"loglik_{name}_{t}" for name in (*ELEMENTWISE, *MATRICES, "bernoulli_nll_sum") for t in ("f64", "f32")}
    assert set(FUNCTIONS) == expected
    assert other_functions() == {"loglik_version", "loglik_isa", "loglik_find_loop"}


def test_the_declarations_for_cython_are_those_of_the_header() -> None:
    text = re.sub(r"\n\s{8,}", " ", (ROOT / "src" / "loglik" / "c_api.pxd").read_text())
    found = {
        name: [re.sub(r"\s+", " ", kind.strip()) for kind in parameters.split(",")]
        for name, parameters in re.findall(r"int (loglik_\w+_f\d\d)\(([^)]*)\)", text)
    }
    expected = {name: [kind.replace("ptrdiff_t", "Py_ssize_t") for kind, _ in FUNCTIONS[name]] for name in FUNCTIONS}
    assert found == expected
    assert all(name in text for name in other_functions())


def test_version_and_level(c: Library) -> None:
    assert c.library.loglik_version().decode() == ll.__version__
    assert c.library.loglik_isa().decode() == ll.isa()


# ------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("n", [0, 1, 7, 1000])
def test_elementwise_functions_have_the_bits_of_the_ufuncs(c: Library, name: str, n: int, dtype: np.dtype) -> None:
    rng = np.random.default_rng(n)
    count = len(FUNCTIONS[f"loglik_{name}_f64"]) // 2 - 1
    inputs = [rng.normal(0.5, 1.0, (n, 2)).astype(dtype)[:, 0] for _ in range(count)]
    for x in inputs:
        x[n // 3 : n // 2] = rng.choice([0, 1, -0.0, np.inf, -np.inf, np.nan, 1e-30], n // 2 - n // 3)
    out = np.empty(n, dtype)
    arguments = [part for x in inputs for part in (x, 2)]
    with np.errstate(invalid="ignore"):
        expected = getattr(ll.ufuncs, name)(*inputs)
    assert c(name, dtype, n, *arguments, out, 1) == 0
    assert out.tobytes() == expected.tobytes()
    shared = [part for x in inputs for part in (x[-1:], 0)]  # one value for all
    if n:
        with np.errstate(invalid="ignore"):
            expected = getattr(ll.ufuncs, name)(*(x[-1] for x in inputs))
        assert c(name, dtype, n, *shared, out, 1) == 0
        assert out.tobytes() == np.full(n, expected, dtype).tobytes()


@pytest.mark.parametrize("n", [0, 1, 33, 1000, 65536])
@pytest.mark.parametrize("weighted", [False, True])
def test_sum_of_losses_has_the_bits_of_the_loss(c: Library, n: int, weighted: bool, dtype: np.dtype) -> None:
    rng = np.random.default_rng(n)
    targets, logits = rng.integers(0, 2, n).astype(dtype), rng.normal(0, 5, n).astype(dtype)
    weights = rng.integers(0, 3, n).astype(dtype) if weighted else None
    total, gradient = np.empty(1), np.empty(n, dtype)
    assert c("bernoulli_nll_sum", dtype, n, targets, logits, weights, 1.0, total, gradient) == 0
    expected, slope = ll.bernoulli_nll(targets, logits=logits, weights=weights, reduction="sum", wrt="logits")
    assert total.astype(dtype)[0] == expected
    assert gradient.tobytes() == slope.tobytes()
    assert c("bernoulli_nll_sum", dtype, n, targets, logits, weights, 1.0, total, None) == 0
    assert total.astype(dtype)[0] == ll.bernoulli_nll(targets, logits=logits, weights=weights, reduction="sum")


@pytest.mark.parametrize("d", [1, 3, 8, 9, 40])
def test_matrix_functions_have_the_bits_of_the_ufuncs(c: Library, d: int, dtype: np.dtype) -> None:
    n = 35
    rng = np.random.default_rng(d)
    factor = rng.normal(size=(n, d, d)) + 3 * np.eye(d)
    covariance = (factor @ factor.swapaxes(1, 2)).astype(dtype)
    x, loc = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(n, d)).astype(dtype)
    covariance[4, -1, -1] = -1
    covariance[20, 0, 0] = np.nan
    out, values, info = np.empty((n, d, d), dtype), np.empty(n, dtype), np.empty(n, "i4")
    with np.errstate(invalid="ignore"):
        factors, status = ll.ufuncs.cholesky(covariance)
        each, each_status = ll.ufuncs.mvn_log_prob(x, loc, covariance)
    assert c("cholesky", dtype, n, d, covariance, d * d, out, d * d, info) == status[4] == d
    assert info.tobytes() == status.tobytes()
    assert out.tobytes() == factors.tobytes()
    assert c("mvn_log_prob", dtype, n, d, x, d, loc, d, covariance, d * d, values, 1, info) == d
    assert info.tobytes() == each_status.tobytes()
    assert values.tobytes() == each.tobytes()
    for m, expected_status in ((0, 0), (4, d), (20, -1)):
        with np.errstate(invalid="ignore"):
            shared, _ = ll.ufuncs.mvn_log_prob_shared(x, loc[0], covariance[m])
        assert c("mvn_log_prob_shared", dtype, n, d, x, d, loc, covariance[m], values, 1) == expected_status
        assert values.tobytes() == shared.tobytes()


# ------------------------------------------------------------------------------------------------ the level, the library

WITHOUT_PYTHON_PACKAGE = """
    import ctypes, sys
    library = ctypes.CDLL(sys.argv[1])
    library.loglik_isa.restype = ctypes.c_char_p
    value = ctypes.c_double(0)
    status = library.loglik_softplus_f64(ctypes.c_ssize_t(1), ctypes.byref(value), ctypes.c_ssize_t(1),
                                         ctypes.byref(value), ctypes.c_ssize_t(1))
    print((library.loglik_isa() or b"none").decode(), status, value.value > 0.6)
"""


def test_the_library_alone_takes_the_level_that_python_takes() -> None:
    assert python_output(WITHOUT_PYTHON_PACKAGE, LIBRARY, LOGLIK_ISA=None) == f"{ll.available_isas()[0]} 0 True"
    for level in ll.available_isas():
        assert python_output(WITHOUT_PYTHON_PACKAGE, LIBRARY, LOGLIK_ISA=level) == f"{level} 0 True"
    assert python_output(WITHOUT_PYTHON_PACKAGE, LIBRARY, LOGLIK_ISA="sse9") == "none -11 False"


def test_python_and_the_library_are_one_process_of_one_level() -> None:
    """What was set when the first of them was asked is what holds for both."""
    level = ll.available_isas()[-1]
    code = """
        import ctypes, os, sys
        library = ctypes.CDLL(sys.argv[1])
        library.loglik_isa.restype = ctypes.c_char_p
        os.environ["LOGLIK_ISA"] = sys.argv[2]
        library.loglik_isa()
        os.environ["LOGLIK_ISA"] = ""
        import loglik
        print(loglik.isa(), library.loglik_isa().decode())
    """
    assert python_output(code, LIBRARY, level, LOGLIK_ISA=None) == f"{level} {level}"


@pytest.mark.skipif(COMPILER is None or not sys.platform.startswith("linux"), reason="no C compiler, or not ELF")
def test_another_library_of_that_name_is_refused(tmp_path: Path) -> None:
    """A program that embeds Python may have loaded a library of another version, which the loader then takes for ours."""
    (tmp_path / "other.c").write_text("""
        const char *loglik_version(void) { return "0.0"; }
        const char *const loglik_levels[1], *const loglik_ufunc_infos[1];
        const int loglik_ufunc_count;
        void loglik_cpu_name(void) {} void loglik_find_level(void) {} void loglik_level_available(void) {}
        void loglik_level_in_use(void) {}
    """)
    other = tmp_path / "libloglik.so"
    command = [str(COMPILER), "-shared", "-fPIC", "-Wl,-soname,libloglik.so", "-o", str(other), str(tmp_path / "other.c")]
    subprocess.run(command, check=True)
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL); import loglik"
    last = run_python(code, str(other)).stderr.strip().splitlines()[-1]
    assert last == f"ImportError: libloglik 0.0 was loaded before; {ll.__version__} is needed"


# ------------------------------------------------------------------------------------------------ the command, compilers


def test_options_for_compilers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--cflags", "--libs"]) == 0
    include, library, name, *_ = shlex.split(capsys.readouterr().out)
    assert include == f"-I{ll.get_include()}"
    assert (library, name) == (f"-L{Path(LIBRARY).parent}", "-lloglik")
    assert Path(LIBRARY).parent == Path(ll.get_include()).parent
    assert main(["info", "--cflags"]) == 0
    assert capsys.readouterr().out == f"{shlex.quote(include)}\n"


@pytest.mark.skipif(COMPILER is None or not shutil.which("make"), reason="no C compiler or no make")
def test_the_c_example_is_built_with_these_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(os.path.abspath, sys.path)))  # make works in another directory
    for file in (ROOT / "examples" / "c").iterdir():
        shutil.copy(file, tmp_path)
    subprocess.run(["make", "-s", "-C", tmp_path, f"PYTHON={sys.executable}", "CFLAGS=-Wall -Wextra -Werror"], check=True)
    lines = subprocess.run([tmp_path / "score"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == f"loglik {ll.__version__} with {ll.isa()}"
    assert [float(line.split()[-1]) for line in lines[1:5]] == ll.ufuncs.mvn_log_prob_shared(
        [[0, 0], [1, 1], [-1, 2], [3, 0.5]], [0.5, 0.5], [[2, 0.6], [0.6, 1]]
    )[0].tolist()


@pytest.mark.skipif(IN_PLACE, reason="run from the source tree, which has no static library")
@pytest.mark.skipif(COMPILER is None or sys.platform == "win32", reason="no C compiler, or one with other options")
def test_the_static_library_of_the_package_makes_a_program_that_needs_no_other(tmp_path: Path) -> None:
    """With the options of loglik.pc, which pkg-config would print."""
    folder = Path(ll.get_include()).parent / "lib" / "pkgconfig"
    text = (folder / "loglik.pc").read_text()
    prefix = re.findall("^prefix=(.*)$", text, re.MULTILINE)[0].replace("${pcfiledir}", str(folder))
    fields = dict(re.findall(r"^(\w+): (.*)$", text.replace("${prefix}", prefix), re.MULTILINE))
    assert fields["Version"] == ll.__version__
    source, program = ROOT / "examples" / "c" / "score.c", tmp_path / "score"
    command = [str(COMPILER), *shlex.split(fields["Cflags"]), str(source), *shlex.split(fields["Libs"]), "-o", str(program)]
    subprocess.run(command, check=True)
    lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == f"loglik {ll.__version__} with {ll.isa()}"
    values, _ = ll.ufuncs.mvn_log_prob_shared([[0, 0], [1, 1], [-1, 2], [3, 0.5]], [0.5, 0.5], [[2, 0.6], [0.6, 1]])
    assert [float(line.split()[-1]) for line in lines[1:5]] == values.tolist()
    # Linked in, not loaded: the loader finds no libloglik in this process.
    assert b"libloglik.so" not in program.read_bytes()


# ------------------------------------------------------------------------------------------------ numba, cffi


def test_numba_calls_kernels_in_parallel() -> None:
    numba = pytest.importorskip("numba")
    library = Library().library
    nll, mvn = library.loglik_bernoulli_nll_sum_f32, library.loglik_mvn_log_prob_shared_f64

    @numba.njit(parallel=True)
    def losses(targets, logits, weights, sums, gradients):
        failed = 0
        for i in numba.prange(len(logits)):
            arrays = targets[i].ctypes, logits[i].ctypes, weights.ctypes
            status = nll(logits.shape[1], arrays[0], arrays[1], arrays[2], 1.0, sums[i:].ctypes, gradients[i].ctypes)
            failed += status != 0
        return failed

    @numba.njit
    def density(x, loc, covariance):
        out = np.empty(len(x))
        return mvn(len(x), x.shape[1], x.ctypes, x.shape[1], loc.ctypes, covariance.ctypes, out.ctypes, 1), out

    rng = np.random.default_rng(0)
    targets, logits = rng.integers(0, 2, (40, 784)).astype("f4"), rng.normal(0, 4, (40, 784)).astype("f4")
    weights, sums, gradients = np.ones(784, "f4"), np.empty(40), np.empty((40, 784), "f4")
    assert losses(targets, logits, weights, sums, gradients) == 0
    expected, slopes = ll.bernoulli_nll(targets, logits=logits, reduction="sum", axis=-1, wrt="logits")
    assert np.array_equal(sums.astype("f4"), expected)
    assert np.array_equal(gradients, slopes)
    targets[3, 7] = 2
    assert losses(targets, logits, weights, sums, gradients) == 1

    x, loc, covariance = rng.normal(size=(100, 3)), np.zeros(3), np.eye(3) + 1
    status, values = density(x, loc, covariance)
    assert status == 0
    assert np.array_equal(values, ll.ufuncs.mvn_log_prob_shared(x, loc, covariance)[0])
    assert density(x, loc, -covariance)[0] == 1


def test_cffi_calls_functions_and_loops() -> None:
    cffi = pytest.importorskip("cffi")
    ffi = cffi.FFI()
    ffi.cdef("""
        typedef void (*loglik_loop)(char **args, const ptrdiff_t *dims, const ptrdiff_t *steps, void *data);
        loglik_loop loglik_find_loop(const char *name, int type);
        int loglik_softplus_f64(ptrdiff_t n, const double *x, ptrdiff_t x_stride, double *out, ptrdiff_t out_stride);
    """)
    library = ffi.dlopen(LIBRARY)
    x, out = np.linspace(-3, 3, 101), np.empty(101)
    pointers = ffi.cast("double *", x.ctypes.data), ffi.cast("double *", out.ctypes.data)
    assert library.loglik_softplus_f64(101, pointers[0], 1, pointers[1], 1) == 0
    assert np.array_equal(out, ll.ufuncs.softplus(x))
    loop = library.loglik_find_loop(b"log_ndtr", 8)
    args = ffi.new("char *[]", [ffi.cast("char *", pointer) for pointer in pointers])
    loop(args, ffi.new("ptrdiff_t[]", [101]), ffi.new("ptrdiff_t[]", [8, 8]), ffi.NULL)
    assert np.array_equal(out, ll.ufuncs.log_ndtr(x))
    assert library.loglik_find_loop(b"nonsense", 8) == ffi.NULL
