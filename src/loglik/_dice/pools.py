"""Dice as players use them: rerolled, exploding, counted as successes, and the highest or lowest of a pool kept.

Design
- One die is a `Weights`: exact integers on consecutive faces. Rerolling, exploding and counting map it to another one.
- Sums and pools come back as plain data, `loglik._discrete.variable.Variable`.
- Keeping is an outcome-wise recursion in exact integers (`keep`): the outcomes are passed from the end that is kept, and the
  state is how many dice have been placed and the ways to reach each sum so far. Rolls are never enumerated. The ways to all
  sums are packed into one large integer, so a step is a multiplication by a small integer and a shift.
- Equal fair dice beyond the limit of that use a formula in doubles (`_keep_many`, `_keep_middle`). All only add positive terms.
"""

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, NoReturn

import numpy as np

from loglik._discrete import exact_counts, scaled_pmf
from loglik._discrete.die_pool import Pool
from loglik._discrete.variable import Variable, constant, from_pmf, from_pool, sum_of

MAX_FACES = 2**20
MAX_STEPS = 2**21  # of the recursion, about a microsecond each
MAX_PACKED = 2**32  # bytes that it passes over, about a second,
MAX_PACKED_ALONE = 2**34  # and where there is no other way
MAX_TERMS = 2**18  # of the formula for many dice
MAX_OPERATIONS = 2**31  # its multiplications, a few seconds
MAX_BITS = 2**17  # of one number: divisions and common divisors are quadratic in it
MAX_BYTES = 2**26  # of all numbers at a time
TRUNCATION_BITS = 60  # of the mass of an exploding die that is cut off


class Weights(NamedTuple):
    """Exact weights of the faces ``start``, ``start + 1``, …; the first and the last are above 0."""

    counts: tuple[int, ...]
    start: int
    truncated: float = 0.0  # probability that was cut off, and spread over the rest

    def at(self, face: int) -> int:
        """Weight of a face, 0 outside."""
        index = face - self.start
        return self.counts[index] if 0 <= index < len(self.counts) else 0

    @property
    def stop(self) -> int:
        """One above the highest face."""
        return self.start + len(self.counts)


Condition = Callable[[int], bool]


# ------------------------------------------------------------------------------------------ one die


def fair(sides: int, start: int = 1) -> Weights:
    """A fair die."""
    if sides > MAX_FACES:
        raise ValueError(f"only dice of up to {MAX_FACES} sides can be kept, rerolled, exploded or counted, got {sides}")
    return Weights((1,) * sides, start)


def as_die(variable: Variable) -> Weights:
    """A variable as one die with its outcomes as faces."""
    length, pool = variable.length, variable.pool
    if length > MAX_FACES:
        raise ValueError(f"an entry of a pool may have {MAX_FACES} outcomes at most, this one has {length}")
    if pool is None or length * pool.bits() / 8 > MAX_BYTES:
        raise ValueError("this entry of a pool is too large for exact counts")
    return _reduced(pool.counts(0, length), variable.start, variable.truncated_mass)


def reroll(die: Weights, condition: Condition, *, forever: bool) -> Weights:
    r"""Faces that meet the condition are rolled again: once, or until another one shows.

    Once: :math:`w'_v = w_v (R + [v \text{ is kept}]\, W)` with R of the total W rerolled; forever: the face is impossible.
    """
    again = [condition(face) for face in range(die.start, die.stop)]
    total = sum(die.counts)
    rerolled = sum(c for c, hit in zip(die.counts, again, strict=True) if hit)
    if forever and rerolled == total:
        raise ValueError("every face would be rerolled forever")
    if forever:
        counts = [0 if hit else c for c, hit in zip(die.counts, again, strict=True)]
    else:
        counts = [c * (rerolled + (0 if hit else total)) for c, hit in zip(die.counts, again, strict=True)]
    return _reduced(counts, die.start, die.truncated)


