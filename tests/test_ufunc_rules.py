"""What holds for every kernel of loglik.ufuncs, generically from the list of kernels: types, flags, pickling, docs.

Values and their accuracy are the matter of test_registry.py.
"""

import copy
import itertools
import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import loglik as ll
from loglik._kernels import kernel_types
from loglik._ufunc_docs import TEXTS

KERNELS = sorted(kernel_types())
ELEMENTWISE = [name for name in KERNELS if kernel_types()[name][1] is None]
INTEGERS = [np.bool_, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]


def letters(name: str) -> tuple[str, str]:
    """Letters of the inputs and of the outputs, as in csrc/kernel_list.h."""
    inputs, outputs = kernel_types()[name][0].split("->")
    return inputs, outputs


def arguments(name: str, dtypes: list[Any]) -> list[np.ndarray]:
    """Arguments of the given dtypes: ones, and identity matrices where both core dimensions are the same."""
    signature = kernel_types()[name][1]
    if signature is None:
        return [np.ones(3, dtype) for dtype in dtypes]
    values = []
    for core, dtype in zip(signature.split("->")[0][1:-1].split("),("), dtypes, strict=True):
        names = [part for part in core.split(",") if part]
        value = np.ones([3] * len(names))
        if len(names) >= 2 and names[-1] == names[-2]:
            value = value * np.eye(3)
        values.append(value.astype(dtype))
    return values


def call(name: str, *values: Any, **keywords: Any) -> tuple[Any, ...]:
    """The outputs as a tuple; ones need not be valid parameters of every kernel."""
    with np.errstate(invalid="ignore"):
        result = getattr(ll.ufuncs, name)(*values, **keywords)
    return result if isinstance(result, tuple) else (result,)


def expect(name: str, result: tuple[Any, ...], real: Any) -> None:
    for letter, output in zip(letters(name)[1], result, strict=True):
        assert output.dtype == {"r": np.dtype(real), "i": np.int32, "d": np.float64}[letter]


def deciding(name: str) -> list[int]:
    return [i for i, letter in enumerate(letters(name)[0]) if letter == "r"]


# ------------------------------------------------------------------------------------------------ types


