"""Convolution of long scaled pmfs by exponential tilting.

Design
- a_i·2^(−θi) and b_j·2^(−θj) have the convolution c_k·2^(−θk). For every θ the tilted pmfs have a peak; what lies
  far enough below it cannot be seen in the sums around the peak of c, so that windows of plain doubles are convolved.
  One θ after the other, until the windows have covered all sums.
- θ is a multiple of 2^-20: θ·i is exact, and a tilted entry is right to two units in the last place.
- Where to tilt and where to cut is read off the concave majorants of the logarithms, that of c being the merge of the
  slopes of the other two. Whether a sum is taken is decided by what was left out (below 2^-60 of it) and, for the FFT, by
  its error bound 13.5·u·log2(N)·‖a‖·‖b‖ (Wilson and Keich, "Accurate pairwise convolutions of non-negative
  vectors via FFT", 2016): a sum is taken if that is below 2^-40 of it. So shapes decide about the time only.
- Short windows are convolved directly, long ones by FFT.
- What no tilt reaches (a dip between two peaks, the ends of a flat pmf) is a smaller convolution of the same kind, or left
  to the convolution in chunks, which needs no assumption.
"""

import bisect
import math
from collections.abc import Callable

import numpy as np

from loglik import _kernels

Scaled = tuple[np.ndarray, np.ndarray]
Direct = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Bits below the peak down to which sums are wanted from one tilt, and what is given on top before they are refused.
_DIRECT_BITS, _FFT_BITS, _LENIENT_BITS = 100.0, 4.0, 24.0
_HIDDEN_BITS = 62.0  # of a sum: what is left out is smaller
_FFT_WINDOW = 12000  # the shorter window of a direct convolution is at most this long
_FFT_ACCURACY = 2.0**-40
_SMALL_WORK = 2.0**18  # products of this size are left to the chunks
_SINGLE_COST = 40  # a sum made alone takes as long as so many of those that are made together
MAX_WORK = 2**40  # multiplications without tilting, some minutes
_MIN_SHARE = 64  # of the sums that a tilt computes, one in so many must be new


def convolve(a: Scaled, b: Scaled, first: int, last: int, direct: Direct) -> Scaled:
    """Sums first .. last - 1 of two pmfs, as mantissas in [1, 2) or 0 and exponents; `direct` convolves plain doubles."""
    (a, start_a), (b, start_b) = _trimmed(a), _trimmed(b)
    start = start_a + start_b
    low, high = max(first - start, 0), min(last - start, len(a[0]) + len(b[0]) - 1)
    if low >= high:
        return np.zeros(last - first), np.zeros(last - first, np.int64)
    # Entries that reach the wanted sums.
    used_a = slice(max(0, low - len(b[0]) + 1), min(high, len(a[0])))
    used_b = slice(max(0, low - len(a[0]) + 1), min(high, len(b[0])))
    shift = used_a.start + used_b.start
    a, b = (a[0][used_a], a[1][used_a]), (b[0][used_b], b[1][used_b])
    sums = _sums(a, b, low - shift, high - shift, direct)
    if high - low == last - first:
        return sums
    around = (low + start - first, last - high - start)
    return np.pad(sums[0], around), np.pad(sums[1], around)


def _trimmed(x: Scaled) -> tuple[Scaled, int]:
    """A pmf without zeros at its ends, and how many there were before it."""
    possible = np.flatnonzero(x[0])
    if not len(possible):
        return (x[0][:0], x[1][:0]), 0
    place = slice(int(possible[0]), int(possible[-1]) + 1)
    return (x[0][place], x[1][place]), place.start