def explode(die: Weights) -> Weights:
    """The highest face is rolled again and added, as long as it shows; cut where the mass left is below 2^-60."""
    top, total = die.counts[-1], sum(die.counts)
    if top == total:
        raise ValueError("a die whose every roll is its highest face would explode forever")
    rolls = max(1, math.ceil(TRUNCATION_BITS / math.log2(total / top)) - 1)
    while top**rolls << TRUNCATION_BITS >= total**rolls:
        rolls += 1
    highest = die.stop - 1
    size = max(rolls * highest, len(die.counts)) + 1
    if size > MAX_FACES:
        raise ValueError(f"an exploding die may have {MAX_FACES} outcomes at most, this one has about {size}")
    # After i times the highest face, what is left of the weight is spread over the other faces.
    start = min(die.start, die.start + (rolls - 1) * highest)
    counts = [0] * (max(highest, rolls * highest) - start + 1)
    for i in range(rolls):
        weight = top**i * total ** (rolls - 1 - i)
        for face, count in enumerate(die.counts[:-1], die.start):
            counts[i * highest + face - start] += count * weight
    return _reduced(counts, start, top**rolls / total**rolls)


def successes(die: Weights, condition: Condition) -> Weights:
    """A die that shows 1 where the condition is met, else 0."""
    hits = sum(c for face, c in enumerate(die.counts, die.start) if condition(face))
    return _reduced([sum(die.counts) - hits, hits], 0, die.truncated)


