"""Kept, dropped, exploding, rerolled and counted dice against enumeration of every roll in exact fractions."""

import itertools
import math
import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

import loglik as ll
from loglik._dice import pools
from loglik._discrete import scaled_pmf

U = 2.0**-53


def fair(sides, start=1):
    return {face: Fraction(1, sides) for face in range(start, start + sides)}


def enumerate_kept(dice, first, last):
    """Distribution of the sum of the places first … last − 1 from the highest, by every roll."""
    result = Counter()
    for roll in itertools.product(*(die.items() for die in dice)):
        faces = sorted((face for face, _ in roll), reverse=True)
        result[sum(faces[first:last])] += math.prod(p for _, p in roll)
    return result


def check(d, exact, relative=2 * U):
    """Every probability and count of `d` against exact fractions."""
    lowest, highest = min(k for k, p in exact.items() if p), max(k for k, p in exact.items() if p)
    assert (d.start, d.support[-1]) == (lowest, highest)
    counts, start = d.counts()
    total = sum(counts)
    assert start == lowest
    for k, p, count in zip(d.support.tolist(), d.probs.tolist(), counts, strict=True):
        assert Fraction(count, total) == exact.get(k, 0)
        assert abs(Fraction(p) - exact.get(k, 0)) <= relative * exact.get(k, 0)
    mean = sum(k * p for k, p in exact.items())
    assert d.mean == float(mean)
    assert d.variance == pytest.approx(float(sum((k - mean) ** 2 * p for k, p in exact.items())), rel=1e-15)


@pytest.mark.parametrize(
    ("text", "sides", "places"),
    [
        ("4d6kh3", [6] * 4, (0, 3)),
        ("4d6k3", [6] * 4, (0, 3)),
        ("4d6kl3", [6] * 4, (1, 4)),
        ("4d6dl1", [6] * 4, (0, 3)),
        ("4d6d1", [6] * 4, (0, 3)),
        ("4d6dh1", [6] * 4, (1, 4)),
        ("4 D6 KH 1", [6] * 4, (0, 1)),
        ("2d20kh1", [20] * 2, (0, 1)),
        ("2d20kl1", [20] * 2, (1, 2)),
        ("5d4kh2", [4] * 5, (0, 2)),
        ("5d4kl4", [4] * 5, (1, 5)),
        ("5d6dl1dh1", [6] * 5, (1, 4)),
        ("5d4dh2dl1", [4] * 5, (2, 4)),
        ("5d6kh4kl2", [6] * 5, (2, 4)),
        ("3d1kh2", [1] * 3, (0, 2)),
        ("3d6kh3", [6] * 3, (0, 3)),
        ("{2d6+d8}kh2", [6, 6, 8], (0, 2)),
        ("{2d6 + d8 + d4}dl1", [6, 6, 8, 4], (0, 3)),
        ("{d4+d6+d8+d10}dh1dl1", [4, 6, 8, 10], (1, 3)),
        ("{d20+0d6+2d4}kl2", [20, 4, 4], (1, 3)),
        ("{d6+d6+d4}kh1", [6, 6, 4], (0, 1)),
        ("{2d6+d4}", [6, 6, 4], (0, 3)),
    ],
)
def test_keeping_against_every_roll(text, sides, places):
    check(ll.dice(text), enumerate_kept([fair(s) for s in sides], *places))


def test_keeping_totals():
    exact = enumerate_kept([enumerate_kept([fair(6)] * 2, 0, 2), fair(12), {7: Fraction(1)}], 0, 2)
    check(ll.dice("{2d6, d12, 7}kh2"), exact)
    inner = enumerate_kept([enumerate_kept([fair(6)] * 2, 0, 2), fair(12)], 1, 2)
    other = {2 * (k - 3): Fraction(1, 4) for k in range(1, 5)}
    check(ll.dice("{{2d6, d12}kl1, 2*(d4-3)}kh1"), enumerate_kept([inner, other], 0, 1))