def _sums(a: Scaled, b: Scaled, first: int, last: int, direct: Direct) -> Scaled:
    """Sums first .. last - 1 of two pmfs with positive ends, by one tilt after the other, and in chunks where none is right."""
    if len(a[0]) * len(b[0]) <= _SMALL_WORK or a[0][0] * a[0][-1] * b[0][0] * b[0][-1] == 0:
        return _in_chunks(a, b, first, last)
    tilts = _Tilts(a, b, direct)
    mantissas, exponents = np.zeros(last - first), np.zeros(last - first, np.int64)
    done = np.zeros(last - first, bool)
    k = first
    while k < last:
        begin, m, e, good = tilts.around(k)
        end = min(begin + len(m), last)
        skip = max(first - begin, 0)
        here, there = slice(begin + skip - first, end - first), slice(skip, end - begin)
        new = good[there] & ~done[here]
        mantissas[here][new], exponents[here][new] = m[there][new], e[there][new]
        done[here] |= new
        if np.count_nonzero(new) * _MIN_SHARE < len(m):  # a shape that this is no good for
            k = last
        elif not done[k - first]:
            k += int(np.argmax(done[k - first :])) if done[k - first :].any() else last - k
        if k < last:
            rest = done[k - first :]
            k = last if rest.all() else k + int(np.argmin(rest))
    for begin, end in _gaps(done):
        smaller = 4 * min(end + first, len(a[0]) + len(b[0]) - 1 - begin - first) < len(a[0]) + len(b[0])
        if smaller:
            sums = convolve(a, b, begin + first, end + first, direct)
        else:
            sums = _in_chunks(a, b, begin + first, end + first)
        mantissas[begin:end], exponents[begin:end] = sums
    return mantissas, exponents