def _reduced(counts: Sequence[int], start: int, truncated: float) -> Weights:
    """The die without impossible faces at its ends and without a common factor of its weights."""
    first = next(i for i, c in enumerate(counts) if c)
    last = next(i for i in range(len(counts) - 1, -1, -1) if counts[i])
    weights = counts[first : last + 1]
    common = math.gcd(*weights)
    return Weights(tuple(weights) if common == 1 else tuple(c // common for c in weights), start + first, truncated)


# ------------------------------------------------------------------------------------------ sums


def total(n: int, die: Weights) -> Variable:
    """Sum of n equal dice."""
    counts = die.counts
    if len(counts) == 1 or n == 0:
        return constant(n * die.start)
    # Equal weights are a fair die, which has better methods.
    key = len(counts) if min(counts) == max(counts) else counts
    return from_pool(Pool({(key, 1): n}), n * die.start, _any_truncated([(n, die)]))


def _any_truncated(groups: Sequence[tuple[int, Weights]]) -> float:
    """Probability that at least one of the dice is beyond its cut."""
    return -math.expm1(math.fsum(n * math.log1p(-die.truncated) for n, die in groups))


# ------------------------------------------------------------------------------------------ keeping


def keep(groups: Sequence[tuple[int, Weights]], first: int, last: int) -> Variable:
    """Sum of some dice of a pool: those at the places `first` to ``last - 1``, counted from the highest.

    `groups` says how many there are of each die; 0 <= first < last <= number of dice.
    """
    merged: dict[Weights, int] = {}
    for n, die in groups:
        if n:
            merged[die] = merged.get(die, 0) + n
    groups = [(n, die) for die, n in merged.items()]
    dice = sum(n for n, _ in groups)
    if (first, last) == (0, dice):
        result = constant(0)
        for n, die in groups:
            result = sum_of([result, total(n, die)])
        return result
    # Places are counted from the end from which fewer of them have to be passed.
    descending = last <= dice - first
    if not descending:
        first, last = dice - last, dice - first
    if _exact_is_cheap(groups, first, last):
        result = _keep_exact(groups, first, last, descending)
    elif first:
        result = _keep_middle(groups, *((dice - last, first) if descending else (first, dice - last)))
    else:
        result = _keep_many(groups, first, last, descending)
    return result._replace(truncated_mass=_any_truncated(groups))


def _span(groups: Sequence[tuple[int, Weights]]) -> tuple[int, int]:
    """The lowest face of all dice, and one above the highest."""
    return min(die.start for _, die in groups), max(die.stop for _, die in groups)


def _total_bits(groups: Sequence[tuple[int, Weights]]) -> float:
    """Upper bound of the logarithm of the number of rolls."""
    return sum(n * math.log2(sum(die.counts)) for n, die in groups) + 1


def _exact_is_cheap(groups: Sequence[tuple[int, Weights]], first: int, last: int) -> bool:
    """Whether the recursion stays within the limits of time and memory."""
    bits = _total_bits(groups)
    if bits > MAX_BITS or last > MAX_STEPS:
        return False
    low, stop = _span(groups)
    packed = ((last - first) * (stop - low) + 1) * (bits / 8 + 1)
    # States have fewer than `last` dice placed: how many there are with 0, 1, … dice, group by group.
    sizes = [1] + [0] * (last - 1)
    for n, _ in groups:
        sums = list(itertools.accumulate(sizes))
        sizes = [sums[k] - (sums[k - n - 1] if k > n else 0) for k in range(last)]
    steps, work = 0.0, 0.0
    for n, die in groups:
        shown = min(n, last) / 2
        passed = len(die.counts) * (1 + shown) * sum(sizes)
        steps += passed
        work += passed * packed * (1 + shown * math.log2(max(die.counts)) / 120)  # long factors take longer
    return steps <= MAX_STEPS and work <= (MAX_PACKED if _has_formula(groups) else MAX_PACKED_ALONE)


def _has_formula(groups: Sequence[tuple[int, Weights]]) -> bool:
    """Whether these are equal fair dice."""
    return len(groups) == 1 and max(groups[0][1].counts) == 1


def _refuse() -> NoReturn:
    raise ValueError("keeping from this pool would take too long or too much memory; fewer dice or sides would do")


def _keep_exact(groups: Sequence[tuple[int, Weights]], first: int, last: int, descending: bool) -> Variable:
    """The recursion over the faces, in exact integers."""
    low, stop = _span(groups)
    outcomes = (last - first) * (stop - 1 - low) + 1
    width = int(_total_bits(groups)) // 8 + 1  # bytes of one packed number
    left = [sum(die.counts) for _, die in groups]  # weights of the faces that are not passed yet
    # A state is one number, for speed: how many dice are placed, and how many of each group, as digits.
    radix = [1]
    for n, _ in groups:
        radix.append(radix[-1] * (n + 1))
    unit = radix.pop()
    states = {0: 1}
    result = 0
    for face in range(stop - 1, low - 1, -1) if descending else range(low, stop):
        bits = 8 * width * (face - low)
        for g, (n, die) in enumerate(groups):
            weight = die.at(face)
            if not weight:
                continue
            left[g] -= weight
            rest, step = left[g], unit + radix[g]
            after: dict[int, int] = {}
            for state, ways in states.items():
                placed, free = state // unit, n - state // radix[g] % (n + 1)
                missing, dropped = last - placed, max(first - placed, 0)
                choices = 1  # C(free, r)·weight^r: r dice of the group show this face
                fewer = 0  # Σ C(free, r)·weight^r·rest^(missing − 1 − r) over r < missing
                for r in range(min(free + 1, missing)):
                    if rest or r == free:
                        value = ways * choices
                        if r > dropped:
                            value <<= bits * (r - dropped)
                        key = state + r * step
                        after[key] = after[key] + value if key in after else value
                    fewer = fewer * rest + choices
                    choices = choices * (free - r) * weight // (r + 1)
                if free >= missing:
                    # The last place is taken here: the other dice show what comes later, or this face where they are behind.
                    others = (rest + weight) ** free - fewer * rest ** (free - missing + 1)
                    for other, (m, _) in enumerate(groups):
                        if other != g:
                            others *= left[other] ** (m - state // radix[other] % (m + 1))
                    result += (ways * others) << (bits * (missing - dropped))
            states = after
    counts = exact_counts.unpack(result, width, outcomes)
    return total(1, _reduced(counts, (last - first) * low, 0.0))


def _keep_many(groups: Sequence[tuple[int, Weights]], first: int, last: int, descending: bool) -> Variable:
    r"""The k highest of n equal fair dice with s sides, by the value t of the k-th highest.

    .. math:: \sum_t \sum_{j<k} \binom{n}{j}\, G_{s-t}(x)^j\, x^{t(k-j)}\, W_t(n-j),\qquad
        W_t(m) = \sum_{l \le n-k} \binom{m}{l} (t-1)^l

    j dice are above t (a sum of dice with s - t sides, by its recurrence), and of the m = n - j others at most n - k
    are below: :math:`W_t(m+1) = t\,W_t(m) - \binom{m}{n-k} (t-1)^{n-k+1}` on exact integers. Coefficients are rounded once.
    """
    (n, die), k = groups[0], last
    s = len(die.counts)
    operations = s * k + s * s * k * (k - 1) / 4
    bits = n * math.log2(s)
    large = bits > MAX_BITS or k * bits / 4 > MAX_BYTES or s * k > MAX_TERMS or operations > MAX_OPERATIONS
    if large or not _has_formula(groups):
        _refuse()
    length = k * (s - 1) + 1
    result = _PlainSum(length) if bits < 1000 else _ScaledSum(length)
    all_rolls = s**n
    for t, coefficients in _coefficients(n, k, s):
        for j in range(k):
            shift = j * t + (t - 1) * (k - j)  # of the sum above its lowest value k: j dice from t + 1, k − j dice at t
            if t == s and j:
                break
            coefficient = coefficients[j]
            if coefficient:
                pmf = scaled_pmf.uniform_dice(j, s - t) if j and s - t > 1 else scaled_pmf.plain(np.ones(1))
                result.add(shift, pmf, *_rounded(coefficient, all_rolls))
    pmf = result.pmf()
    start = k * die.start
    if not descending:
        pmf = scaled_pmf.reverse(pmf)
    return from_pmf(pmf, start, np.dtype(np.float64))


def _keep_middle(groups: Sequence[tuple[int, Weights]], low: int, high: int) -> Variable:
    r"""n equal fair dice with s sides without the `low` lowest and the `high` highest, by the lowest and the highest value kept.

    .. math:: \sum_{a<b} \sum_{p+m+q=n} \frac{n!}{p!\,m!\,q!}\, L_a(p)\, L_{s+1-b}(q)\, x^{a(p-low)+b(q-high)}\, G_{ab}(x)^m,
        \qquad L_a(p) = \sum_{i \le low} \binom{p}{i} (a-1)^i

    and what has all kept dice equal. p > low dice are at a or below, q > high at b or above (there with `high` for `low`), and m
    between, a sum of dice with b - a - 1 sides. The sums over p lie b - a apart. Factors are rounded once from exact integers.
    """
    n, die = groups[0]
    s, kept = len(die.counts), n - low - high
    bits, sums, work = n * math.log2(s), kept * s**3 / 6, n * kept**2 * s**3 / 2**20
    factors = s * max(n * low, n * high, low * high)
    if not _has_formula(groups) or max(sums, work) > MAX_TERMS or factors > MAX_STEPS or bits > MAX_BITS:
        _refuse()
    length, all_rolls = kept * (s - 1) + 1, s**n
    result = _PlainSum(length) if bits < 1000 else _ScaledSum(length)
    factorials = list(itertools.accumulate(range(1, n + 1), operator.mul, initial=1))
    lower = [_tied(n, low, a, factorials) for a in range(s)]
    upper = lower if low == high else [_tied(n, high, a, factorials) for a in range(s)]
    one = scaled_pmf.plain(np.ones(1))
    for t in range(s):  # all kept dice show t; i of the other dice are below and j above
        ways, first = 0, 1
        for i in range(low + 1):
            term = first
            for j in range(high + 1):
                ways += term
                term = term * (n - i - j) * (s - 1 - t) // (j + 1)
            first = first * (n - i) * t // (i + 1)
        result.add(kept * t, one, *_rounded(ways, all_rolls))
    for sides in range(s - 1):  # between a and b
        for m in range(kept - 1 if sides else min(kept - 1, 1)):
            middle = scaled_pmf.uniform_dice(m, sides) if m and sides > 1 else one
            factor = _rounded(factorials[n] * sides**m, factorials[m] * all_rolls)
            highest = n - m - high - 1  # value of p: it falls while the sum rises
            for a in range(s - 1 - sides):
                b = a + sides + 1
                (x, x_powers), (y, y_powers) = lower[a], upper[s - 1 - b]
                p, q = slice(highest, low, -1), slice(high + 1, n - m - low)
                mantissas, shift = np.frexp(x[p] * y[q] * factor[0])
                ends = scaled_pmf.scaled(2.0 * mantissas, x_powers[p] + y_powers[q] + (shift + (factor[1] - 1)))
                start, step = a * (highest - low) + b + m * (a + 1), sides + 1
                for r in range(min(step, len(middle))):
                    result.add(start + r, scaled_pmf.convolve(scaled_pmf.every(middle, r, step), ends), 1.0, 0, step)
    return from_pmf(scaled_pmf.normalised(result.pmf()), kept * die.start, np.dtype(np.float64))


def _tied(n: int, fewer: int, below: int, factorials: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mantissas and exponents of Σ_{i <= fewer} C(p, i) below^i / p! for p = 0 … n; 0 up to p = fewer."""
    mantissas, exponents = np.zeros(n + 1), np.zeros(n + 1, np.int64)
    for p in range(fewer + 1, n + 1):
        ways, term = 0, 1
        for i in range(fewer + 1):
            ways += term
            term = term * (p - i) * below // (i + 1)
        mantissas[p], exponents[p] = _rounded(ways, factorials[p])
    return mantissas, exponents


def _coefficients(n: int, k: int, s: int) -> Iterator[tuple[int, list[int]]]:
    """Each t with C(n, j) (s − t)^j W_t(n − j) for j = 0 … k − 1."""
    d = n - k
    binomials = [1]
    for j in range(k - 1):
        binomials.append(binomials[-1] * (n - j) // (j + 1))
    for t in range(1, s + 1):
        u = t - 1
        ways = t ** (d + 1) - u ** (d + 1)  # W_t(d + 1): all but those with every die below t
        weights, choose, power = [ways], d + 1, u ** (d + 1)
        for m in range(d + 1, n):
            ways = t * ways - choose * power
            choose = choose * (m + 1) // (m + 1 - d)  # C(m + 1, d)
            weights.append(ways)
        above, factors = 1, []
        for j in range(k):
            factors.append(binomials[j] * above * weights[k - 1 - j])
            above *= s - t
        yield t, factors


def _rounded(numerator: int, denominator: int) -> tuple[float, int]:
    """The quotient as a mantissa in [1, 2) and an exponent."""
    shift = denominator.bit_length() - numerator.bit_length() + 64
    quotient = (numerator << shift) // denominator if shift >= 0 else numerator // (denominator << -shift)
    mantissa, exponent = math.frexp(float(quotient))
    return 2.0 * mantissa, exponent - 1 - shift


class _PlainSum:
    """A sum of weighted pmfs whose entries are all normal numbers."""

    def __init__(self, length: int) -> None:
        self.values = np.zeros(length)

    def add(self, shift: int, pmf: scaled_pmf.Pmf, mantissa: float, exponent: int, step: int = 1) -> None:
        self.values[shift : shift + len(pmf) * step : step] += scaled_pmf.probs(pmf) * math.ldexp(mantissa, exponent)

    def pmf(self) -> scaled_pmf.Pmf:
        return scaled_pmf.plain(self.values)


class _ScaledSum:
    """A sum of weighted pmfs whose entries have powers of two beside them."""

    def __init__(self, length: int) -> None:
        self.values, self.exponents = np.zeros(length), np.full(length, -(2**40))

    def add(self, shift: int, pmf: scaled_pmf.Pmf, mantissa: float, exponent: int, step: int = 1) -> None:
        values, exponents = scaled_pmf.as_scaled(pmf)
        here = slice(shift, shift + len(pmf) * step, step)
        top = np.maximum(self.exponents[here], exponents + exponent)
        # ldexp of int32: what is 2000 powers of two smaller does not count.
        mine = np.maximum(self.exponents[here] - top, -2000).astype(np.int32)
        theirs = np.maximum(exponents + exponent - top, -2000).astype(np.int32)
        sums = np.ldexp(self.values[here], mine) + np.ldexp(values * mantissa, theirs)
        self.values[here], carry = np.frexp(sums)
        self.exponents[here] = top + carry

    def pmf(self) -> scaled_pmf.Pmf:
        return scaled_pmf.scaled(2.0 * self.values, self.exponents - 1)
