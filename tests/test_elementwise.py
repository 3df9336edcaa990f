"""Accuracy of the elementwise ufuncs at every instruction-set level, against definitions in 50 digits.

The unit is the ulp of the exact result: 0.5 is correct rounding. Bounds here are those that the docstrings
and csrc/simd/vmath_*.h state; csrc/tools/ulp.c looks for worse inputs, through all of float32 (results:
docs/accuracy.md).
"""

from __future__ import annotations

import math
from functools import cache

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf
from registry import BY_NAME, ndtri
from scipy import special

from loglik import available_isas
from loglik._kernels import make_ufuncs

LEVELS = available_isas()
DTYPES = ["float64", "float32"]
INF, NAN = math.inf, math.nan


@pytest.fixture(autouse=True)
def fifty_digits():
    with mp.workdps(50):
        yield


ufuncs = cache(make_ufuncs)


def outputs(name: str, level: str, x: np.ndarray) -> np.ndarray:
    """Values of a function of TABLE ("sin_2pi" and "cos_2pi" are the outputs of one ufunc)."""
    if name.endswith("_2pi"):
        return ufuncs(level)["sincos_2pi"](x)[name == "cos_2pi"]
    return ufuncs(level)[name](x)


# ------------------------------------------------------------------------------------ definitions


def log1pmx(x: mpf) -> mpf:
    if abs(x) > mpf("1e-5"):
        return mp.log1p(x) - x
    return mp.fsum((-1) ** (k + 1) * x**k / k for k in range(2, 14))


def softplus(x: mpf) -> mpf:
    return (x if x > 0 else 0) + (mp.log1p(mp.exp(-abs(x))) if abs(x) < 5000 else 0)


def sigmoid(x: mpf) -> mpf:
    return mpf(0) if x < -5000 else 1 / (1 + mp.exp(-x))


def erfc(x: mpf) -> mpf:
    return mpf(0) if x > 100 else mp.erfc(x)


def ndtr(x: mpf) -> mpf:
    return erfc(-x / mp.sqrt(2)) / 2


def log_ndtr(x: mpf) -> mpf:
    if x > 0:
        return mp.log1p(-ndtr(-x))
    if x > -1000:
        return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)
    z = 1 / (x * x)  # asymptotic series of Mills' ratio: the term left out is below 1e-50
    terms = [mpf((-1) ** k * math.prod(range(1, 2 * k, 2))) * z**k for k in range(11)]
    return -x * x / 2 - mp.log(-x * mp.sqrt(2 * mp.pi)) + mp.log(mp.fsum(terms))


def limited(f, low: float, below: float, high: float, above: float):
    """f, but its limits where mpmath would need astronomical exponents."""
    return lambda x: mpf(below) if x < low else mpf(above) if x > high else f(x)


class Row:
    """What is checked of a function: definition, float64 peer, domain, delicate points, bounds in ulp."""

    def __init__(self, exact, peer, low, high, points, f64, f32, baseline_f32=None):
        self.exact, self.peer, self.low, self.high, self.points = exact, peer, low, high, points
        self.bounds = {"float64": f64, "float32": f32}
        self.baseline_f32 = baseline_f32 or f32

    def bound(self, level: str, dtype: str) -> float:
        return self.baseline_f32 if (level, dtype) == ("baseline", "float32") else self.bounds[dtype]