@pytest.mark.parametrize("name", KERNELS)
class TestTypes:
    @pytest.mark.parametrize(
        ("dtype", "real"),
        [(np.float64, np.float64), (np.float32, np.float32), (np.float16, np.float32), (">f4", np.float32),
         (">f8", np.float64), *((dtype, np.float64) for dtype in INTEGERS)],
    )  # fmt: skip
    def test_all_of_one_type(self, name: str, dtype: Any, real: Any) -> None:
        expect(name, call(name, *arguments(name, [dtype] * len(letters(name)[0]))), real)

    @pytest.mark.parametrize("integer", INTEGERS)
    @pytest.mark.parametrize("floating", [np.float16, np.float32, np.float64])
    def test_integers_follow_the_floating_argument(self, name: str, integer: Any, floating: Any) -> None:
        inputs = letters(name)[0]
        for i in deciding(name):
            dtypes = [floating if j == i else integer for j in range(len(inputs))]
            expect(name, call(name, *arguments(name, dtypes)), max(np.dtype(floating), np.dtype(np.float32)))

    def test_the_widest_deciding_argument_decides(self, name: str) -> None:
        inputs = letters(name)[0]
        for choice in itertools.product([np.float16, np.float32, np.float64], repeat=len(inputs)):
            real = np.float64 if any(choice[i] == np.float64 for i in deciding(name)) else np.float32
            expect(name, call(name, *arguments(name, list(choice))), real)

    def test_targets_never_decide(self, name: str) -> None:
        inputs = letters(name)[0]
        targets = [i for i, letter in enumerate(inputs) if letter == "t"]
        if not targets:
            assert set(inputs) <= set("rid")
            return
        for dtype, other in itertools.product([np.float64, np.float32, *INTEGERS], [np.float32, np.float64]):
            dtypes = [dtype if i in targets else other for i in range(len(inputs))]
            expect(name, call(name, *arguments(name, dtypes)), other)

    def test_python_scalars_are_weak(self, name: str) -> None:
        inputs = letters(name)[0]
        values = arguments(name, [np.float32] * len(inputs))
        scalars = [i for i in range(len(inputs)) if values[i].ndim == 0 or name in ELEMENTWISE]
        for i in deciding(name):
            for weak in (1, 1.0, True):
                mixed = [weak if j in scalars and j != i else value for j, value in enumerate(values)]
                expect(name, call(name, *mixed), np.float32)
        if name in ELEMENTWISE:
            expect(name, call(name, *[1.0] * len(inputs)), np.float64)
            expect(name, call(name, *[1] * len(inputs)), np.float64)

    def test_numpy_scalars_decide(self, name: str) -> None:
        if name not in ELEMENTWISE:
            pytest.skip("scalars are elements")
        expect(name, call(name, *[np.float32(1)] * len(letters(name)[0])), np.float32)
        for i in deciding(name):
            values: list[Any] = arguments(name, [np.float32] * len(letters(name)[0]))
            values[i] = np.float64(1)
            expect(name, call(name, *values), np.float64)

    @pytest.mark.parametrize("dtype", [np.complex64, np.complex128, np.longdouble, object, "U3", "M8[s]", "m8[s]"])
    def test_other_types_are_refused(self, name: str, dtype: Any) -> None:
        inputs = letters(name)[0]
        for i in range(len(inputs)):
            values = arguments(name, [np.float64] * len(inputs))
            values[i] = np.zeros(values[i].shape, dtype)
            with pytest.raises(TypeError):
                call(name, *values)

    def test_complex_python_scalars_and_none_are_refused(self, name: str) -> None:
        for value in (1j, None, "1", object()):
            with pytest.raises(TypeError):
                call(name, *[value] * len(letters(name)[0]))

    def test_dtype_argument_chooses_the_loop(self, name: str) -> None:
        inputs, outputs = letters(name)
        if set(outputs) != {"r"}:
            pytest.skip("NumPy gives dtype= to every output")
        for given, asked in itertools.product([np.float32, np.float64, np.int64], [np.float32, np.float64]):
            expect(name, call(name, *arguments(name, [given] * len(inputs)), dtype=asked), asked)
        for refused in (np.complex128, np.int64, np.longdouble):
            with pytest.raises(TypeError):
                call(name, *arguments(name, [np.float64] * len(inputs)), dtype=refused)

    def test_out_takes_the_result_but_does_not_decide(self, name: str) -> None:
        inputs = letters(name)[0]
        values = arguments(name, [np.float32] * len(inputs))
        plain = call(name, *values)
        wide = tuple(np.empty(np.shape(part), np.float64) for part in plain)
        for part, filled in zip(plain, call(name, *values, out=wide), strict=True):
            np.testing.assert_array_equal(filled, part)
        if letters(name)[1][0] == "r":
            narrow = tuple(np.empty(np.shape(part), np.int8) for part in plain)
            with pytest.raises(TypeError):
                call(name, *values, out=narrow)


# ------------------------------------------------------------------------------------------------ flags

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, np.inf, -np.inf, np.nan, 5e-324, 1e-310, 1e-40, 1e-30, 1e30, -1e30,
           88.8, -104.0, 709.8, -745.2, 1e300, -1e300]  # fmt: skip