def test_dice_around_zero():
    check(ll.dice("4dF"), enumerate_kept([fair(3, -1)] * 4, 0, 4))
    check(ll.dice("4dFkh2"), enumerate_kept([fair(3, -1)] * 4, 0, 2))
    check(ll.dice("3dFr<0"), enumerate_kept(
        [{-1: Fraction(1, 9), 0: Fraction(4, 9), 1: Fraction(4, 9)}] * 3, 0, 3
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rerolled", "forever"),
    [
        ("2d6r1", {1}, False),
        ("2d6ro1", {1}, False),
        ("2d6rr1", {1}, True),
        ("2d6r<3", {1, 2}, False),
        ("2d6 r <= 2", {1, 2}, False),
        ("2d6r=3", {3}, False),
        ("2d6rr3", {3}, True),
        ("2d6rr>4", {5, 6}, True),
        ("2d6r>=1", {1, 2, 3, 4, 5, 6}, False),
        ("2d6r9", set(), False),
    ],
)
def test_rerolling(text, rerolled, forever):
    again = Fraction(len(rerolled), 6)
    die = {k: (Fraction(0) if k in rerolled else Fraction(1, 6)) + again / 6 for k in range(1, 7)}
    if forever:
        die = {k: Fraction(1, 6 - len(rerolled)) for k in range(1, 7) if k not in rerolled}
    check(ll.dice(text), enumerate_kept([die] * 2, 0, 2), relative=20 * 20 * U)
    check(ll.dice(text + "kh1"), enumerate_kept([die] * 2, 0, 1))


def test_rerolls_in_turn():
    assert ll.dice("d6rr1rr2") == ll.die(4) + 2
    assert ll.dice("d6rr1r6").prob(6) == pytest.approx(1 / 25, rel=1e-15)


def exploded(sides, rolls):
    """What a die shows that is rolled again at its highest face, `rolls` times at most, given that it stops."""
    mass = 1 - Fraction(1, sides**rolls)
    return {i * sides + face: Fraction(1, sides ** (i + 1)) / mass for i in range(rolls) for face in range(1, sides)}


@pytest.mark.parametrize("sides", [2, 3, 6, 10, 20, 100])
def test_exploding(sides):
    rolls = next(r for r in itertools.count(1) if sides**r > 2**60)
    if sides == 2:
        assert rolls == 61  # 2^-60 is not below 2^-60
    d = ll.dice(f"d{sides}!")
    exact = exploded(sides, rolls)
    check(d, {k: exact.get(k, Fraction(0)) for k in range(1, max(exact) + 1)})
    assert d.truncated_mass == float(Fraction(1, sides**rolls))
    assert d.truncated_mass < 2.0**-60
    # s(s+1)/2 faces, and all over again with probability 1/s
    assert d.mean == pytest.approx((sides + 1) / 2 * sides / (sides - 1), rel=1e-15)


def test_exploding_is_kept_and_added():
    exact = enumerate_kept([exploded(100, 2)] * 2, 0, 1)  # only to two rolls: compared where those suffice
    d = ll.dice("2d100!kh1")
    for k in range(1, 99):
        assert d.prob(k) == pytest.approx(float(exact[k]) * (1 - 1e-4) ** 2, rel=1e-12)
    one, two = ll.dice("d6!"), ll.dice("2d6!")
    assert two == one + one
    lost = one.truncated_mass
    for d in (two, one + one, 2 @ one, ll.dice("2d6!kh1"), ll.dice("{d6!, d6!}kl1"), -(one + one)):
        assert d.truncated_mass == pytest.approx(2 * lost, rel=1e-12)
    assert (one + ll.Discrete([0.5, 0.5])).truncated_mass == lost
    assert (one + 3).truncated_mass == (3 - one).truncated_mass == ll.dice("2*d6!").truncated_mass == lost
    assert pickle.loads(pickle.dumps(one)).truncated_mass == lost
    assert ll.dice("3d6").truncated_mass == 0


def test_reroll_then_explode():
    # no ones: 2 … 6 with equal chance, and 6 goes on
    d = ll.dice("d6rr1!")
    assert d.prob([2, 5, 6, 8, 11, 12]).tolist() == pytest.approx([1 / 5, 1 / 5, 0, 1 / 25, 1 / 25, 0], rel=1e-15)


@pytest.mark.parametrize(
    ("text", "n", "hits", "sides"),
    [
        ("5d10>=8", 5, 3, 10), ("5d10≥8", 5, 3, 10), ("5d10>8", 5, 2, 10), ("5d10<=8", 5, 8, 10), ("5d10 < 8", 5, 7, 10),
        ("5d10=8", 5, 1, 10), ("5d10==8", 5, 1, 10), ("4d2=1", 4, 1, 2), ("d6>=5", 1, 2, 6), ("3d%<=50", 3, 50, 100),
    ],
)  # fmt: skip
def test_successes_are_binomial(text, n, hits, sides):
    p = Fraction(hits, sides)
    exact = {k: math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)}
    check(ll.dice(text), exact, relative=20 * (n + 1) * U)


def test_successes_at_the_edges():
    assert ll.dice("5d10>=11") == ll.dice("0")
    assert ll.dice("5d10>=1") == ll.dice("5")
    assert ll.dice("0d10>=5") == ll.dice("0")
    assert ll.dice("5d10>=8+2") == ll.dice("5d10>=8") + 2
    assert ll.dice("2d6r1>=6").probs[2] == pytest.approx((7 / 36) ** 2, rel=1e-15)


