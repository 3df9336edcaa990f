"""Arrays of probabilities whose range may exceed that of doubles, and their sums.

Design
- A `Pmf` is plain (an array of probabilities) as long as every probability is a normal number, else scaled:
  mantissas in [1, 2) and int64 exponents. Plain ones run through the register kernel directly.
- n equal dice come from a recurrence, n equal variables with two values from that of dice with two sides.
- All other terms are positive and every result is a sum of products, so relative errors only add: a sum of N variables
  is right to about (total length + N) units in the last place in every entry, however small. Long ones are convolved by
  tilting (`loglik._discrete.tilting`), which adds less than 2^-40.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from loglik import _kernels
from loglik._discrete import tilting, wide
from loglik._discrete.wide import Wide
from loglik._engine.parallel import run_blocks

# Multiply-adds per block of a threaded convolution, and per second at the slowest level.
_BLOCK_WORK = 2_000_000
_WORK_PER_SECOND = 2e9

# log 2 in two parts; e·_LN2_HI is exact for |e| < 2^21.
_LN2_HI = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LO = float.fromhex("0x1.a39ef35793c76p-33")

# Variables with the same two probabilities, as many as this, are summed at once.
MANY_EQUAL = 256

# Pmfs of up to this length are summed many at once, in plain doubles not below this power of two.
STACK_LENGTH, _STACK_FLOOR, _STACK_ROWS = 64, -1000, 4096

# Plain pmfs up to _LONG are convolved directly; where powers of two are needed, those above _SHORT by tilting.
_LONG, _SHORT = 16384, 4096
# What sums take, by measurement: seconds of a multiplication, and how many of these tilting takes for an outcome.
_SECONDS, _TILTED_WORK = 1.3e-10, 8000

_NORMAL_FLOOR = {np.dtype(np.float64): -1022, np.dtype(np.float32): -126}
# Sums of dice are made in plain doubles down to here; the margin keeps the low parts of pairs normal.
_DICE_FLOOR = -900


class Pmf(NamedTuple):
    """Probabilities ``values``, or ``values * 2**exponents``; at least 2**floor where above 0."""

    values: np.ndarray
    exponents: np.ndarray | None
    floor: Any  # an int; an array where this is many rows

    def __len__(self) -> int:
        return len(self.values)


def plain(probs: np.ndarray) -> Pmf:
    """The `Pmf` of an array of finite, non-negative float32 or float64, not all zero."""
    smallest = float(probs.min()) or float(probs[probs > 0].min())
    return Pmf(probs, None, math.frexp(smallest)[1] - 1)


def scaled(mantissas: np.ndarray, exponents: np.ndarray) -> Pmf:
    """The `Pmf` of mantissas in [1, 2) or 0 and their exponents; plain if every probability is a normal double."""
    positive = mantissas > 0
    floor = int(exponents.min() if positive.all() else exponents[positive].min())
    if floor >= -1022:
        return Pmf(_kernels.scaled_values(mantissas, exponents), None, floor)
    return Pmf(mantissas, exponents, floor)


def from_logs(logs: np.ndarray) -> Pmf:
    """The `Pmf` of natural logarithms; -inf is zero."""
    return scaled(*log_parts(logs))


def log_parts(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas in [1, 2) or 0, and exponents, of the numbers whose natural logarithms are given."""
    positive = logs > -np.inf
    finite = np.where(positive, logs, 0.0)
    exponents = np.rint(finite / math.log(2.0))
    # The difference of neighbours is exact, the correction below half a unit.
    mantissas, shift = np.frexp(np.exp((finite - exponents * _LN2_HI) - exponents * _LN2_LO))
    exponents = np.where(positive, exponents.astype(np.int64) + shift - 1, 0)
    return np.where(positive, 2.0 * mantissas, 0.0), exponents


def from_counts(counts: list[int]) -> Pmf:
    """The `Pmf` of exact integers: every probability is rounded once."""
    total = sum(counts)
    mantissas, exponents = np.zeros(len(counts)), np.zeros(len(counts), np.int64)
    for i, count in enumerate(counts):
        if count:
            shift = total.bit_length() - count.bit_length() + 64
            quotient, remainder = divmod(count << shift, total)  # 64 or 65 bits; the lowest one is sticky
            mantissa, exponent = math.frexp(float(quotient | (remainder > 0)))
            mantissas[i], exponents[i] = 2.0 * mantissa, exponent - 1 - shift
    return scaled(mantissas, exponents)


