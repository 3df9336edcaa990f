"""Generic checks of every kernel, generated from the registry."""

import itertools

import numpy as np
import pytest
from registry import BY_NAME, GENERAL, KERNELS, mp

from loglik import ufuncs
from loglik._engine import elementwise
from loglik._engine.parallel import num_threads
from loglik._kernels import isa, kernel_types, level_properties, make_ufuncs

all_kernels = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)


def draw(kernel, dtype, n, seed=1):
    """Arguments from all domains of the kernel, n of them in all."""
    rng = np.random.default_rng(seed)
    per_domain = [n // len(kernel.domains)] * len(kernel.domains)
    per_domain[0] += n - sum(per_domain)
    parts = [[kind.draw(rng, m, dtype) for kind in domain] for domain, m in zip(kernel.domains, per_domain, strict=True)]
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def call(ufunc, arguments, dtype, **keywords):
    """Outputs as a tuple, without the warnings that correct NaN may raise. `dtype` None: that of the arguments."""
    with np.errstate(all="ignore"):
        result = ufunc(*arguments, dtype=dtype, **keywords)
    return result if isinstance(result, tuple) else (result,)


def bits(arrays):
    return [np.ascontiguousarray(a).tobytes() for a in arrays]


def test_every_kernel_has_a_row():
    assert {k.name for k in KERNELS} | {k.name for k in GENERAL} == set(kernel_types())


def error_in_units(kernel, got, exact, inputs, dtype):
    """|got - exact| in ulp of the exact value (one subnormal step where that is larger), or in units of u·terms."""
    info = np.finfo(dtype)
    if mp.isinf(exact) or np.isinf(got) or np.isnan(got):
        # Beyond the largest number by less than half a step rounds to it, the rest is infinite.
        if np.isinf(got) and abs(exact) >= mp.mpf(float(info.max)) and (got > 0) == (exact > 0):
            return 0.0
        return 0.0 if mp.isinf(exact) and float(exact) == float(got) else float("inf")
    if kernel.terms is not None:
        unit = mp.mpf(float(info.eps)) / 2 * kernel.terms(*inputs)
    else:
        exponent = max(mp.frexp(exact)[1] - 1 if exact else -(10**6), int(info.minexp))
        unit = mp.ldexp(mp.mpf(float(info.eps)), exponent)
    return float(abs(mp.mpf(float(got)) - exact) / max(unit, mp.mpf(float(info.smallest_subnormal))))


@all_kernels
def test_accuracy(kernel, kernels, dtype):
    arguments = draw(kernel, dtype, 600)
    outputs = call(kernels[kernel.name], arguments, dtype)
    bound = kernel.ulp["f64" if dtype == np.float64 else "f32"]
    for i in range(len(arguments[0])):
        inputs = [mp.mpf(float(a[i])) for a in arguments]
        exact = kernel.reference(*inputs)
        for got, value in zip(outputs, exact if isinstance(exact, tuple) else (exact,), strict=True):
            error = error_in_units(kernel, got[i], value, inputs, dtype)
            assert error <= bound, f"{kernel.name}{[float(v).hex() for v in inputs]} = {got[i]!r}, exact {value}, {error}"


@all_kernels
def test_special_values(kernel, kernels, dtype):
    for inputs, expected in kernel.special:
        outputs = call(kernels[kernel.name], [np.array(x, dtype) for x in inputs], dtype)
        for got, want in zip(outputs, expected if isinstance(expected, tuple) else (expected,), strict=True):
            want = dtype.type(want)
            np.testing.assert_array_equal(got, want, err_msg=f"{kernel.name}{inputs}")
            if kernel.signed_zero and (want == 0 or got == 0):
                assert np.signbit(got) == np.signbit(want), f"{kernel.name}{inputs}: sign of zero"


@all_kernels
def test_nan_stays_in_its_element(kernel, kernels, dtype):
    arguments = draw(kernel, dtype, 257)
    clean = call(kernels[kernel.name], arguments, dtype)
    for a, position in itertools.product(range(kernel.nin), (0, 100, 256)):
        dirty = [x.copy() for x in arguments]
        dirty[a][position] = np.nan
        for got, want in zip(call(kernels[kernel.name], dirty, dtype), clean, strict=True):
            assert np.isnan(got[position])
            keep = np.arange(257) != position
            assert got[keep].tobytes() == want[keep].tobytes()


def lanes(level, dtype):
    return level_properties(level)["vector_bits"] // (8 * dtype.itemsize)


@all_kernels
def test_size_and_position_do_not_matter(kernel, kernels, level, dtype):
    arguments = draw(kernel, dtype, 10_007)
    whole = call(kernels[kernel.name], arguments, dtype)
    w = lanes(level, dtype)
    for size, start in itertools.product((0, 1, w - 1, w, w + 1, 513), (0, 1, 5000)):
        part = call(kernels[kernel.name], [a[start : start + size] for a in arguments], dtype)
        assert bits(part) == bits([x[start : start + size] for x in whole])


def memories(array):
    """An array in other memory: misaligned, in the other byte order, read-only."""
    raw = np.zeros(array.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(array.dtype).reshape(array.shape)
    misaligned[...] = array
    yield "misaligned", misaligned
    yield "byte-swapped", array.astype(array.dtype.newbyteorder())
    read_only = array.copy()
    read_only.setflags(write=False)
    yield "read-only", read_only


def layouts(array):
    """One logical array in other layouts."""
    n = len(array)
    spread = np.zeros(3 * n, array.dtype)
    spread[::3] = array
    yield "step 3", spread[::3]
    yield "negative", array[::-1].copy()[::-1]
    yield from memories(array)
    rows = array.reshape(2, -1) if n % 2 == 0 else array.reshape(1, -1)
    yield "Fortran", np.asfortranarray(rows).reshape(-1)


@all_kernels
def test_layout_does_not_matter(kernel, kernels, dtype):
    arguments = draw(kernel, dtype, 1202)
    want = bits(call(kernels[kernel.name], arguments, dtype))
    for a in range(kernel.nin):
        for name, view in layouts(arguments[a]):
            other = [*arguments[:a], view, *arguments[a + 1 :]]
            assert bits(call(kernels[kernel.name], other, dtype)) == want, name
    two = [a.reshape(2, 601) for a in arguments]
    flat = [np.asfortranarray(a) for a in two]
    assert bits(call(kernels[kernel.name], flat, dtype)) == want
    # one value for all elements, by a zero stride and as a 0-d array
    for a in range(kernel.nin):
        repeated = [*arguments]
        repeated[a] = np.broadcast_to(arguments[a][:1], arguments[a].shape)
        scalar = [*arguments]
        scalar[a] = arguments[a][0]
        copied = [*arguments]
        copied[a] = np.full(1202, arguments[a][0])
        copied = bits(call(kernels[kernel.name], copied, dtype))
        assert bits(call(kernels[kernel.name], repeated, dtype)) == copied
        if kernel.nin > 1:
            assert bits(call(kernels[kernel.name], scalar, dtype)) == copied
    strided = tuple(np.zeros((1202, 2), dtype)[:, 1] for _ in range(kernels[kernel.name].nout))
    call(kernels[kernel.name], arguments, dtype, out=strided)
    assert bits(strided) == want


@all_kernels
def test_overlapping_out(kernel, kernels, dtype):
    n = 1000
    for a, shift in itertools.product(range(kernel.nin), (0, 1, 7, -1, -7)):
        arguments = draw(kernel, dtype, n)
        want = call(kernels[kernel.name], arguments, dtype)
        memory = np.zeros(n + 20, dtype)
        source, target = memory[10 : 10 + n], memory[10 + shift : 10 + shift + n]
        source[:] = arguments[a]
        arguments[a] = source
        outs = [np.empty(n, dtype) for _ in want]
        outs[0] = target
        call(kernels[kernel.name], arguments, dtype, out=tuple(outs))
        assert bits(outs) == bits(want)


@all_kernels
def test_threads_do_not_matter(kernel, dtype):
    ufunc = getattr(ufuncs, kernel.name)
    if ufunc.nout > 1:
        pytest.skip("not called through the facade")
    arguments = draw(kernel, dtype, 3 * elementwise.BLOCK + 17)
    want = bits(call(ufunc, arguments, dtype))
    for threads in (1, 2, 3, 7):
        with num_threads(threads), np.errstate(all="ignore"):
            got = elementwise.apply("test", ufunc, *arguments, dtype=dtype, nanoseconds=1e3)
        assert bits([got]) == want


@all_kernels
def test_fma_levels_agree_in_every_bit(kernel, dtype):
    levels = [name for name in ("avx512", "avx2", "neon") if name in _available()]
    if len(levels) < 2:
        pytest.skip("this machine has one level with fused multiply-adds")
    arguments = draw(kernel, dtype, 4000)
    results = [bits(call(make_ufuncs(level)[kernel.name], arguments, dtype)) for level in levels]
    assert all(result == results[0] for result in results)


# ------------------------------------------------------------------------------------------------ generalised ufuncs

general_kernels = pytest.mark.parametrize("kernel", GENERAL, ids=lambda kernel: kernel.name)


def make(kernel, dtype, n, seed=3):
    return kernel.make(np.random.default_rng(seed), n, dtype)


@general_kernels
def test_general_size_and_position_do_not_matter(kernel, kernels, dtype):
    arguments = make(kernel, dtype, 37)
    whole = call(kernels[kernel.name], arguments, None)
    for start, stop in ((0, 0), (0, 1), (36, 37), (3, 12), (5, 37)):
        part = call(kernels[kernel.name], [a[start:stop] for a in arguments], None)
        assert bits(part) == bits([x[start:stop] for x in whole])


def general_layouts(array):
    spread = np.zeros((*array.shape[:-1], 3 * array.shape[-1]), array.dtype)
    spread[..., ::3] = array
    yield "step 3 in the core", spread[..., ::3]
    yield "Fortran", np.asfortranarray(array)
    yield "negative loop stride", array[::-1].copy()[::-1]
    yield "negative core stride", array[..., ::-1].copy()[..., ::-1]
    yield from memories(array)


@general_kernels
def test_general_layout_does_not_matter(kernel, kernels, dtype):
    arguments = make(kernel, dtype, 19)
    want = call(kernels[kernel.name], arguments, None)
    for a in range(len(arguments)):
        for name, view in general_layouts(arguments[a]):
            other = [*arguments[:a], view, *arguments[a + 1 :]]
            assert bits(call(kernels[kernel.name], other, None)) == bits(want), name
    outs = tuple(np.zeros((2, *x.shape), x.dtype)[1] for x in want)
    strided = tuple(np.zeros((*x.shape, 2), x.dtype)[..., 1] for x in want)
    for out in (outs, strided):
        call(kernels[kernel.name], arguments, None, out=out)
        assert bits(out) == bits(want)


@general_kernels
def test_general_overlapping_out(kernel, kernels, dtype):
    for a in range(len(make(kernel, dtype, 1))):
        arguments = make(kernel, dtype, 19)
        want = call(kernels[kernel.name], arguments, None)
        outs = [np.empty_like(x) for x in want]
        if outs[0].nbytes > arguments[a].nbytes or outs[0].dtype != dtype:
            continue
        # the first output lies over the beginning of an input
        outs[0] = arguments[a].reshape(-1)[: outs[0].size].reshape(outs[0].shape)
        call(kernels[kernel.name], arguments, None, out=tuple(outs))
        assert bits(outs) == bits(want)


@general_kernels
def test_general_nan_stays_in_its_item(kernel, kernels, dtype):
    arguments = make(kernel, dtype, 19)
    clean = call(kernels[kernel.name], arguments, None)
    keep = np.arange(19) != 7
    for a, value in itertools.product(range(len(arguments)), (np.nan, np.inf)):
        dirty = [x.copy() for x in arguments]
        dirty[a][7] = value
        for got, want in zip(call(kernels[kernel.name], dirty, None), clean, strict=True):
            assert got[keep].tobytes() == want[keep].tobytes()
            if np.isnan(value) and got.dtype == dtype:
                assert np.isnan(got[7]).any()


@general_kernels
def test_general_fma_levels_agree_in_every_bit(kernel, dtype):
    levels = [name for name in ("avx512", "avx2", "neon") if name in _available()]
    if len(levels) < 2:
        pytest.skip("this machine has one level with fused multiply-adds")
    arguments = make(kernel, dtype, 100)
    results = [bits(call(make_ufuncs(level)[kernel.name], arguments, None)) for level in levels]
    assert all(result == results[0] for result in results)


def _available():
    from loglik._kernels import available_isas

    return available_isas()


def test_ufuncs_module_holds_the_level_in_use():
    assert isa() in _available()
    assert set(ufuncs.__all__) == set(kernel_types())
    assert set(BY_NAME) <= set(ufuncs.__all__)
