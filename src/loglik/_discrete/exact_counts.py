"""Exact counts of the ways to reach each sum, as Python integers.

Uniform dice use the four-term recurrence of csrc/kernels/dice.h on integers (counts.h): linear in the size of the
output. Other variables are packed into one large integer (Kronecker substitution), so that a product is one
multiplication.
"""

import math
from collections.abc import Iterable

from loglik import _kernels

# Bytes of all counts together, and of one product by Karatsuba (seconds beyond it).
MAX_BYTES = 2**30
MAX_PACKED_BYTES = 2**22
OBJECT_BYTES = 36  # of a Python integer beside its digits, and its place in a list


def check_size(outcomes: int, bits: float, *, recurrence: bool) -> None:
    """MemoryError before the counts outgrow a gibibyte, or a product of packed integers takes too long."""
    size, limit = outcomes * bits / 8, MAX_PACKED_BYTES
    if recurrence:
        size, limit = size + outcomes * OBJECT_BYTES, MAX_BYTES
    if size > limit:
        raise MemoryError(
            f"Discrete.counts: {outcomes} exact counts of up to {bits:.0f} bits need {size / 2**20:.0f} MiB, "
            f"more than the limit of {limit // 2**20} MiB for {'equal' if recurrence else 'mixed'} dice; "
            "probs and log_probs have no such limit"
        )


def uniform_dice(n: int, s: int, first: int = 0, last: int | None = None) -> list[int]:
    """Ways to roll the sums first .. last - 1 of n >= 1 dice with s >= 2 sides, the lowest sum being 0; or each sum.

    Linear in the size of all counts up to the range or to the mode; beside the result, memory for s + 2 counts.
    """
    count = n * (s - 1) + 1
    last = count if last is None else last
    bits, half = n * math.log2(s), (count + 1) // 2
    check_size(last - first, bits, recurrence=True)
    # The upper half mirrors the lower one: the range of the lower half that is needed.
    low, high = min(first, count - last), half if first < half < last else min(last, count - first)
    check_size(min(s + 2, high), bits, recurrence=True)
    lower = _kernels.dice_counts(n, s, low, high, int(bits) // 32 + 1)
    if high <= half and last <= half:
        return lower
    return lower[first - low : last - low] + [lower[count - 1 - k - low] for k in range(max(first, half), last)]


def power(counts: list[int], n: int) -> list[int]:
    """Counts of the sum of n >= 1 independent copies."""
    if n == 1:
        return counts
    bits = n * sum(counts).bit_length()
    outcomes = n * (len(counts) - 1) + 1
    check_size(outcomes, bits, recurrence=False)
    width = bits // 8 + 1
    return unpack(pow(pack(counts, width), n), width, outcomes)


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
        result = unpack(pack(result, width) * pack(counts, width), width, outcomes)
    return result


def convolve_range(a: list[int], b: list[int], first: int, last: int) -> list[int]:
    """Counts first .. last - 1 of the sum of two variables, from those counts of both that they need."""
    if len(a) > len(b):
        a, b = b, a
    low = max(0, first - len(a) + 1)
    return convolve([a, b[low:last]])[first - low : last - low]


def stretch(counts: list[int], factor: int) -> list[int]:
    """Counts of the variable times a positive integer."""
    if factor == 1:
        return counts
    result = [0] * ((len(counts) - 1) * factor + 1)
    result[::factor] = counts
    return result


def pack(counts: list[int], width: int) -> int:
    """Counts as the digits of one large integer, `width` bytes each."""
    return int.from_bytes(b"".join(c.to_bytes(width, "little") for c in counts), "little")


def unpack(packed: int, width: int, count: int) -> list[int]:
    """The first `count` digits of `width` bytes each."""
    data = packed.to_bytes(width * count, "little")
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]