def as_scaled(pmf: Pmf) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas in [1, 2) or 0, and exponents."""
    if pmf.exponents is not None:
        return pmf.values, pmf.exponents
    mantissas, exponents = np.frexp(pmf.values.astype(np.float64))
    return 2.0 * mantissas, np.where(mantissas > 0, exponents.astype(np.int64) - 1, 0)


# ------------------------------------------------------------------------------------------ sums


def uniform_dice(n: int, s: int) -> Pmf:
    """Sum of n >= 1 dice with s >= 2 sides, counted from its lowest value."""
    floor = math.floor(-n * math.log2(s)) - 1
    if floor >= _DICE_FLOOR:
        return Pmf(_kernels.dice_pmf(n, s, False), None, floor)
    return scaled(*_kernels.dice_pmf(n, s, True))


def binomial(n: int, a: Wide, b: Wide) -> Pmf:
    r"""Sum of n >= 1 variables that are 0 or 1, with weights `a` and `b` above 0.

    .. math:: P(k) = 2^{-n}\binom{n}{k} \cdot \left(\frac{2a}{a+b}\right)^n \left(\frac{b}{a}\right)^k

    The first factor is that of n dice with two sides, right to a unit in the last place; the others are made from two tables of
    powers, rounded once. So every probability is right to three units, however small.
    """
    mantissas, exponents = as_scaled(uniform_dice(n, 2))
    step = 1 << (n.bit_length() + 1) // 2
    ratio = wide.quotient(b, a)
    start = wide.power(wide.quotient((a[0], a[1] + 1), wide.plus(a, b)), n)
    fine, fine_exponents = wide.powers(wide.wide(1), ratio, step)
    coarse, coarse_exponents = wide.powers(start, wide.power(ratio, step), n // step + 1)
    for i in range(len(coarse)):
        block = slice(i * step, (i + 1) * step)
        m, e = mantissas[block], exponents[block]
        m *= fine[: len(m)] * coarse[i]
        m[...], shift = np.frexp(m)
        m *= 2.0
        e += fine_exponents[: len(m)] + (shift + (coarse_exponents[i] - 1))
    return scaled(mantissas, exponents)


def convolve(a: Pmf, b: Pmf) -> Pmf:
    """The sum of two independent variables."""
    if len(a) > len(b):
        a, b = b, a
    if a.exponents is None and b.exponents is None:
        dtype = np.promote_types(a.values.dtype, b.values.dtype)
        floor = a.floor + b.floor
        if floor >= _NORMAL_FLOOR[dtype] and len(a) <= _LONG:
            return Pmf(_convolve_plain(a.values, b.values, dtype), None, floor)
    if len(a) <= _SHORT:
        return scaled(*_kernels.convolve_scaled(*as_scaled(a), *as_scaled(b)))
    last = len(a) + len(b) - 1
    return scaled(*tilting.convolve(as_scaled(a), as_scaled(b), 0, last, lambda x, y: _convolve_plain(x, y, x.dtype)))


def _convolve_plain(a: np.ndarray, b: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if len(a) > len(b):
        a, b = b, a
    a = np.ascontiguousarray(a, dtype)
    padded = np.zeros(len(b) + 2 * _kernels.PADDING, dtype)
    padded[_kernels.PADDING : _kernels.PADDING + len(b)] = b
    count = len(a) + len(b) - 1
    out = np.empty(count, dtype)
    # Which outputs share a block does not change their bits.
    step = max(1024, _BLOCK_WORK // len(a) // 1024 * 1024)

    def block(i: int) -> None:
        _kernels.convolve_range(a, padded, i * step, min(count, (i + 1) * step), out)

    run_blocks(block, -(-count // step), seconds=len(a) * len(b) / _WORK_PER_SECOND)
    return out


def power(pmf: Pmf, n: int, counts: list[int] | None = None) -> Pmf:
    """The sum of n >= 1 independent copies: binomial if there are two values, else by repeated squaring.

    `counts` are what the probabilities were rounded from.
    """
    if n == 1:
        return pmf
    possible = np.flatnonzero(pmf.values)
    first, stride = int(possible[0]), int(np.gcd.reduce(np.diff(possible))) or 1
    values, exponents = pmf.values[first : possible[-1] + 1 : stride], pmf.exponents
    if exponents is not None:
        exponents = exponents[first : possible[-1] + 1 : stride]
    if len(values) == 2:
        if counts is not None:
            a, b = (wide.wide(c) for c in counts if c)
        else:
            powers = [0, 0] if exponents is None else exponents.tolist()
            a, b = map(wide.from_float, values.tolist(), powers)
        result = binomial(n, a, b)
    else:
        result = by_squaring(Pmf(np.ascontiguousarray(values), exponents, pmf.floor), n, convolve)
    return stretch(result, stride, n * first, n * (len(pmf) - 1) + 1)


def by_squaring(pmf: Pmf, n: int, add: Callable[[Pmf, Pmf], Pmf]) -> Pmf:
    """The sum of n >= 1 copies; `add` makes the sum of two."""
    result = None
    while True:
        if n & 1:
            result = pmf if result is None else add(result, pmf)
        n >>= 1
        if not n:
            assert result is not None
            return result
        pmf = add(pmf, pmf)


def shortest_first(pmfs: list[Pmf], add: Callable[[Pmf, Pmf], Pmf]) -> Pmf:
    """The sum of one or more variables; `add` makes the sum of two, always of the two shortest."""
    import heapq

    heap = [(pmf.values.shape[-1], i, pmf) for i, pmf in enumerate(pmfs)]
    heapq.heapify(heap)
    next_id = len(pmfs)
    while len(heap) > 1:
        a, b = heapq.heappop(heap)[2], heapq.heappop(heap)[2]
        c = add(a, b)
        heapq.heappush(heap, (c.values.shape[-1], next_id, c))
        next_id += 1
    return heap[0][2]


def convolve_all(pmfs: list[Pmf], stacks: Iterable[np.ndarray] = ()) -> Pmf:
    """The sum of several independent variables, the shortest two first.

    Rows of the float64 arrays `stacks` are pmfs, too, whose probabilities are 0 or at least 2^-1022.
    """
    short: dict[int, list[np.ndarray]] = {}
    rest = []
    for pmf in pmfs:
        if pmf.exponents is None and len(pmf) <= STACK_LENGTH and pmf.floor >= _STACK_FLOOR:
            short.setdefault(len(pmf), []).append(pmf.values)
        else:
            rest.append(pmf)
    for rows in (*stacks, *(np.array(values, np.float64) for values in short.values())):
        different, equal = _equal_rows(rows)
        rest += equal
        for i in range(0, len(different), _STACK_ROWS):
            rest += _convolve_rows(different[i : i + _STACK_ROWS])
    return shortest_first(rest, convolve)


def _equal_rows(rows: np.ndarray) -> tuple[np.ndarray, list[Pmf]]:
    """The rows without those of two probabilities that come often, and the sums of these."""
    if rows.shape[1] != 2 or len(rows) < MANY_EQUAL:
        return rows, []
    both = np.ascontiguousarray(rows).view(np.complex128)[:, 0]  # one number, to be sorted
    different, numbers = np.unique(both, return_counts=True)
    often = numbers >= MANY_EQUAL
    if not often.any():
        return rows, []
    sums = [power(plain(np.array([p.real, p.imag])), n) for p, n in zip(different[often], numbers[often].tolist(), strict=True)]
    return rows[~np.isin(both, different[often])], sums


def _convolve_rows(rows: np.ndarray) -> list[Pmf]:
    """Sums of pmfs of one short length, pair by pair, all pairs at once, until they are long or near underflow."""
    floors = np.frexp(np.where(rows > 0, rows, 1.0).min(axis=1))[1].astype(np.int64) - 1
    # Rows of like floors meet, so that few small ones do not stop the others. They become columns, for long inner loops.
    order = np.argsort(floors, kind="stable")
    columns, floors = np.ascontiguousarray(rows[order].T), floors[order]
    done: list[Pmf] = []

    def leave(place: slice) -> None:
        done.extend(Pmf(row, None, int(floor)) for row, floor in zip(columns[:, place].T.copy(), floors[place], strict=True))

    while columns.shape[1] > 1 and len(columns) <= STACK_LENGTH:
        small = int(np.searchsorted(floors[0 : len(floors) - 1 : 2] + floors[1::2], _STACK_FLOOR))  # pairs near underflow
        leave(slice(0, 2 * small))
        columns, floors = columns[:, 2 * small :], floors[2 * small :]
        if len(floors) % 2:
            leave(slice(-1, None))
        pairs, size = len(floors) // 2, len(columns)
        a, b = np.ascontiguousarray(columns[:, 0 : 2 * pairs : 2]), np.ascontiguousarray(columns[:, 1 : 2 * pairs : 2])
        floors = floors[0 : 2 * pairs : 2] + floors[1 : 2 * pairs : 2]
        columns = np.zeros((2 * size - 1, pairs))
        for i in range(size):
            columns[i : i + size] += a[i] * b
    leave(slice(None))
    return done


def sum_seconds(lengths: list[int], *, underflow: bool) -> float:
    """About how long `convolve_all` takes for smooth pmfs of such lengths; `underflow` excludes direct sums."""
    outcomes = 1 + sum(lengths) - len(lengths)
    # The longest one comes last; the others are a tree of pairs.
    shorter = outcomes - max(lengths) + 1
    work = outcomes * _work(min(shorter, max(lengths)), underflow) if len(lengths) > 1 else 0
    for level in range(1, len(lengths).bit_length()):
        work += shorter * _work(shorter >> level, underflow)
    return work * _SECONDS


def power_seconds(length: int, n: int, *, underflow: bool) -> float:
    """About how long `power` takes for a smooth pmf with three values or more; `underflow` excludes direct sums."""
    outcomes, work = n * (length - 1) + 1, 0
    while n > 1:
        work += (1 + n % 2) * outcomes * _work(outcomes // 2, underflow)
        outcomes, n = outcomes // 2, n // 2
    return work * _SECONDS


def _work(length: int, underflow: bool) -> int:
    """Multiplications per outcome of a sum whose shorter pmf has this length."""
    return length if length <= _LONG and not underflow else min(length, _TILTED_WORK)


def normalised(pmf: Pmf) -> Pmf:
    """Divided by the total, where that is not 1 within two units in the last place."""
    values = np.ascontiguousarray(pmf.values, np.float64)
    sums = _kernels.cumulative(values, pmf.exponents)
    total = float(sums[-1]) if pmf.exponents is None else math.ldexp(float(sums[0][-1]), int(sums[1][-1]))
    del sums  # as large as the pmf
    if abs(total - 1) <= 2.0**-51:
        return pmf
    if pmf.exponents is None:
        return plain((values / total).astype(pmf.values.dtype))
    mantissas = values / total
    shift = np.empty(len(mantissas), np.int32)
    np.frexp(mantissas, mantissas, shift)
    mantissas *= 2.0
    exponents = pmf.exponents + shift
    exponents -= mantissas > 0
    return Pmf(mantissas, exponents, pmf.floor - 1)


def stretch(pmf: Pmf, factor: int, first: int = 0, length: int = 0) -> Pmf:
    """The variable times a positive integer: zeros between the values, `first` of them before, more behind up to `length`."""
    length = max(length, first + (len(pmf) - 1) * factor + 1)
    if length == len(pmf):
        return pmf
    place = slice(first, first + (len(pmf) - 1) * factor + 1, factor)
    values = np.zeros(length, pmf.values.dtype)
    values[place] = pmf.values
    exponents = None
    if pmf.exponents is not None:
        exponents = np.zeros(length, np.int64)
        exponents[place] = pmf.exponents
    return Pmf(values, exponents, pmf.floor)


def every(pmf: Pmf, first: int, step: int) -> Pmf:
    """The probabilities first, first + step, …"""
    exponents = None if pmf.exponents is None else np.ascontiguousarray(pmf.exponents[first::step])
    return Pmf(np.ascontiguousarray(pmf.values[first::step]), exponents, pmf.floor)


def reverse(pmf: Pmf) -> Pmf:
    """The variable mirrored."""
    exponents = None if pmf.exponents is None else np.ascontiguousarray(pmf.exponents[..., ::-1])
    return Pmf(np.ascontiguousarray(pmf.values[..., ::-1]), exponents, pmf.floor)


# ------------------------------------------------------------------------------------------ values


def probs(pmf: Pmf) -> np.ndarray:
    """Probabilities; 0 where they are below the subnormal numbers."""
    if pmf.exponents is None:
        return pmf.values
    return _kernels.scaled_values(pmf.values.reshape(-1), pmf.exponents.reshape(-1)).reshape(pmf.values.shape)


def logs(values: np.ndarray, exponents: np.ndarray | None) -> np.ndarray:
    """Natural logarithms of ``values * 2**exponents``; values of any positive size, -inf for zero."""
    if exponents is None:
        return np.log(values, out=np.full(values.shape, -np.inf, values.dtype), where=values > 0)
    mantissas, shift = np.frexp(values)
    high = mantissas < math.sqrt(0.5)
    mantissas = np.where(high, 2.0 * mantissas, mantissas)  # into [0.7, 1.4]: its logarithm never cancels the rest
    powers = (exponents + shift - high).astype(np.float64)
    small = np.log(mantissas, out=np.full(values.shape, -np.inf), where=mantissas > 0)
    return powers * _LN2_HI + (powers * _LN2_LO + small)


def argmax(pmf: Pmf) -> int:
    """Index of the largest probability, the first of equal ones."""
    if pmf.exponents is None:
        return int(pmf.values.argmax())
    top = pmf.exponents == pmf.exponents[pmf.values > 0].max()
    return int(np.where(top, pmf.values, 0.0).argmax())


class Tails(NamedTuple):
    """P(X <= k) and P(X > k), each summed from its own end, and their logarithms."""

    cdf: np.ndarray
    sf: np.ndarray
    log_cdf: np.ndarray
    log_sf: np.ndarray


def tails(pmf: Pmf, *, log: bool = True) -> Tails:
    """Lower and upper tails for every index, of one pmf or of rows that are all plain or all scaled.

    Without `log`, the tails themselves stand in place of their logarithms.
    """
    lower, log_lower = _running_sums(pmf, log)
    upper, log_upper = _running_sums(reverse(pmf), log)
    # upper[::-1][k] is P(X >= k): one further for P(X > k).
    above = _after(upper, 0.0)
    below = lower <= 0.5
    left = above <= 0.5
    cdf = np.where(below, lower, 1.0 - np.minimum(above, 1.0))
    sf = np.where(left, above, 1.0 - np.minimum(lower, 1.0))
    if not log:
        return Tails(cdf, sf, cdf, sf)
    with np.errstate(divide="ignore"):
        return Tails(
            cdf,
            sf,
            log_cdf=np.where(below, log_lower, np.log1p(-np.minimum(above, 1.0)) + 0.0),  # no −0
            log_sf=np.where(left, _after(log_upper, -np.inf), np.log1p(-np.minimum(lower, 1.0)) + 0.0),
        )


def _after(sums: np.ndarray, last: float) -> np.ndarray:
    """Sums from the upper end, put in order, each in the place before its own, and `last`."""
    result = np.empty(sums.shape)
    result[..., :-1] = sums[..., -2::-1]
    result[..., -1] = last
    return result


def _running_sums(pmf: Pmf, log: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative sums along the outcomes, and their logarithms (or the sums again)."""
    values, exponents = np.ascontiguousarray(pmf.values, np.float64), pmf.exponents
    shape, rows = values.shape, 1
    if len(shape) > 1:
        rows, values = shape[0], values.reshape(-1)
        exponents = None if exponents is None else exponents.reshape(-1)
    if exponents is None:
        sums = _kernels.cumulative(values, rows=rows)
        log_sums = logs(sums, None) if log else sums
    else:
        mantissas, powers = _kernels.cumulative(values, exponents, rows=rows)
        normal, shift = np.frexp(mantissas)
        positive = mantissas > 0
        sums = _kernels.scaled_values(2.0 * normal, np.where(positive, powers + shift - 1, 0))
        log_sums = logs(mantissas, np.where(positive, powers, 0)) if log else sums
    return (sums, log_sums) if len(shape) == 1 else (sums.reshape(shape), log_sums.reshape(shape))
