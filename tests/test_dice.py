"""Dice, their notation and their table, against exact integers."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp

import loglik as ll
from loglik.dice import render

U = 2.0**-53


def roll(*sides):
    """Ways to reach every sum of fair dice, lowest first, by adding one die at a time."""
    ways = [1]
    for s in sides:
        ways = [sum(ways[max(0, k - s + 1) : k + 1]) for k in range(len(ways) + s - 1)]
    return ways


# ------------------------------------------------------------------------------------------ dice


def test_lecture_values():
    assert ll.die(6).probs.tolist() == [1 / 6] * 6
    assert ll.die(6).support.tolist() == [1, 2, 3, 4, 5, 6]
    two = ll.dice(2, 6)
    assert two.prob(7) == 6 / 36
    assert two.counts() == ([1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1], 2)
    assert two == ll.die(6) + ll.die(6) == 2 @ ll.die(6) == ll.dice("2d6")
    assert (two.mean, two.variance) == (7, 35 / 6)
    assert ll.dice(3, 6).prob([2, 3, 18, 19]).tolist() == [0, 1 / 216, 1 / 216, 0]


@pytest.mark.parametrize(
    ("n", "s"), [(0, 6), (1, 1), (7, 1), (1, 6), (2, 2), (10, 2), (9, 6), (20, 20), (3, 100), (100, 6)]
)
def test_dice_against_integers(n, s):
    d = ll.dice(n, s)
    ways = roll(*[s] * n)
    assert d.counts() == (ways, n)
    assert d.probs.tolist() == [w / s**n for w in ways]
    assert d.support.tolist() == list(range(n, n * s + 1))
    assert (d.mean, d.variance) == (n * (s + 1) / 2, float(Fraction(n * (s * s - 1), 12)))


def test_the_far_tails():
    hundred = ll.dice(100, 6)
    assert hundred.prob(100) == pytest.approx(6.0**-100, rel=1e-13)
    assert hundred.prob(600) == hundred.prob(100)
    assert np.all(hundred.probs > 0)
    many = ll.dice(10_000, 6)
    with mp.workdps(40):
        end = -10_000 * mp.log(6)
    assert many.prob(10_000) == 0
    for x in (10_000, 60_000):
        assert abs(many.log_prob(x) - end) <= math.ulp(float(end))
    assert abs(many.log_prob(10_001) - (end + mp.log(10_000))) <= math.ulp(float(end))
    assert np.all(np.isfinite(many.log_probs))
    assert many.log_cdf(10_000) == many.log_prob(10_000)
    assert many.log_sf(59_999) == many.log_prob(60_000)
    assert abs(math.fsum(many.probs) - 1) <= 8 * U


def test_logarithms_of_every_outcome():
    d = ll.dice(600, 6)
    total = 6**600
    with mp.workdps(40):
        log_total = mp.log(total)
        for log_p, count in zip(d.log_probs.tolist(), d.counts()[0], strict=True):
            exact = mp.log(count) - log_total
            assert abs(log_p - exact) <= 1e-13 + math.ulp(float(exact))


@pytest.mark.parametrize(
    "text",
    ["3d4 + 2d6 + 1d8", "400d6 + 300d10", "1d2 + 1d100", "30d4 - 20d12", "5d6 + 2*3d4", "350d6 + 1d20"],
)
def test_mixed_pools_against_integers(text):
    d = ll.dice(text)
    sides = []
    if text == "5d6 + 2*3d4":
        three = roll(4, 4, 4)
        stretched = [w for way in three for w in (way, 0)][:-1]
        ways = np.convolve(np.array(roll(*[6] * 5), object), np.array(stretched, object)).tolist()
        total = 6**5 * 4**3
    else:
        for n, s in re.findall(r"(\d+)d(\d+)", text):
            sides += int(n) * [int(s)]
        ways, total = roll(*sides), math.prod(sides)
    assert d.counts()[0] == ways
    bound = 20 * len(ways) * U
    with mp.workdps(40):
        log_total = mp.log(total)
        for p, log_p, count in zip(d.probs.tolist(), d.log_probs.tolist(), ways, strict=True):
            exact = Fraction(count, total)
            if exact > Fraction(1, 2**1000):
                assert abs(Fraction(p) / exact - 1) <= bound
            exact_log = mp.log(count) - log_total
            assert abs(log_p - exact_log) <= bound + 2 * math.ulp(float(exact_log))
    assert abs(math.fsum(d.probs) - 1) <= bound


def test_equal_dice_merge():
    d = sum((ll.die(6) for _ in range(50)), start=ll.dice(50, 6))
    assert d == ll.dice(100, 6)
    assert repr(d) == "dice('100d6')"
    assert repr(ll.die(6) - ll.die(6)) == "dice('2d6 - 7')"
    assert (ll.die(6) - ll.die(6)).prob(0) == 6 / 36


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((-1, 6), ValueError, "n must be at least 0, got -1"),
        ((2, 0), ValueError, "sides must be at least 1, got 0"),
        ((2, -6), ValueError, "sides must be at least 1, got -6"),
        ((2.0, 6), TypeError, "n must be an integer, got 2.0"),
        ((2, "6"), TypeError, "sides must be an integer, got '6'"),
        ((True, 6), TypeError, "n must be an integer, got True"),
        ((2,), TypeError, "sides is missing"),
        ((None,), TypeError, "n must be an integer, got None"),
        (("2d6", 6), TypeError, "sides must be left out beside a notation"),
        ((10**8, 6), ValueError, "500000001 outcomes, more than the limit"),
        ((1, 10**30), ValueError, "more than the limit"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        ll.dice(*arguments)
    if arguments[0] == 1 and arguments[0] is not True:
        with pytest.raises(error, match=message):
            ll.die(arguments[1])


def test_counts_refuse_what_memory_cannot_hold():
    with pytest.raises(MemoryError, match="more than the limit of 1024 MiB"):
        ll.dice(100_000, 6).counts()
    with pytest.raises(MemoryError, match="mixed dice"):
        ll.dice("5000d6 + 5000d10").counts()


# ------------------------------------------------------------------------------------------ notation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3d6", ll.dice(3, 6)),
        ("d20", ll.die(20)),
        ("D20", ll.die(20)),
        ("d%", ll.die(100)),
        ("2d%", ll.dice(2, 100)),
        (" 3 d 6 +\t2 ", ll.dice(3, 6) + 2),
        ("3d6+2", ll.dice(3, 6) + 2),
        ("2d8-1d4", ll.dice(2, 8) - ll.die(4)),
        ("2d8−1d4", ll.dice(2, 8) - ll.die(4)),
        ("-d6", -ll.die(6)),
        ("+d6", ll.die(6)),
        ("10-d6", 10 - ll.die(6)),
        ("d6--2", ll.die(6) + 2),
        ("(d6+1)-(d4-(2))", ll.die(6) - ll.die(4) + 3),
        ("d6-d4-d4", ll.die(6) - ll.dice(2, 4)),
        ("2+3*4-1", ll.dice(0, 6) + 13),
        ("2*3*d1", ll.dice(0, 6) + 6),
        ("0d6", ll.dice(0, 6)),
        ("0*3d6", ll.dice(0, 6)),
        ("7", ll.dice(0, 6) + 7),
        ("3d1", ll.dice(0, 6) + 3),
        ("007d006", ll.dice(7, 6)),
    ],
)
def test_notation(text, expected):
    assert ll.dice(text) == expected


def test_integer_factors_multiply_the_outcome():
    for text in ("3*(d4+1)", "(d4+1)*3", "3×(1d4+1)"):
        d = ll.dice(text)
        assert d.support[d.probs > 0].tolist() == [6, 9, 12, 15]
        assert d.counts() == ([1, 0, 0, 1, 0, 0, 1, 0, 0, 1], 6)
        assert (d.mean, d.variance) == (10.5, 9 * 1.25)
    d = ll.dice("-2*(d2-5) + d2")
    assert dict(zip(d.support.tolist(), d.counts()[0], strict=True)) == {7: 1, 8: 1, 9: 1, 10: 1}


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 1, "expected a number"),
        ("   ", 4, "expected a number"),
        ("d", 2, "expected the number of sides"),
        ("3d", 3, "expected the number of sides"),
        ("3d+2", 3, "expected the number of sides"),
        ("3dd6", 3, "expected the number of sides"),
        ("d0", 2, "at least one side"),
        ("2d6+", 5, "expected a number"),
        ("2d6 3", 5, r"expected \+, -, \* or the end, found '3'"),
        ("2d6)", 4, "never opened"),
        ("(2d6", 1, "not closed"),
        ("((2d6)+1", 1, "not closed"),
        ("()", 2, "expected a number"),
        ("2(d6)", 2, "found '\\('"),
        ("d6*d4", 3, "integer on one side"),
        ("1.5", 2, "found '.'"),
        ("1e3d6", 2, "found 'e'"),
        ("x", 1, "expected a number"),
        ("3d6/2", 4, "found '/'"),
        ("３d6", 1, "expected a number"),
        ("1+1000000000d6", 3, "outcomes, more than the limit"),
        ("99999999999999999d6", 1, "15 digits at most"),
        ("999999999999999*999999999999999", 16, "beyond"),
        ("1000000*d1000", 8, "outcomes, more than the limit"),
        ("9999999d6 + 9999999d5", 11, "more than the limit"),
        ("(" * 60 + "1" + ")" * 60, 52, "more than 50 deep"),
        ("d6" + "+d6" * 4000, None, "more than the limit of 10000"),
    ],
)
def test_errors_point_at_the_character(text, position, message):
    with pytest.raises(ValueError, match=message) as caught:
        ll.dice(text)
    error = str(caught.value)
    assert error.startswith("dice: ")
    assert len(error) < 300
    if position is not None:
        first, shown, mark = error.split("\n")
        assert f"(character {position})" in first
        # The mark stands below the character, whatever is cut off around it.
        place = len(mark) - 1
        assert mark == " " * place + "^"
        wanted = text[position - 1] if position <= len(text) else ""
        assert shown[place : place + 1] == (wanted if wanted.isascii() else "\N{REPLACEMENT CHARACTER}")
    if len(text) <= 25:
        assert text.isascii() <= (error.split("\n")[1] == "    " + text)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="0123d%+-*() k!>=<hlrfx{},６\t\n\x00é", max_size=14))
def test_any_text_is_understood_or_a_value_error(text):
    message, d = None, None
    try:
        d = ll.dice(text)
    except ValueError as error:
        message = str(error)
    assert message.startswith("dice: ") if d is None else abs(d.probs.sum() - 1) < 1e-12


# ------------------------------------------------------------------------------------------ table


def probabilities_in(table):
    return [float(p) for p in re.findall(r"([\d.]+(?:e-?\d+)?) %", table)]


@pytest.mark.parametrize("text", ["3d6", "d2", "7", "2*d4", "100d6", "d%", "1000d6 + 3d100", "100000d6"])
@pytest.mark.parametrize("width", [40, 60, 78])
def test_table_shows_all_probability_within_its_width(text, width):
    d = ll.dice(text)
    table = render(d, width=width)
    lines = table.split("\n")
    assert max(map(len, lines)) <= width
    assert len(lines) <= 46
    head = " ".join(line.strip() for line in lines[: lines.index("")])
    assert head.startswith(f"{d.start} to {d.support[-1]}, mean {d.mean:.10g}, sd ")
    assert f"0.05: {int(d.quantile(0.05))}, " in head
    assert sum(probabilities_in(table)) == pytest.approx(100, abs=0.01)
    assert "█" in table
    assert render(d, width=width, ascii_only=True).isascii()


def test_table_of_small_and_far_probabilities():
    table = render(ll.dice("d4") - 3)
    assert [line.split()[0] for line in table.split("\n")[3:]] == ["-2", "-1", "0", "1"]
    extreme = render(ll.Discrete(log_probs=[-math.inf, -2000.0, 0.0, -700.0]))
    rows = [line.split()[:2] for line in extreme.split("\n")[3:]]
    # exp(-2000) = 10^-868.589 = 2.58e-869
    assert rows == [["0", "0.0000"], ["1", "2.58e-867"], ["2", "100.0000"], ["3", "9.86e-303"]]
