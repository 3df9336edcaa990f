"""Fit the polynomials of csrc/simd/vmath*.h and write csrc/simd/vmath_coefficients.h.

    python csrc/tools/vmath_coefficients.py > csrc/simd/vmath_coefficients.h

Each polynomial is the minimax fit (Remez exchange, 50 digits) of a smooth factor, with the weight that
makes the *relative* error of the function built from it equal-ripple. Coefficients are rounded to the element
type one by one, lowest degree first, and the rest is fitted again, so that later coefficients absorb the
rounding of earlier ones. The comment above each array says what the fit reached, relative to the function:
2^-53 (2^-24) is half an ulp to one ulp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mpmath as mp
from mpmath import mpf

mp.mp.dps = 50

GRID = 480  # points where the error is watched: the same for every fit, so that values can be cached

Function = Callable[[mpf], mpf]


@dataclass
class Fit:
    """A polynomial p with weight(x)·(p(x) − factor(x)) small on [low, high]."""

    name: str
    meaning: str
    factor: Function
    weight: Function
    low: mpf
    high: mpf
    terms: dict[str, int]  # number of coefficients by element type


def remez(target: Function, weight: Function, low: mpf, high: mpf, n: int) -> list[mpf]:
    """The n coefficients, lowest degree first, of the polynomial with the least max |weight·(p − target)|."""
    middle, half = (low + high) / 2, (high - low) / 2
    nodes = [middle - half * mp.cos(mp.pi * (i + mpf("0.5")) / (n + 1)) for i in range(n + 1)]
    # No node where the weight is zero (there nothing is demanded and the equations are singular).
    nodes = [x if weight(x) else x + half / (8 * n) for x in nodes]
    grid = [middle - half * mp.cos(mp.pi * i / GRID) for i in range(GRID + 1)]
    samples = [(x, target(x), w) for x in grid if (w := weight(x)) != 0]
    best: tuple[list[mpf], mpf] | None = None
    for _ in range(12):
        matrix, right = mp.matrix(n + 1, n + 1), mp.matrix(n + 1, 1)
        for i, x in enumerate(nodes):
            w = weight(x)
            for j in range(n):
                matrix[i, j] = w * x**j
            matrix[i, n] = (-1) ** i
            right[i] = w * target(x)
        with mp.workdps(120):  # weights with a high power of x are tiny near 0
            solution = mp.lu_solve(matrix, right)
        c = [solution[j] for j in range(n)]
        level = abs(solution[n])
        errors = [w * (mp.polyval(c[::-1], x) - t) for x, t, w in samples]
        worst = max(abs(e) for e in errors)
        if best is None or worst < best[1]:
            best = (c, worst)
        if worst <= level * mpf("1.02"):
            break
        # One extremum for each run of equal sign.
        extrema: list[int] = []
        for i, e in enumerate(errors):
            if extrema and (e > 0) == (errors[extrema[-1]] > 0):
                if abs(e) > abs(errors[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > n + 1:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        if len(extrema) < n + 1:
            break
        nodes = [samples[i][0] for i in extrema]
    return best[0]


def rounded(x: mpf, bits: int) -> mpf:
    with mp.workprec(bits):
        return +x


def fit(f: Fit, count: int, bits: int) -> tuple[list[mpf], mpf]:
    """`count` coefficients rounded to `bits`, and the error of the rounded polynomial."""
    xs = [f.low + (f.high - f.low) * i / 1000 for i in range(1001)]
    points = [(x, f.factor(x), f.weight(x)) for x in xs]

    def error(c: list[mpf]) -> mpf:
        return max(abs(w * (mp.polyval(c[::-1], x) - t)) for x, t, w in points)

    c = remez(f.factor, f.weight, f.low, f.high, count)
    for i in range(count):
        c[i] = rounded(c[i], bits)
        if i + 1 < count:
            # What is left to fit is x^(i + 1) times a polynomial; the weight takes over that power.
            fixed, power = c[: i + 1], i + 1
            again = fixed + remez(
                lambda x: (f.factor(x) - mp.polyval(fixed[::-1], x)) / x**power,  # noqa: B023
                lambda x: f.weight(x) * abs(x) ** power,  # noqa: B023
                f.low,
                f.high,
                count - power,
            )
            if error(again) < error(c):
                c = again
    return c, error(c)


def series(terms: Function, direct: Function, small: mpf) -> Function:
    """`direct`, but the series where cancellation would eat it."""
    return lambda x: terms(x) if abs(x) < small else direct(x)


def exp_factor(r: mpf) -> mpf:
    return series(
        lambda r: mp.nsum(lambda k: r**k / mp.factorial(k + 2), [0, 12]),
        lambda r: (mp.expm1(r) - r) / r**2,
        mpf("1e-6"),
    )(r)


def expm1_factor(r: mpf) -> mpf:
    return series(
        lambda r: mp.nsum(lambda k: r**k / mp.factorial(k + 3), [0, 12]),
        lambda r: (mp.expm1(r) - r - r**2 / 2) / r**3,
        mpf("1e-6"),
    )(r)


def atanh_factor(z: mpf) -> mpf:
    def direct(z: mpf) -> mpf:
        s = mp.sqrt(z)
        return (2 * mp.atanh(s) - 2 * s) / (s * z)

    return series(lambda z: 2 * mp.fsum(z**k / (2 * k + 3) for k in range(12)), direct, mpf("1e-8"))(z)


def atanh_weight(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return z * s / (2 * mp.atanh(s)) if z else mpf(0)


SQRT2 = mp.sqrt(2)
REDUCED_EXP = mp.log(2) / 2 * mpf("1.001")
REDUCED_LOG = ((SQRT2 - 1) / (SQRT2 + 1)) ** 2 * mpf("1.0001")

FITS = [
    Fit(
        "vm_exp_c",
        "(exp(r) - 1 - r) / r^2 on |r| <= log(2)/2",
        exp_factor,
        lambda r: r**2 / mp.exp(r),
        -REDUCED_EXP,
        REDUCED_EXP,
        {"f64": 10, "f32": 5},
    ),
    Fit(
        "vm_expm1_c",
        "(exp(r) - 1 - r - r^2/2) / r^3 on [-0.292, 0.405]",
        expm1_factor,
        lambda r: abs(r) ** 3 / mp.exp(r),
        mpf("-0.292"),
        mpf("0.405"),
        {"f64": 11, "f32": 5},
    ),
    Fit(
        "vm_log_c",
        "(2 atanh(s) - 2 s) / s^3 in z = s^2, s = (m - 1)/(m + 1), m in [sqrt(1/2), sqrt(2)]",
        atanh_factor,
        atanh_weight,
        mpf(0),
        REDUCED_LOG,
        {"f64": 7, "f32": 3},
    ),
    Fit(
        "vm_log1p_01_c",
        "the same for s = t/(2 + t), t in [0, 1] or [-1/2, 1]",
        atanh_factor,
        atanh_weight,
        mpf(0),
        mpf(1) / 9,
        {"f64": 10, "f32": 4},
    ),
]
EIGHTH = mpf(1) / 64  # r^2 for |r| = 1/8 turn


def sin_factor(z: mpf) -> mpf:
    """(sin(2πr) − 2πr) / r³."""
    tau = 2 * mp.pi
    return series(
        lambda z: mp.fsum(
            (-1) ** k * tau ** (2 * k + 1) * z ** (k - 1) / mp.factorial(2 * k + 1) for k in range(1, 12)
        ),
        lambda z: (mp.sin(tau * mp.sqrt(z)) - tau * mp.sqrt(z)) / (z * mp.sqrt(z)),
        mpf("1e-6"),
    )(z)


def cos_factor(z: mpf) -> mpf:
    """(cos(2πr) − 1) / r²."""
    tau = 2 * mp.pi
    return series(
        lambda z: mp.fsum(
            (-1) ** k * tau ** (2 * k) * z ** (k - 1) / mp.factorial(2 * k) for k in range(1, 12)
        ),
        lambda z: (mp.cos(tau * mp.sqrt(z)) - 1) / z,
        mpf("1e-6"),
    )(z)


FITS += [
    Fit(
        "vm_sin_c",
        "(sin(2 pi r) - 2 pi r) / r^3 in z = r^2, |r| <= 1/8",
        sin_factor,
        lambda z: z * mp.sqrt(z) / mp.sin(2 * mp.pi * mp.sqrt(z)) if z else mpf(0),
        mpf(0),
        EIGHTH,
        {"f64": 6, "f32": 3},
    ),
    Fit(
        "vm_cos_c",
        "(cos(2 pi r) - 1) / r^2 in z = r^2, |r| <= 1/8",
        cos_factor,
        lambda z: z / mp.cos(2 * mp.pi * mp.sqrt(z)),
        mpf(0),
        EIGHTH,
        {"f64": 7, "f32": 4},
    ),
]


@cache
def erfcx(a: mpf) -> mpf:
    return mp.exp(a * a) * mp.erfc(a)


def erfcx_factor(pole: int) -> Function:
    """((1 + 2a)·erfcx(a) − 1) / w as a function of q = w − 1, w = 2a/(a + pole)."""

    def factor(q: mpf) -> mpf:
        w = q + 1
        if w < mpf("1e-25"):
            return (2 - 2 / mp.sqrt(mp.pi)) * pole / 2
        if 2 - w < mpf("1e-25"):
            return (2 / mp.sqrt(mp.pi) - 1) / 2
        a = pole * w / (2 - w)
        return ((1 + 2 * a) * erfcx(a) - 1) / w

    return factor


def erfcx_weight(pole: int) -> Function:
    factor = erfcx_factor(pole)
    return lambda q: (q + 1) / (1 + (q + 1) * factor(q))


def erf_factor(z: mpf) -> mpf:
    """(erf(x) − 2x/√π) / x³ in z = x²."""
    slope = 2 / mp.sqrt(mp.pi)
    return series(
        lambda z: (
            slope * mp.fsum((-1) ** k * z ** (k - 1) / (mp.factorial(k) * (2 * k + 1)) for k in range(1, 14))
        ),
        lambda z: (mp.erf(mp.sqrt(z)) / mp.sqrt(z) - slope) / z,
        mpf("1e-6"),
    )(z)


FITS += [
    Fit(
        "vm_erf_c",
        "(erf(x) - 2 x / sqrt(pi)) / x^3 in z = x^2, |x| <= 0.625",
        erf_factor,
        lambda z: z * mp.sqrt(z) / mp.erf(mp.sqrt(z)) if z else mpf(0),
        mpf(0),
        mpf("0.625") ** 2,
        {"f64": 10, "f32": 5},
    ),
]
for kind, pole, terms in (("f64", 4, 25), ("f32", 2, 12)):
    FITS.append(
        Fit(
            "vm_erfcx_c",
            f"((1 + 2 a) erfcx(a) - 1) / w in q = w - 1, w = 2 a/(a + {pole}), a >= 0",
            erfcx_factor(pole),
            erfcx_weight(pole),
            mpf(-1),
            mpf(1),
            {kind: terms},
        )
    )


def js_factor(z: mpf) -> mpf:
    """((1 + t)·log(1 + t) + (1 − t)·log(1 − t)) / t² in z = t²."""

    def direct(z: mpf) -> mpf:
        t = mp.sqrt(z)
        return ((1 + t) * mp.log1p(t) + (1 - t) * mp.log1p(-t)) / z

    return series(lambda z: mp.fsum(z**k / ((k + 1) * (2 * k + 1)) for k in range(13)), direct, mpf("1e-4"))(z)


FITS.append(
    Fit(
        "vm_js_c",
        "((1 + t) log(1 + t) + (1 - t) log(1 - t)) / t^2 in z = t^2, |t| <= 1/2",
        js_factor,
        lambda z: 1 / js_factor(z),
        mpf(0),
        mpf(1) / 4,
        {"f64": 13, "f32": 6},
    )
)


@cache
def upper_quantile(h: mpf) -> mpf:
    """The x >= 0 with 2·P(normal > x) = exp(−h/2), by Newton's method for log erfc(x/√2) + h/2."""
    x = mp.sqrt(h) if h < 1 else mp.sqrt(h + 1) - mpf("0.5")
    for _ in range(100):
        q = mp.erfc(x / mp.sqrt(2))
        step = (mp.log(q) + h / 2) * q / mp.exp(-x * x / 2) * mp.sqrt(mp.pi / 2)
        x = x + step if x + step > 0 else x / 2
        if abs(step) < x * mpf("1e-45"):
            return x
    raise ArithmeticError(f"no convergence at {h}")


