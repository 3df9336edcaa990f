"""Exact counts of the ways to reach each sum, as Python integers. Internal to `Discrete`.

Uniform dice use the four-term recurrence of csrc/kernels/dice.h on integers: linear in the size of the
output. Other variables are packed into one large integer (Kronecker substitution), so that a product is one
multiplication.
"""

import math
from collections.abc import Iterable

# Bytes of all counts together, and of one product by Karatsuba (seconds beyond it).
MAX_BYTES = 2**30
MAX_PACKED_BYTES = 2**22


def check_size(outcomes: int, bits: float, *, recurrence: bool) -> None:
    """MemoryError before the counts outgrow a gibibyte, or a product of packed integers takes too long."""
    size, limit = outcomes * bits / 8, MAX_BYTES if recurrence else MAX_PACKED_BYTES
    if size > limit:
        raise MemoryError(
            f"Discrete.counts: {outcomes} exact counts of up to {bits:.0f} bits need {size / 2**20:.0f} MiB, "
            f"more than the limit of {limit // 2**20} MiB for {'equal' if recurrence else 'mixed'} dice; "
            "probs and log_probs have no such limit"
        )


def uniform_dice(n: int, s: int) -> list[int]:
    """Ways to roll each sum of n >= 1 dice with s >= 2 sides."""
    count = n * (s - 1) + 1
    check_size(count, n * math.log2(s), recurrence=True)
    half = (count + 1) // 2
    c = [1]
    for k in range(half - 1):
        value = (n + k) * c[k]
        if k + 1 >= s:
            value -= (n * s + s - 1 - k) * c[k + 1 - s]
        if k >= s:
            value += (n * (s - 1) + s - k) * c[k - s]
        c.append(value // (k + 1))
    return c + c[: count - half][::-1]


def power(counts: list[int], n: int) -> list[int]:
    """Counts of the sum of n >= 1 independent copies."""
    if n == 1:
        return counts
    bits = n * sum(counts).bit_length()
    outcomes = n * (len(counts) - 1) + 1
    check_size(outcomes, bits, recurrence=False)
    width = bits // 8 + 1
    return _unpack(pow(_pack(counts, width), n), width, outcomes)


def convolve(factors: Iterable[list[int]]) -> list[int]:
    """Counts of a sum of independent variables, shortest first."""
    result = [1]
    for counts in sorted(factors, key=len):
        if len(counts) == 1:
            result = [counts[0] * c for c in result]
            continue
        if len(result) == 1:
            result = [result[0] * c for c in counts]
            continue
        bits = sum(result).bit_length() + sum(counts).bit_length()
        outcomes = len(result) + len(counts) - 1
        check_size(outcomes, bits, recurrence=False)
        width = bits // 8 + 1
        result = _unpack(_pack(result, width) * _pack(counts, width), width, outcomes)
    return result


def stretch(counts: list[int], factor: int) -> list[int]:
    """Counts of the variable times a positive integer."""
    if factor == 1:
        return counts
    result = [0] * ((len(counts) - 1) * factor + 1)
    result[::factor] = counts
    return result


def _pack(counts: list[int], width: int) -> int:
    return int.from_bytes(b"".join(c.to_bytes(width, "little") for c in counts), "little")


def _unpack(packed: int, width: int, count: int) -> list[int]:
    data = packed.to_bytes(width * count, "little")
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]
