"""The tour: the code it shows runs, its figures are right, its lines fit the terminal."""

import io
import math

import numpy as np
import pytest

from loglik.bench import all_cases
from loglik.data import load_body
from loglik.tour import CHAPTERS, _text, run, run_chapter, speed, start


@pytest.fixture(scope="module")
def variables():
    """Variables and lines of all chapters, run once."""
    v = start()
    lines = [run_chapter(number, chapter, v, _text.Style()) for number, chapter in enumerate(CHAPTERS, 1)]
    return v, lines


def test_the_code_shown_is_the_code_run(variables):
    _, lines = variables
    for chapter, text in zip(CHAPTERS, lines, strict=True):
        for code in chapter.CODE.splitlines():
            assert "    " + code in text


def test_lines_fit(variables):
    _, lines = variables
    assert max(len(line) for text in lines for line in text) <= 100


def test_people(variables):
    v, lines = variables
    body = load_body()
    x = np.column_stack([body.height, body.weight])
    mean, covariance = x.mean(axis=0), np.cov(x.T, ddof=0)
    # At the maximum of the likelihood the squared distances sum to n d exactly.
    total = -0.5 * len(x) * (2 + math.log(np.linalg.det(covariance)) + 2 * math.log(2 * math.pi))
    assert float(v["log_prob"].sum()) == pytest.approx(total, rel=1e-12)
    assert f"{total:.2f}" in "\n".join(lines[0])
    distance = np.einsum("ni,ij,nj->n", x - mean, np.linalg.inv(covariance), x - mean)
    assert int(np.argmin(v["log_prob"])) == int(np.argmax(distance))


def test_digits(variables):
    v, _ = variables
    probs, ink, truth = v["probs"], v["ink"][v["test"]], v["labels"][v["test"]]
    assert probs.shape == (10, 64)
    assert 0 < probs.min() < probs.max() < 1
    expected = -(ink @ np.log(probs).T + (1 - ink) @ np.log1p(-probs).T)
    np.testing.assert_allclose(v["nll"], expected, rtol=1e-12)
    accuracy = np.mean(v["guess"] == truth)
    assert 0.8 < accuracy < 0.95
    # The second half was not learned from.
    first = v["ink"][v["learn"]][v["labels"][v["learn"]] == 3]
    np.testing.assert_allclose(probs[3], (first.sum(axis=0) + 1) / (len(first) + 2), rtol=1e-15)


def test_divergence(variables):
    v, _ = variables
    for exact, estimate, (p, q) in zip(v["exact"], v["sampled"], v["pairs"], strict=True):
        a, b = (np.asarray(d.covariance) for d in (p, q))
        shift = np.asarray(q.mean) - np.asarray(p.mean)
        definition = 0.5 * (
            np.trace(np.linalg.solve(b, a))
            + shift @ np.linalg.solve(b, shift)
            - 64
            + np.linalg.slogdet(b)[1]
            - np.linalg.slogdet(a)[1]
        )
        assert float(exact) == pytest.approx(definition, rel=1e-10)
        assert abs(estimate.value - definition) < 5 * estimate.stderr
        assert estimate.low < estimate.value < estimate.high
    assert float(v["exact"][0]) != pytest.approx(float(v["exact"][1]), rel=0.01)


def test_dice(variables):
    v, _ = variables
    distance = list(v["distance"].values())
    assert distance == sorted(distance, reverse=True)
    assert distance[0] / distance[-1] > 100
    assert float(v["all_ones"]) == pytest.approx(-1000 * math.log(6), rel=1e-14)


def test_speed_rows_are_cases_and_fit():
    names = {f"{case.name} {case.dtype}" for case in all_cases()}
    assert set(speed.LOOPS) <= names
    rows = [
        {
            "name": key.split()[0],
            "dtype": key.split()[1],
            "seconds": {"min": 0.5e-3, "median": 1e-3},
            "peers": {"numpy": {"min": 5e-3, "median": 6e-3}},
            "fraction": None if "dice" in key else 0.5,
        }
        for key in speed.LOOPS
    ]
    lines = speed.show(rows, _text.Style())
    assert sum("10.0x" in line for line in lines) == 4
    assert sum("50%" in line for line in lines) == 3
    assert max(map(len, lines)) <= 100


def test_the_whole_tour_prints():
    out = io.StringIO()
    run(speed=False, file=out)
    text = out.getvalue()
    assert "\x1b" not in text  # no colours into a file
    for chapter in CHAPTERS:
        assert chapter.TITLE in text
    assert "The tour took" in text


# ------------------------------------------------------------------------------- drawing


def test_columns_are_proportional():
    assert _text.columns(np.array([0.0, 4.0, 8.0]), 1) == [" ▄█"]
    assert _text.columns(np.array([1.0, 2.0]), 2) == [" █", "██"]
    assert _text.columns(np.zeros(2), 1) == ["  "]


def test_images_and_blocks():
    assert _text.image(np.array([[0.0, 1.0], [0.5, 2.0]])) == ["  ██", "▒▒██"]
    assert _text.beside([["ab", "c"], ["d"]], gap="|", indent="") == ["ab|d", "c |"]


def test_tables_align():
    lines = _text.table(("a", "bb"), [("long", "1"), ("x", "22")], indent="")
    assert lines == ["a      bb", "----   --", "long    1", "x      22"]


def test_scatter_puts_points_in_their_cells():
    x, y = np.array([0.0, 0.0, 3.0]), np.array([0.0, 0.0, 1.0])
    assert _text.scatter(x, y, {"A": 2}, shape=(2, 4)) == ["   A", ":   "]


def test_colours():
    style = _text.Style(colour=True)
    assert style.title("t") == "\x1b[1mt\x1b[0m"
    assert _text.Style().title("t") == "t"