NDTRI_SHIFT = mpf("1.125")


def ndtri_factor(pole: mpf, top: mpf) -> Function:
    """x/d − 1 in v = top − (1 + top)·(1.125 + pole)/(s + pole), where x = upper_quantile(h), s = √(h + 1.125²), d = s − 1.125."""

    def factor(v: mpf) -> mpf:
        d = (1 + top) * (NDTRI_SHIFT + pole) / (top - v) - pole - NDTRI_SHIFT
        if d < mpf("1e-30"):
            return mp.sqrt(mp.pi / 2) * NDTRI_SHIFT - 1
        return upper_quantile(d * (d + 2 * NDTRI_SHIFT)) / d - 1

    return factor


def ndtri_weight(pole: mpf, top: mpf) -> Function:
    factor = ndtri_factor(pole, top)
    return lambda v: 1 / (1 + factor(v))


for kind, pole, top, terms in (("f64", mpf("4.25"), mpf("1.28125"), 34), ("f32", mpf("1.75"), mpf("1.421875"), 11)):
    FITS.append(
        Fit(
            "vm_ndtri_c",
            f"x/d - 1 in v = {top} - {(1 + top) * (NDTRI_SHIFT + pole)}/(s + {pole}), d = s - 1.125, "
            "-2 log(2 P(normal > x)) = s^2 - 1.125^2",
            ndtri_factor(pole, top),
            ndtri_weight(pole, top),
            mpf(-1),
            mpf(1),
            {kind: terms},
        )
    )


def literal(c: mpf, kind: str) -> str:
    return float(c).hex() + ("f" if kind == "f32" else "")


def emit(f: Fit) -> None:
    print(f"\n/* {f.meaning} */")
    for kind, count in f.terms.items():
        c, worst = fit(f, count, 53 if kind == "f64" else 24)
        real = "double" if kind == "f64" else "float"
        print(f"/* relative error of the function: 2^{mp.nstr(mp.log(worst, 2), 4)} */")
        print(f"static const {real} {f.name}_{kind}[] = {{")
        for i in range(0, len(c), 4):
            print("    " + ", ".join(literal(x, kind) for x in c[i : i + 4]) + ",")
        print("};")


def main() -> None:
    print("/* Written by csrc/tools/vmath_coefficients.py: do not edit. Lowest degree first. */")
    print("#ifndef LOGLIK_VMATH_COEFFICIENTS_H\n#define LOGLIK_VMATH_COEFFICIENTS_H")
    for f in FITS:
        emit(f)
    print("\n#endif")


if __name__ == "__main__":
    main()