LOG2 = math.log(2)
HALVES = [k * LOG2 / 2 for k in (-5, -3, -1, 1, 3, 5, 1023, 2047, 253, 255)]
EXP_EDGES = [
    -745.2,
    -745.13321910194122,
    -708.39641853226408,
    -104.0,
    -103.97,
    -87.33654,
    88.72283,
    89.0,
    709.78271289338397,
    710.0,
]
SQRT_EDGES = [math.sqrt(2) * 2.0**k for k in (-1023, -127, -2, -1, 0, 1, 60, 127, 1022)]
SMALL = [2.0**-k for k in (10, 24, 25, 26, 53, 54, 55)]
TURN_EDGES = [k / 8 for k in range(17)] + [2.0**51, 2.0**52, 2.0**22, 2.0**23]
TABLE = {
    "exp": Row(limited(mp.exp, -5000, 0, 5000, INF), np.exp, -746, 711, HALVES + EXP_EDGES, 1, 1),
    "expm1": Row(
        limited(mp.expm1, -5000, -1, 5000, INF),
        np.expm1,
        -60,
        711,
        HALVES + EXP_EDGES + [-0.29, 0.403, 17.0, 37.0],
        1,
        1,
    ),
    "log": Row(mp.log, np.log, 0, 1e308, [1.0, *SQRT_EDGES], 1, 1),
    "log1p": Row(mp.log1p, np.log1p, -1, 1e308, [r - 1 for r in SQRT_EDGES[2:7]] + SMALL, 1, 1),
    "log1pmx": Row(log1pmx, None, -1, 1e308, [r - 1 for r in SQRT_EDGES[2:7]] + SMALL, 4, 4),
    "softplus": Row(softplus, None, -746, 800, HALVES + EXP_EDGES, 2, 1),
    "sigmoid": Row(sigmoid, special.expit, -746, 40, HALVES + EXP_EDGES, 1, 1),
    "log_sigmoid": Row(lambda x: -softplus(-x), None, -800, 746, HALVES + EXP_EDGES, 2, 1),
    "sin_2pi": Row(lambda u: mp.sinpi(2 * u), None, -2, 2, TURN_EDGES, 2, 2),
    "cos_2pi": Row(lambda u: mp.cospi(2 * u), None, -2, 2, TURN_EDGES, 2, 2),
    "erf": Row(limited(mp.erf, -100, -1, 100, 1), special.erf, -6, 6, [0.625, 0.5, 3.9, 5.9], 1, 1, 2),
    "erfc": Row(erfc, special.erfc, -6, 27.3, [0.625, 0.5, 4.0, 9.19, 10.05, 26.54, 27.2], 2, 2),
    "ndtr": Row(ndtr, special.ndtr, -38.6, 9, [0.5, 5.6, -12.9, -14.1, -37.5, -38.4], 2, 2),
    "log_ndtr": Row(
        log_ndtr, special.log_ndtr, -1e10, 38.6, [0.5, -5.0, 12.9, 37.5, 38.4, -1e10, -1e154], 2, 2
    ),
    "ndtri": Row(
        lambda p: mpf(ndtri(p)), special.ndtri, 0, 1,
        [0.5, 0.25, 0.75, 1.0, *(0.5 + sign * k for k in SMALL for sign in (1, -1)), *(1 - k for k in SMALL), 2.0**-126],
        2, 2,
    ),
}


# ------------------------------------------------------------------------------------ points and errors


@cache
def sample(name: str, dtype: str) -> np.ndarray:
    """Points of the domain: random bits, uniform, moderate, near delicate points, subnormal."""
    row = TABLE[name]
    rng = np.random.default_rng([len(name), *name.encode(), len(dtype)])
    word = np.uint64 if dtype == "float64" else np.uint32
    bits = rng.integers(0, np.iinfo(word).max, 1500, dtype=word, endpoint=True).view(dtype)
    top = min(row.high, 1000.0)
    bottom = max(row.low, -1000.0)
    edges = []
    for point in row.points:
        for sign in (1, -1):
            with np.errstate(over="ignore"):
                x = np.asarray(sign * point, dtype)
            if np.isfinite(x):
                edges += [x, *(np.nextafter(x, np.asarray(limit, dtype)) for limit in (INF, -INF))]
    subnormal = rng.integers(1, 2 ** np.finfo(dtype).nmant, 60, dtype=word).view(dtype)
    with np.errstate(over="ignore"):
        x = np.concatenate(
            [
                bits,
                rng.uniform(bottom, top, 500).astype(dtype),
                rng.uniform(max(bottom, -3), min(max(bottom, -3) + 6, top), 700).astype(dtype),
                (np.exp2(-40 * rng.random(300)) * rng.choice([-1, 1], 300)).astype(dtype),
                np.array(edges, dtype),
                subnormal,
                -subnormal,
            ]
        )
    # Beyond the interval that matters, values are limits: a few of them are enough.
    inside = (x >= (row.low if row.low in (0, -1) else -INF)) & (x <= (1 if row.high == 1 else INF))
    return np.unique(x[np.isfinite(x) & inside & (x != row.low)])