def _gaps(done: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end of each run of sums that are still missing."""
    missing = np.flatnonzero(~done)
    if not len(missing):
        return []
    ends = np.flatnonzero(np.diff(missing) > 1)
    begins = np.concatenate([missing[:1], missing[ends + 1]])
    return list(zip(begins.tolist(), [*(missing[ends] + 1).tolist(), int(missing[-1]) + 1], strict=True))


def _in_chunks(a: Scaled, b: Scaled, first: int, last: int) -> Scaled:
    """Sums first .. last - 1 without tilting, from the entries that reach them; one by one if they are few."""
    if len(a[0]) > len(b[0]):
        a, b = b, a
    low = max(0, first - len(a[0]) + 1)
    b = (b[0][low:last], b[1][low:last])
    if (last - first) * _SINGLE_COST < len(b[0]):
        return _one_by_one(a, b, first - low, last - low)
    if len(a[0]) * len(b[0]) > MAX_WORK:
        raise ValueError(
            f"Discrete: the sum has a part of {len(a[0]):.2g} by {len(b[0]):.2g} outcomes that is too rough for fast methods and "
            f"would take more than {MAX_WORK:.2g} multiplications (minutes)"
        )
    m, e = _kernels.convolve_scaled(*map(np.ascontiguousarray, (*a, *b)))
    return m[first - low : last - low], e[first - low : last - low]


def _one_by_one(a: Scaled, b: Scaled, first: int, last: int) -> Scaled:
    """Sums first .. last - 1, each from its products."""
    mantissas, exponents = np.zeros(last - first), np.zeros(last - first, np.int64)
    for k in range(first, last):
        begin, end = max(0, k - len(b[0]) + 1), min(k + 1, len(a[0]))
        there = slice(k - end + 1, k - begin + 1)
        m = a[0][begin:end] * b[0][there][::-1]
        e = np.where(m > 0, a[1][begin:end] + b[1][there][::-1], -(2**62))
        top = int(e.max())
        # ldexp of int32: what is 1000 powers of two smaller does not count.
        mantissa, shift = math.frexp(float(np.sum(np.ldexp(m, np.maximum(e - top, -1000).astype(np.int32)))))
        if mantissa:
            mantissas[k - first], exponents[k - first] = 2.0 * mantissa, top + shift - 1
    return mantissas, exponents


class _Majorant:
    """Concave majorant of the logarithms to base 2 of a pmf."""

    def __init__(self, x: Scaled) -> None:
        logs = np.log2(x[0], out=np.full(len(x[0]), -np.inf), where=x[0] > 0)
        logs += x[1]
        self.heights = _kernels.majorant(logs)

    def peak(self, slope: float) -> int:
        """Index of the highest point of the majorant tilted by `slope`."""
        places = range(len(self.heights) - 1)
        return bisect.bisect_left(places, -slope, key=lambda i: float(self.heights[i] - self.heights[i + 1]))

    def window(self, slope: float, bits: float) -> tuple[int, int]:
        """Begin and end of the places around the peak of the tilted majorant that are at most `bits` below it."""
        top = self.peak(slope)
        level = self.heights[top] - slope * top - bits

        def height(i: int) -> float:
            return float(self.heights[i] - slope * i)

        begin = bisect.bisect_left(range(top), level, key=height)
        end = top + bisect.bisect_right(range(top, len(self.heights)), -level, key=lambda i: -height(i))
        return begin, end


class _Tilts:
    """Sums of two pmfs around any place."""

    def __init__(self, a: Scaled, b: Scaled, direct: Direct) -> None:
        self.factors, self.direct = (a, b), direct
        self.majorants = (_Majorant(a), _Majorant(b))
        self.slopes = np.concatenate([-np.diff(majorant.heights) for majorant in self.majorants])
        self.slopes.sort()
        np.negative(self.slopes, out=self.slopes)
        self.heights = np.zeros(len(self.slopes) + 1)
        np.cumsum(self.slopes, out=self.heights[1:])
        self.hidden = _HIDDEN_BITS + math.log2(len(self.heights))

    def around(self, k: int) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        """(begin, mantissas, exponents, which of them are right): sums from `begin` on, k among them if possible."""
        slope, windows = self._windows(k, _DIRECT_BITS + _LENIENT_BITS, _DIRECT_BITS)
        long = min(end - begin for begin, end in windows) > _FFT_WINDOW
        if long:
            slope, windows = self._windows(k, 3 * _FFT_BITS, _FFT_BITS)
        tilted = [self._tilted(x, window, slope) for x, window in zip(self.factors, windows, strict=True)]
        (x, top_x), (y, top_y) = tilted
        if long:
            size = _fast_length(len(x) + len(y) - 1)
            c = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(y, size), size)[: len(x) + len(y) - 1]
            # No dot products: BLAS starts threads for them, which takes longer than the transforms.
            norms = math.sqrt(float(np.sum(x * x)) * float(np.sum(y * y)))
            error = 13.5 * 2.0**-53 * math.log2(size) * norms
            good = c >= max(error / _FFT_ACCURACY, 2.0 ** -(3 * _FFT_BITS) * float(x.max() * y.max()))
        else:
            c = self.direct(x, y)
            good = c >= 2.0 ** -(_DIRECT_BITS + _LENIENT_BITS) * float(x.max() * y.max())
        # The tilt is undone: c·2^(slope·k), with the exponents of the two tops.
        begin = windows[0][0] + windows[1][0]
        power = slope * (np.arange(len(c)) + (begin - top_x[0] - top_y[0]))
        whole = np.floor(power)
        m, shift = np.frexp(np.where(good, c, 0.5) * np.exp2(power - whole))
        return begin, 2.0 * m, whole.astype(np.int64) + (shift - 1 + top_x[1] + top_y[1]), good

    def _windows(self, k: int, bits: float, wanted: float) -> tuple[float, list[tuple[int, int]]]:
        """Slope that puts the peak so far to the right of k that k is still wanted, and windows of both factors."""

        def drop(peak: int) -> float:
            slope = self.slopes[min(peak, len(self.slopes) - 1)]
            return float(self.heights[peak] - self.heights[k] - slope * (peak - k))

        peak = k + bisect.bisect_right(range(k, len(self.slopes)), wanted, key=drop) - 1
        slope = round(float(self.slopes[min(max(k, peak), len(self.slopes) - 1)]) * 2**20) / 2**20
        return slope, [majorant.window(slope, bits + self.hidden) for majorant in self.majorants]

    def _tilted(self, x: Scaled, window: tuple[int, int], slope: float) -> tuple[np.ndarray, tuple[int, int]]:
        """x_i·2^(−slope·(i − t) − e_t) for a place t in the window, and (t, e_t)."""
        begin, end = window
        m, e = x[0][begin:end], x[1][begin:end]
        index = np.arange(begin, end)
        at = int(np.argmax(np.where(m > 0, e - slope * index, -np.inf)))
        t, top = begin + at, int(e[at])
        power = -slope * (index - t)
        whole = np.floor(power)
        exponents = np.maximum(e - top + whole.astype(np.int64), -600)
        return np.where(exponents > -600, np.ldexp(m * np.exp2(power - whole), exponents), 0.0), (t, top)


def _fast_length(n: int) -> int:
    """Smallest m·2^k >= n with m in 8 .. 16 but 11, 13 and 14: fast for an FFT."""
    k = max(0, n.bit_length() - 4)
    return min(size for m in (8, 9, 10, 12, 15, 16) if (size := m << k) >= n)
