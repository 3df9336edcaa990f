"""Positive numbers m·2^e with 192-bit integers m, for factors that are made once and rounded at the end.

A product, quotient or sum is right to 2^-190, a power to n·2^-190.
"""

import math
from typing import TypeAlias

import numpy as np

Wide: TypeAlias = tuple[int, int]

_BITS = 192


def wide(m: int, e: int = 0) -> Wide:
    """m·2^e for m > 0."""
    shift = m.bit_length() - _BITS
    return (m >> shift if shift > 0 else m << -shift), e + shift


def from_float(value: float, e: int = 0) -> Wide:
    """value·2^e, exactly."""
    m, denominator = value.as_integer_ratio()
    return wide(m, e - denominator.bit_length() + 1)


def product(x: Wide, y: Wide) -> Wide:
    """x·y"""
    return wide(x[0] * y[0], x[1] + y[1])


def quotient(x: Wide, y: Wide) -> Wide:
    """x/y"""
    return wide((x[0] << _BITS + 1) // y[0], x[1] - y[1] - _BITS - 1)


def plus(x: Wide, y: Wide) -> Wide:
    """x + y"""
    if x[1] < y[1]:
        x, y = y, x
    shift = x[1] - y[1]
    return x if shift > _BITS else wide((x[0] << shift) + y[0], y[1])


def power(x: Wide, n: int) -> Wide:
    """x^n for n >= 0."""
    result = wide(1)
    while n:
        if n & 1:
            result = product(result, x)
        x, n = product(x, x), n >> 1
    return result


def rounded(x: Wide) -> tuple[float, int]:
    """A mantissa in [1, 2), to half a unit but for rare ties, and an exponent."""
    mantissa, exponent = math.frexp(float(x[0]))
    return 2.0 * mantissa, x[1] + exponent - 1


def powers(first: Wide, ratio: Wide, count: int) -> tuple[np.ndarray, np.ndarray]:
    """first·ratio^i for i < count, as mantissas in [1, 2) and exponents."""
    mantissas, exponents = np.empty(count), np.empty(count, np.int64)
    for i in range(count):
        mantissas[i], exponents[i] = rounded(first)
        first = product(first, ratio)
    return mantissas, exponents