@cache
def exact_values(name: str, dtype: str) -> list[mpf]:
    with mp.workdps(50):
        return [TABLE[name].exact(mpf(float(x))) for x in sample(name, dtype)]


def ulp(exact: mpf, dtype: str) -> mpf:
    info = np.finfo(dtype)
    exponent = mp.frexp(exact)[1] - 1 if exact else info.minexp
    return mp.ldexp(1, max(exponent, info.minexp) - info.nmant)


def error_in_ulp(got: float, exact: mpf, dtype: str) -> float:
    if mp.isinf(exact):
        return 0.0 if got == exact else INF
    if math.isnan(got):
        return INF
    if math.isinf(got):  # stands for the number after the greatest
        got = math.copysign(1, got) * mp.ldexp(1, np.finfo(dtype).maxexp)
        if abs(exact) >= abs(got):
            return 0.0
    return float(abs(mpf(got) - exact) / ulp(exact, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", TABLE)
def test_error_bound(name, level, dtype):
    x = sample(name, dtype)
    with np.errstate(all="raise"):  # none of these points makes a NaN, and correct infinities are silent
        got = outputs(name, level, x)
    assert got.dtype == dtype
    errors = [
        error_in_ulp(float(y), exact, dtype) for y, exact in zip(got, exact_values(name, dtype), strict=True)
    ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= TABLE[name].bound(level, dtype), (
        f"{errors[worst]:.3f} ulp at {float(x[worst]).hex()}: got {float(got[worst]).hex()}, "
        f"want {mpmath.nstr(exact_values(name, dtype)[worst], 20)}"
    )


def test_sample_reaches_the_interesting_inputs():
    for name, row in TABLE.items():
        for dtype in DTYPES:
            x, exact = sample(name, dtype), np.array([float(v) for v in exact_values(name, dtype)])
            assert 1500 < x.size < 4000, (name, dtype)
            assert np.count_nonzero(np.abs(x) < np.finfo(dtype).tiny) >= 50, (name, dtype)
            with np.errstate(over="ignore"):
                low, high = x.dtype.type(row.low), x.dtype.type(row.high)
            inside = np.isfinite(exact) & (exact != 0) & (x > low) & (x < high)
            assert np.unique(exact[inside]).size > 700, (name, dtype)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", TABLE)
def test_float32_on_a_stride_of_all_bits(name, level):
    row = TABLE[name]
    x = np.arange(0, 2**32, 65521, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = x[np.isfinite(x) & (x > row.low if row.low in (0, -1) else np.isfinite(x)) & (x <= (1 if row.high == 1 else INF))]
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        if row.peer is not None:
            reference = row.peer(wide)
        elif name.endswith("_2pi"):
            quarter = np.rint(4 * wide)
            angle = 2 * np.pi * (wide - quarter / 4)
            turned = (np.fmod(quarter, 4) + (name == "cos_2pi")) % 4
            reference = np.where(turned % 2 == 0, np.sin(angle), np.cos(angle)) * np.where(turned >= 2, -1, 1)
        elif name == "log1pmx":
            power = np.vander(np.where(np.abs(wide) < 1e-3, wide, 0), 9, increasing=True)[:, 2:]
            small = power @ np.array([(-1.0) ** (k + 1) / k for k in range(2, 9)])
            reference = np.where(np.abs(wide) < 1e-3, small, np.log1p(wide) - wide)
        else:
            sign = -1 if name == "log_sigmoid" else 1
            reference = sign * np.logaddexp(0, sign * wide)
        got = outputs(name, level, x)
        size = np.ldexp(1.0, np.maximum(np.frexp(reference)[1] - 1, -126) - 23)
        as_number = np.where(np.isinf(got), np.copysign(2.0**128, got), got.astype(np.float64))
        error = np.where(
            np.isinf(got) & (np.abs(reference) >= 2.0**128),
            0,
            np.abs(as_number - reference) / np.where(reference == 0, 2.0**-149, size),
        )
    suspects = np.argsort(np.where(np.isnan(error), INF, error))[-5:]
    for i in suspects:  # the reference is float64: the definition decides
        assert error_in_ulp(float(got[i]), row.exact(mpf(float(x[i]))), "float32") <= row.bound(
            level, "float32"
        ), float(x[i]).hex()


# ------------------------------------------------------------------------------------ special values

TINY = {"float64": 5e-324, "float32": 1e-45}
SPECIAL = {
    # name: {input: output}; signs of zero count. −0.0 (equal to 0.0) and the least subnormals are words.
    "exp": {INF: INF, -INF: 0.0, 0.0: 1, "-0": 1, 1000: INF, -1e9: 0.0, "tiny": 1, "-tiny": 1},
    "expm1": {
        INF: INF,
        -INF: -1,
        0.0: 0.0,
        "-0": -0.0,
        1000: INF,
        -1e9: -1,
        "tiny": "tiny",
        "-tiny": "-tiny",
    },
    "log": {INF: INF, -INF: NAN, 0.0: -INF, "-0": -INF, 1: 0.0, -1: NAN, "-tiny": NAN},
    "log1p": {
        INF: INF,
        -INF: NAN,
        0.0: 0.0,
        "-0": -0.0,
        -1: -INF,
        -1.5: NAN,
        "tiny": "tiny",
        "-tiny": "-tiny",
    },
    "log1pmx": {INF: -INF, -INF: NAN, 0.0: 0, "-0": 0, -1: -INF, -1.5: NAN, "tiny": 0, "-tiny": 0},
    "softplus": {INF: INF, -INF: 0.0, -1e9: 0.0, 1e9: 1e9},
    "sigmoid": {INF: 1, -INF: 0.0, 0.0: 0.5, "-0": 0.5, -1e9: 0.0, 1e9: 1, "tiny": 0.5},
    "log_sigmoid": {INF: -0.0, -INF: -INF, -1e9: -1e9, 1e9: -0.0},
    "sin_2pi": {INF: NAN, -INF: NAN, 0.0: 0, 0.25: 1, 0.5: 0, -0.25: -1, 1e30: 0},
    "cos_2pi": {INF: NAN, -INF: NAN, 0.0: 1, 0.25: 0, 0.5: -1, -0.25: 0, 1e30: 1, "tiny": 1},
    "erf": {INF: 1, -INF: -1, 0.0: 0.0, "-0": -0.0, 1e9: 1, -1e9: -1},
    "erfc": {INF: 0.0, -INF: 2, 0.0: 1, "-0": 1, 1e9: 0.0, -1e9: 2, "tiny": 1},
    "ndtr": {INF: 1, -INF: 0.0, 0.0: 0.5, "-0": 0.5, 1e9: 1, -1e9: 0.0, "-tiny": 0.5},
    "log_ndtr": {INF: 0, -INF: -INF, 1e9: 0, -1e200: -INF},
    "ndtri": {0.0: -INF, "-0": -INF, 0.5: 0.0, 1: INF, INF: NAN, -INF: NAN, "-tiny": NAN, -1: NAN, 1.0000002: NAN, 1e9: NAN},
}
LOOSE_ZERO = {"log1pmx", "sin_2pi", "cos_2pi", "log_ndtr"}  # functions whose zeros have no promised sign


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", TABLE)
def test_special_values_and_the_invalid_flag(name, level, dtype):
    cast = np.dtype(dtype).type
    words = {"-0": -0.0, "tiny": TINY[dtype], "-tiny": -TINY[dtype]}
    with np.errstate(all="raise"):
        assert math.isnan(outputs(name, level, np.array([NAN], dtype))[0])  # NaN from NaN: silent
    for given, wanted in SPECIAL[name].items():
        with np.errstate(over="ignore"):
            x = np.array([cast(words.get(given, given))])
        y = words.get(wanted, wanted)
        if math.isnan(y):
            with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="invalid"):
                outputs(name, level, x)
            with np.errstate(invalid="ignore"):
                assert math.isnan(outputs(name, level, x)[0]), (given, wanted)
        else:
            with np.errstate(all="raise"):
                got = outputs(name, level, x)[0]
            assert got == cast(y), (given, got)
            if got == 0 and name not in LOOSE_ZERO:
                assert math.copysign(1, got) == math.copysign(1, y), given


# ------------------------------------------------------------------------------------ bits


@cache
def scattered(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(20)
    word = np.uint64 if dtype == "float64" else np.uint32
    bits = rng.integers(0, np.iinfo(word).max, 50_000, dtype=word, endpoint=True).view(dtype)
    return np.concatenate([bits, rng.uniform(-40, 40, 50_000).astype(dtype)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TABLE)
def test_same_bits_at_levels_with_fma(name, dtype):
    levels = [level for level in LEVELS if level != "baseline"]
    if len(levels) < 2:
        pytest.skip("one level with fused multiply-add on this machine")
    x = scattered(dtype)
    with np.errstate(all="ignore"):
        first, *others = (outputs(name, level, x) for level in levels)
    for other in others:
        # Payload and sign of a NaN are not promised: assert_array_equal takes NaNs as equal (and 0 as −0).
        np.testing.assert_array_equal(first, other)
        np.testing.assert_array_equal(np.signbit(first[first == 0]), np.signbit(other[first == 0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", TABLE)
def test_a_value_does_not_depend_on_its_neighbours(name, level, dtype):
    x = scattered(dtype)[::997]  # rare lanes of log beside ordinary ones
    with np.errstate(all="ignore"):
        together = outputs(name, level, x)
        apart = np.concatenate([outputs(name, level, x[i : i + 1]) for i in range(x.size)])
        strided = outputs(name, level, np.repeat(x, 3)[::3])
    np.testing.assert_array_equal(together, apart)
    np.testing.assert_array_equal(together, strided)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("name", "arguments", "dtype"),
    [
        ("gaussian_nll", (-6.92854e-05, 3.52301e-12, 3.9e-44), np.float32),
        ("gaussian_nll", (1e-10, 0.0, 5e-324), np.float64),
        ("gaussian_nll", (1e300, -1e300, 1e301), np.float64),
        ("gaussian_nll", (1.2e308, -1.2e308, 1.7e308), np.float64),
        ("normal_kl", (-0.00040083568, 978662.94, -0.0007827315, 5.232768e-14), np.float32),
        ("normal_kl", (0.0, 1.6e154, 0.0, 1.0), np.float64),
        ("normal_kl", (1.6e154, 1.0, 0.0, 1.0), np.float64),
    ],
)
def test_no_step_overflows_before_the_result(level, name, arguments, dtype):
    """Squares, quotients and differences beyond the range, of a result within it."""
    arguments = [dtype(x) for x in arguments]
    exact = BY_NAME[name].reference(*(mpf(float(x)) for x in arguments))
    got = ufuncs(level)[name](*arguments)
    assert got.dtype == dtype
    assert abs(mpf(float(got)) / exact - 1) <= 4 * float(np.finfo(dtype).eps)