def special_points(inputs: int) -> Iterator[tuple[float, ...]]:
    """All combinations for up to two arguments, a fixed choice of 600 beyond."""
    if inputs <= 2:
        yield from itertools.product(SPECIAL, repeat=inputs)
        return
    rng = np.random.default_rng(5)
    for _ in range(600):
        yield tuple(SPECIAL[i] for i in rng.integers(len(SPECIAL), size=inputs))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_nan_made_from_no_nan_is_invalid_and_nothing_else_is_flagged(name: str, dtype: Any) -> None:
    kernel = getattr(ll.ufuncs, name)
    for point in special_points(kernel.nin):
        with np.errstate(over="ignore"):
            values = [np.asarray(value).astype(dtype) for value in point]
        with np.errstate(all="ignore"):
            results = kernel(*values)
        made = np.isnan(results).any() and not np.isnan(values).any()
        with np.errstate(all="raise"):
            if made:
                with pytest.raises(FloatingPointError, match=f"invalid value encountered in {name}"):
                    kernel(*values)
            else:
                kernel(*values)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_errstate_decides_what_a_made_nan_does(name: str) -> None:
    kernel = getattr(ll.ufuncs, name)
    for point in special_points(kernel.nin):
        with np.errstate(all="ignore"):
            made = np.isnan(kernel(*point)).any() and not np.isnan(point).any()
        if made:
            with np.errstate(invalid="ignore"):
                kernel(*point)
            with np.errstate(invalid="warn"), pytest.warns(RuntimeWarning, match="invalid value"):
                kernel(*point)
            with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
                kernel(*point)
            return


# ------------------------------------------------------------------------------------------------ objects


def test_every_text_is_that_of_a_kernel() -> None:
    assert set(TEXTS) == set(KERNELS)


@pytest.mark.parametrize("name", KERNELS)
class TestObjects:
    def test_name_is_its_attribute(self, name: str) -> None:
        kernel = getattr(ll.ufuncs, name)
        assert isinstance(kernel, np.ufunc)
        assert kernel.__name__ == name
        assert name in ll.ufuncs.__all__
        assert name in dir(ll.ufuncs)
        assert kernel.signature == kernel_types()[name][1]
        assert [kernel.nin, kernel.nout] == [len(part) for part in letters(name)]

    def test_pickles_and_copies_to_itself(self, name: str) -> None:
        kernel = getattr(ll.ufuncs, name)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(kernel, protocol)) is kernel
        assert copy.deepcopy(kernel) is copy.copy(kernel) is kernel

    def test_has_documentation(self, name: str) -> None:
        text = getattr(ll.ufuncs, name).__doc__
        call_signature, _, rest = text.partition("\n")
        assert call_signature.startswith(f"{name}(")
        assert len(rest.strip().splitlines()) >= 3, "a formula or sentence, and its accuracy"
        assert re.search(r"\S = \S", rest), "a formula"
        accuracy = re.search(r"^Accuracy: (.+?)(?:\n\n|\Z)", rest, re.MULTILINE | re.DOTALL)
        assert accuracy, "says how accurate it is"
        if "r" in letters(name)[1]:
            assert re.search(r"\bulp\b|\bu\b|error", accuracy[1]), "a bound"
        assert max(map(len, rest.splitlines())) <= 130
        assert not re.match(r"(Of|As|The same)\b", rest.strip()), "makes sense by itself"

    def test_reductions_are_errors(self, name: str) -> None:
        """Except on two arguments with one result, where NumPy folds whatever the function means."""
        kernel = getattr(ll.ufuncs, name)
        if (kernel.nin, kernel.nout, kernel.signature) == (2, 1, None):
            assert kernel.outer(np.ones(2), np.ones(3)).shape == (2, 3)
            return
        for method in ("reduce", "accumulate"):
            with pytest.raises((TypeError, ValueError, RuntimeError)):
                getattr(kernel, method)(np.ones((3, 3)))

    def test_wrong_number_of_arguments(self, name: str) -> None:
        kernel = getattr(ll.ufuncs, name)
        for count in (0, kernel.nin - 1, kernel.nin + kernel.nout + 1):
            with pytest.raises(TypeError):
                kernel(*[np.ones(3)] * count)


def test_the_module_holds_kernels_only() -> None:
    assert ll.ufuncs.__all__ == KERNELS
    with pytest.raises(AttributeError):
        _ = ll.ufuncs.no_such_kernel