# ------------------------------------------------------------------------------------------ large pools


def exact_kept(n, s, k):
    """Counts of the k highest of n fair dice by another way: one die value after the other, over polynomials as dictionaries."""
    states = {(0, 0): 1}  # dice placed, sum of those among the k first
    for face in range(s, 0, -1):
        after = Counter()
        for (placed, total), ways in states.items():
            for r in range(n - placed + 1):
                if face > 1 or r == n - placed:
                    after[placed + r, total + face * max(0, min(k - placed, r))] += ways * math.comb(n - placed, r)
        states = after
    return [states[n, total] for total in range(k, k * s + 1)]


@pytest.mark.parametrize(("n", "s", "k"), [(8, 10, 5), (20, 20, 10), (30, 6, 29), (40, 4, 20), (60, 3, 1)])
def test_large_pools_against_exact_integers(n, s, k):
    counts = exact_kept(n, s, k)
    high, low = ll.dice(f"{n}d{s}kh{k}"), ll.dice(f"{n}d{s}kl{k}")
    common = math.gcd(*counts)
    assert high.counts() == ([c // common for c in counts], k)
    assert low.counts() == ([c // common for c in counts[::-1]], k)
    assert high.probs.tolist() == [c / s**n for c in counts]


@pytest.mark.parametrize(
    ("n", "s", "k"), [(8, 10, 5), (5, 6, 4), (4, 6, 1), (30, 6, 29), (40, 20, 3), (60, 3, 30), (400, 6, 2), (700, 3, 2)]
)
def test_the_formula_for_many_dice(n, s, k):
    """In doubles and in scaled numbers: relative error of every outcome, the far tails included."""
    counts = exact_kept(n, s, k)
    groups = [(n, pools.fair(s))]
    high, low = (ll.Discrete._from_variable(pools._keep_many(groups, 0, k, descending)) for descending in (True, False))
    bound = 8 * s * k * U
    for log_p, p, count in zip(high.log_probs.tolist(), high.probs.tolist(), counts, strict=True):
        exact = Fraction(count, s**n)
        if exact > Fraction(1, 2**1000):
            assert abs(Fraction(p) / exact - 1) <= bound
        log_exact = math.log(count) - math.log(s**n)
        assert log_p == pytest.approx(log_exact, abs=bound + 4 * math.ulp(n * math.log(s)))
    assert low.log_probs.tolist() == high.log_probs.tolist()[::-1]
    assert abs(math.fsum(high.probs) - 1) <= bound


@pytest.mark.parametrize(
    ("n", "s", "low", "high"),
    [(3, 2, 1, 1), (3, 6, 1, 1), (5, 6, 2, 1), (5, 6, 1, 3), (12, 6, 2, 2), (20, 3, 1, 4), (9, 10, 1, 2), (4, 20, 1, 1),
     (40, 6, 1, 3), (60, 4, 20, 10), (31, 6, 15, 15), (400, 2, 3, 390), (700, 3, 690, 2)],
)  # fmt: skip
def test_dropping_at_both_ends_of_many_dice(n, s, low, high):
    groups = [(n, pools.fair(s))]
    got = ll.Discrete._from_variable(pools._keep_middle(groups, low, high))
    exact = ll.Discrete._from_variable(pools._keep_exact(groups, high, n - low, True))
    counts, start = exact.counts()
    assert (got.start, len(got.probs)) == (start, len(counts))
    mantissas, exponents = scaled_pmf.as_scaled(got._masses)
    total = sum(counts)
    for m, e, count in zip(mantissas.tolist(), exponents.tolist(), counts, strict=True):
        assert abs(Fraction(m) * Fraction(2) ** e * total / count - 1) <= 8 * s * n * U
    mirrored = ll.Discrete._from_variable(pools._keep_middle(groups, high, low))
    np.testing.assert_allclose(mirrored.log_probs[::-1], got.log_probs, rtol=1e-13, atol=16 * s * n * U)


def test_dropping_at_both_ends_in_the_notation():
    d = ll.dice("250d6dl2dh1")
    assert (d.start, d.support[-1]) == (247, 6 * 247)
    # all kept dice are ones: at most one die shows more
    assert d.log_prob(247) == pytest.approx(math.log1p(250 * 5) - 250 * math.log(6), rel=1e-15)
    # all kept dice are sixes: at most two show less
    ways = 1 + 250 * 5 + math.comb(250, 2) * 25
    assert d.log_prob(6 * 247) == pytest.approx(math.log(ways) - 250 * math.log(6), rel=1e-15)
    assert abs(math.fsum(d.probs) - 1) <= 1e-15
    # Order statistics of a Bernoulli variable: the sum of what is kept depends on the number of twos only.
    d = ll.dice("3000d2dl10dh20")
    log_p = [math.log(math.comb(3000, k)) - 3000 * math.log(2) for k in (1021, 1520, 2020)]
    assert d.log_prob([2970 + k - 20 for k in (1021, 1520, 2020)]).tolist() == pytest.approx(log_p, rel=1e-13, abs=1e-12)


def test_the_formula_is_used_where_integers_are_too_large():
    d = ll.dice("1000d6kh500")
    with pytest.raises(ValueError, match="no exact counts"):
        d.counts()
    assert np.all(np.isfinite(d.log_probs))
    # all ones; and at least 500 sixes
    assert d.log_prob(500) == pytest.approx(-1000 * math.log(6), rel=1e-15)
    sixes = sum(math.comb(1000, r) * 5 ** (1000 - r) for r in range(500, 1001))
    assert d.log_prob(3000) == pytest.approx(math.log(sixes) - 1000 * math.log(6), rel=1e-14)


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("4d6kh5", 4, "would keep 5 dice, but there are only 4"),
        ("4d6dl4", 4, "keeps no dice"),
        ("4d6dl5", 4, "would drop 5 dice"),
        ("1d6kh2", 4, "there is only 1"),
        ("4d6kh0", 4, "keeps no dice"),
        ("4d6dl2dh2", 7, "keeps no dice"),
        ("4d6dl2dh3", 7, "would drop 3 dice, but there are only 2"),
        ("0d6kh1", 4, "there are only 0"),
        ("4d6kh", 6, "expected how many dice to keep"),
        ("4d6 dl+1", 7, "expected how many dice to drop"),
        ("d6kh1", 1, "need the number of dice"),
        ("2+d6dl1", 3, "need the number of dice"),
        ("3d1!", 4, "explode forever"),
        ("d6rr>1!", 7, "explode forever"),
        ("d6rr<=6", 3, "rerolled forever"),
        ("d6r", 4, "expected what is rerolled"),
        ("d6r<", 5, "expected a number after <"),
        ("5d10>=", 7, "expected a number after >="),
        ("5d10>=d4", 7, "expected a number after >="),
        ("3d6!>=5", 5, "successes of exploding dice"),
        ("4d6kh3r1", 7, "cannot stand here"),
        ("3d6!r1", 5, "cannot stand here"),
        ("3d6!!", 5, "cannot stand here"),
        ("3d6>=5kh1", 7, "cannot stand here"),
        ("4d6kh3>=5", 7, "cannot stand here"),
        ("5d10>=8>=2", 8, "cannot stand here"),
        ("{d6,d8", 1, "brace is not closed"),
        ("{d6+d8", 1, "brace is not closed"),
        ("{d6,d8)", 7, "a comma or a closing brace"),
        ("{d6+d8)", 7, "closing brace"),
        ("d6}", 3, "brace was never opened"),
        ("{}kh1", 2, "expected dice such as 2d6"),
        ("{d6+3}kh1", 5, "expected dice such as 2d6"),
        ("{d6,}kh1", 5, "expected a number"),
        ("{d6,d8}kh3", 8, "there are only 2"),
        ("d10000000!", 1, "up to 1048576 sides"),
        ("2d1000000kh2kl1", 13, "too long"),
        ("100000d6kh500", 9, "too long"),
        ("100000d6dl1dh1", 12, "too long"),
        ("{1000d6+1000d8}dl1dh1", 19, "too long"),
        ("{50d4+50d6+50d8+50d10}kh50", 23, "too long"),
        ("{9999d6, d6}kh1", 2, "too large"),
        ("{d6, 999999d6}kh1", 6, "outcomes at most"),
        ("{d6, 1000d6kh500}kh1", 6, "too large"),
        ("1000000000d2kh1", 13, "too long"),
        ("60000d2kh30000", 8, "too long"),
        ("999999999999999d6kh1", 18, "too long"),
        ("999999999999999d6!", 1, "outcomes, more than the limit"),
    ],
)
def test_errors_point_at_the_character(text, position, message):
    with pytest.raises(ValueError, match=message) as caught:
        ll.dice(text)
    first, shown, mark = str(caught.value).split("\n")
    assert first.startswith("dice: ")
    if position is not None:
        assert first.endswith(f"(character {position})")
        assert shown == "    " + text
        assert mark == " " * (position + 3) + "^"
