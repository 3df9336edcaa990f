"""The tour: its code runs, its values are those of the lecture, its text fits the terminal, its page is whole."""

import html.parser
import io
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from loglik.bench import all_cases
from loglik.data import load_body, load_digits
from loglik.tour import STEPS, TOPICS, _text, run, select, speed, step_text, write_html
from loglik.tour._step import Session, display

NUMBERED = select(speed=False)
LOG2PI = math.log(2 * math.pi)


@pytest.fixture(scope="module")
def session():
    """All steps share it, so that each runs once."""
    return Session(STEPS)


@pytest.fixture
def shown(session):
    """Values shown by a step, in order."""
    return lambda name: session(name).shown


@pytest.fixture
def variables(session):
    return lambda name: session(name).variables


# ---------------------------------------------------------------------------------- form


def test_every_topic_has_a_step():
    assert set(TOPICS) == set(range(1, 25))
    assert {topic for step in STEPS for topic in step.topics} == set(TOPICS)
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("number", "step"), NUMBERED, ids=lambda x: getattr(x, "name", None))
def test_a_step_fits_the_screen_and_shows_the_code_that_ran(number, step, session):
    lines = step_text(number, step, session(step.name), _text.Style())
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 45
    assert 1 <= len(step.code.splitlines()) <= 10
    for code in step.code.splitlines():
        assert "    " + code in lines
    for line in session(step.name).printed():
        assert "  > " + line in lines


@pytest.mark.parametrize(("number", "step"), NUMBERED, ids=lambda x: getattr(x, "name", None))
def test_a_step_is_text_in_ascii_too(number, step, session):
    lines = step_text(number, step, session(step.name), _text.Style(ascii_only=True))
    text = "\n".join(lines)
    assert text.isascii()
    assert text.count("?") == "\n".join([step.title, step.question]).count("?")  # no character is lost
    assert max(map(len, lines)) <= 110


def test_the_same_numbers_again(session):
    again = Session(STEPS)
    for name in ("fit", "bertrand", "sampled", "gaussians", "monte-carlo"):
        assert again(name).printed() == session(name).printed()


def test_values_are_displayed():
    assert display(1 / 3) == ["0.33333333"]
    assert display((1.0, np.float64(2.5), "x")) == ["1   2.5   x"]
    assert display({"a": (1, 2.0), "long": (0.25, 3)}) == ["a      1      2", "long   0.25   3"]
    assert display(np.eye(2)) == ["[[1. 0.]", " [0. 1.]]"]
    assert max(map(len, display("word " * 40))) <= 76


def test_selecting_steps():
    assert [step.name for _, step in select("2-3, people")] == ["two-dice", "clt", "people"]
    assert select("1") == [(1, STEPS[0])]
    assert len(select()) == len(STEPS)
    assert all(step.name != "speed" for _, step in select(speed=False))
    for wrong in ("0", "dice-3", "99", "3-", "", "2-1,x"):
        with pytest.raises(ValueError, match="no step"):
            select(wrong)


# ---------------------------------------------------------------------------------- values: distributions


def test_diagnostic_test(shown):
    ppv, ratio, once, thrice = shown("test")
    assert ppv[0.01] == pytest.approx(1 / 12, rel=1e-14)
    assert ppv[0.5] == pytest.approx(0.9, rel=1e-14)
    assert ratio == pytest.approx(9, rel=1e-14)
    np.testing.assert_allclose(once, [1 / 12, 11 / 12], rtol=1e-14)
    np.testing.assert_allclose(thrice, np.array([729, 99]) / 828, rtol=1e-14)


def test_dice(shown, variables):
    ways, (seven, many, mean) = shown("two-dice")
    assert ways == [1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1]
    assert (seven, many, mean) == pytest.approx((1 / 6, 1 / 6, 7), rel=1e-14)
    table, ones = shown("clt")
    for column in zip(*table.values(), strict=True):
        assert list(column) == sorted(column, reverse=True)
    assert ones == pytest.approx(-1000 * math.log(6), rel=1e-14)
    np.testing.assert_allclose(variables("clt").sums[1].probs, 1 / 6, rtol=1e-15)


def test_distributions(shown):
    (five,) = shown("five")
    assert five["Uniform"][:2] == pytest.approx((1, math.log(2)))
    assert five["Normal"][1] == pytest.approx(0.5 * (LOG2PI + 1) + math.log(0.5))
    assert five["MultivariateNormal"][1] == pytest.approx(LOG2PI + 1 + 0.5 * math.log(0.36))
    density, (mean, variance, between) = shown("uniform")
    assert density.tolist() == [0, 2, 2, 2, 0]
    assert (mean, variance, between) == pytest.approx((2.25, 0.25 / 12, 0.2), rel=1e-14)
    within, (peak, cdf), (tail, log_tail), (second, exponential, formula) = shown("normal")
    np.testing.assert_allclose(within, [math.erf(k / 2**0.5) for k in (1, 2, 3)], rtol=1e-14)
    assert (peak, cdf) == pytest.approx((1 / math.sqrt(2 * math.pi), 0.9750021048517795), rel=1e-14)
    assert (tail, log_tail) == (0, pytest.approx(-804.6084420137538, rel=1e-14))
    assert (second, exponential) == pytest.approx((1, formula), rel=1e-10)
    _, (variance, entropy), often, (tiny, lost) = shown("bernoulli")
    np.testing.assert_allclose(variance, [0.16, 0.16, 0.25], rtol=1e-14)
    np.testing.assert_allclose(entropy[2], math.log(2), rtol=1e-14)
    np.testing.assert_allclose(often, [0.8, 0.2, 0.5], atol=0.02)
    assert tiny == pytest.approx(math.exp(-50), rel=1e-14)
    assert lost == 0


def test_variance_two_ways(shown):
    (rows,) = shown("variance")
    exact = np.var(load_body().weight)
    assert [good for good, _ in rows.values()] == pytest.approx([exact] * 4, rel=1e-8)
    assert abs(rows["1e+08"][1] / exact - 1) > 0.01


def test_correlation(shown):
    sampled, parabola = shown("correlation")
    for rho, found in sampled.items():
        assert found == pytest.approx(rho, abs=0.02)
    assert parabola == pytest.approx(0, abs=1e-15)


def test_data_matrix(shown):
    (sigma, rho), total = shown("matrix")
    assert rho == pytest.approx(56.4 / math.sqrt(51.84 * 67.6), rel=1e-13)
    np.testing.assert_allclose(sigma, [[51.84, 56.4], [56.4, 67.6]], rtol=1e-14)
    # At the maximum the squared distances sum to n d.
    assert total == pytest.approx(-0.5 * 5 * (2 + math.log(51.84 * 67.6 - 56.4**2) + 2 * LOG2PI), rel=1e-12)


def test_people(shown, variables):
    body = load_body()
    x = np.column_stack([body.height, body.weight])
    covariance = np.cov(x.T, ddof=0)
    (mean, std, rho), (joint, alone), odd = shown("people")
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-14)
    assert joint == pytest.approx(-0.5 * len(x) * (2 + math.log(np.linalg.det(covariance)) + 2 * LOG2PI), rel=1e-12)
    assert joint - alone == pytest.approx(-len(x) / 2 * math.log1p(-(rho**2)), rel=1e-10)
    distance = np.einsum("ni,ij,nj->n", x - mean, np.linalg.inv(covariance), x - mean)
    np.testing.assert_array_equal(odd["A"][0], x[np.argmax(distance)])

    everybody, given, (ratio, direct) = shown("marginal")
    np.testing.assert_allclose(everybody["all"], [[mean[1]], [std[1]]], rtol=1e-14)
    (a, b), (_, d) = covariance
    for h, (m, s) in given.items():
        assert m == pytest.approx(mean[1] + b / a * (h - mean[0]), rel=1e-12)
        assert s == pytest.approx(math.sqrt(d - b * b / a), rel=1e-12)
    assert ratio == pytest.approx(direct, rel=1e-12)


def test_degenerate(shown):
    error, (rank, (on, off)) = shown("degenerate")
    assert "singular" in str(error)
    assert rank == 1
    # One dimension along (2, 1): variance 5, at distance sqrt(5).
    assert on == pytest.approx(-0.5 * (1 + math.log(5) + LOG2PI), rel=1e-12)
    assert off == -math.inf


def test_images(shown):
    each, (total, summed) = shown("images")
    assert max(each, key=each.get) == 0
    assert total == pytest.approx(summed, rel=1e-13)
    digits = load_digits()
    ink = (digits.images >= 8).reshape(-1, 64)
    zeros = ink[digits.labels == 0]
    p = (zeros.sum(axis=0) + 1) / (len(zeros) + 2)
    assert total == pytest.approx(np.where(zeros, np.log(p), np.log1p(-p)).sum(), rel=1e-12)


# ---------------------------------------------------------------------------------- values: likelihood


def test_four_points(shown, variables):
    (product, log_l), (lost, total) = shown("sequence")
    assert log_l == pytest.approx(-6.675754132818691, rel=1e-15)
    assert product == pytest.approx(math.exp(-6.675754132818691), rel=1e-14)
    assert lost == 0
    many = variables("sequence").many
    assert total == pytest.approx(-0.5 * (many**2).sum() - 500 * LOG2PI, rel=1e-12)
    (mu, variance, best), (mean, exact_variance, exact), slopes = shown("surface")
    assert (mean, exact_variance) == (0.5, pytest.approx(1.25, rel=1e-15))
    assert mu == pytest.approx(0.5)
    assert variance == pytest.approx(1.25, abs=0.01)
    assert exact == pytest.approx(-6.122041235447110, rel=1e-15)
    assert best == pytest.approx(exact, abs=1e-4)
    assert best <= exact
    np.testing.assert_allclose(slopes, 0, atol=1e-14)


def test_estimates(shown, variables):
    _, (wrong_family, right_family) = shown("fit")
    assert right_family < wrong_family
    v = variables("fit")
    for truth, found, names in zip(v.truth, v.found, (("low", "high"), ("loc", "scale"), ("probs",)), strict=True):
        errors = found.fit_report.standard_errors
        for name in names:
            assert abs(getattr(found, name) - getattr(truth, name)) < 4 * errors[name]
    (rows,) = shown("map")
    assert rows[3] == pytest.approx((1, 1, 5 / 7), rel=1e-14)
    for mle, flat, best in rows.values():
        assert flat == mle  # a flat prior gives maximum likelihood back
        assert 0 < best <= mle
    assert rows[1000][2] == pytest.approx(rows[1000][0], abs=0.002)


def test_bertrand(shown):
    (rows,) = shown("bertrand")
    exact = [(1 / 3, 4 / math.pi), (1 / 2, math.pi / 2), (1 / 4, 4 / 3)]
    for texts, values in zip(rows.values(), exact, strict=True):
        for text, value in zip(texts, values, strict=True):
            mean, error = map(float, text.split(" ± "))
            assert abs(mean - value) < 4 * error
            assert error < 1e-3


def test_least_squares(shown):
    (by_squares, by_likelihood), difference = shown("squares")
    body = load_body()
    assert by_squares == by_likelihood == pytest.approx(np.polyfit(body.height, body.weight, 1)[0], abs=1e-3)
    assert difference < 1e-14


def test_cross_entropy(shown):
    by_hand, bernoulli, nll, extreme, categorical = shown("cross-entropy")
    np.testing.assert_allclose(bernoulli, by_hand, rtol=1e-14)
    np.testing.assert_allclose(nll, by_hand, rtol=1e-14)
    assert extreme.tolist() == [800, 800]
    logits = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, 0.0]])
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(categorical, -np.log(softmax[[0, 1], [0, 1]]), rtol=1e-14)


def test_digits(shown, variables):
    v = variables("digits")
    ink, p = v.ink[v.test], np.asarray(v.coins.probs)
    np.testing.assert_allclose(v.log_prob, ink @ np.log(p).T + (1 - ink) @ np.log1p(-p).T, rtol=1e-12)
    first = v.ink[v.learn][v.labels[v.learn] == 3]  # the second half was not learned from
    np.testing.assert_allclose(p[3], (first.sum(axis=0) + 1) / (len(first) + 2), rtol=1e-15)
    assert shown("digits")[0] == pytest.approx(np.mean(v.guess == v.truth))
    assert shown("digits")[0] > 0.8
    score, (new, own) = shown("sampled")
    assert variables("sampled").new.shape == (2, 10, 64)
    assert score.shape == (10,)
    entropy = -(p * np.log(p) + (1 - p) * np.log1p(-p)).sum(axis=1).mean()
    assert new == pytest.approx(-entropy, abs=0.3)
    assert own < new + 1
    assert shown("gaussians")[0] > 0.95
    assert variables("gaussians").new.shape == (2, 10, 64)


# ---------------------------------------------------------------------------------- values: divergences


def test_divergences(shown, variables):
    exact = {"KL(p, q)": 0.4431471805599453, "KL(q, p)": 1.3068528194400547}
    formula, quadrature, sampled = shown("kl")
    assert formula == pytest.approx(exact, rel=1e-15)
    for name, value in exact.items():
        assert quadrature[name].value == pytest.approx(value, rel=1e-14)
        assert abs(sampled[name].value - value) < 4 * sampled[name].stderr
    _, inside = shown("monte-carlo")
    assert 180 <= inside <= 200
    errors = [e.stderr * e.n**0.5 for e in variables("monte-carlo").estimates]
    np.testing.assert_allclose(errors, errors[-1], rtol=0.2)

    coins, (narrow, log4, wide), same, tables = shown("edges")
    assert coins == pytest.approx(0.19274475702175743, rel=1e-15)
    assert (narrow, log4, wide, same) == (pytest.approx(math.log(4), rel=1e-15), math.log(4), math.inf, 0)
    assert tables == pytest.approx(0.3 * math.log(5 / 2), rel=1e-14)


def test_divergence_of_digits(shown, variables):
    (rows,), v = shown("digits-apart"), variables("digits-apart")
    for (exact, estimate), (p, q) in zip(rows.values(), v.pairs.values(), strict=True):
        a, b = np.asarray(p.covariance), np.asarray(q.covariance)
        shift = np.asarray(q.mean) - np.asarray(p.mean)
        trace = np.trace(np.linalg.solve(b, a)) + shift @ np.linalg.solve(b, shift)
        definition = 0.5 * (trace - 64 + np.linalg.slogdet(b)[1] - np.linalg.slogdet(a)[1])
        assert float(exact) == pytest.approx(definition, rel=1e-10)
        assert abs(estimate.value - definition) < 5 * estimate.stderr
    assert v.every[3, 8] == pytest.approx(float(rows["3 to 8"][0]), rel=1e-12)


def test_kl_and_likelihood(shown, variables):
    (by_kl, by_likelihood), (least, most, minus_entropy) = shown("kl-mle")
    assert by_kl == by_likelihood
    p = variables("kl-mle").data / 100
    assert (least, most, minus_entropy) == pytest.approx([(p * np.log(p)).sum()] * 3, rel=1e-13)


def test_jensen_shannon(shown, variables):
    (one, other), coins, (apart, log2) = shown("jsd")
    assert one.value == pytest.approx(0.128174973054398, rel=1e-14)
    assert other.value == pytest.approx(one.value, rel=1e-14)
    m = 0.65
    kl = [p * math.log(p / m) + (1 - p) * math.log((1 - p) / (1 - m)) for p in (0.8, 0.5)]
    assert coins == pytest.approx(sum(kl) / 2, rel=1e-13)
    assert apart == pytest.approx(log2, rel=1e-15)
    v = variables("jsd")
    assert np.all(np.diff(v.js) > 0)
    assert v.js[-1] < math.log(2)
    np.testing.assert_allclose(v.kl, v.shift**2 / 2, rtol=1e-14)


# ---------------------------------------------------------------------------------- speed, text, page


def _rows():
    return [
        {
            "name": key.split()[0],
            "dtype": key.split()[1],
            "seconds": {"min": 0.5e-3, "median": 1e-3},
            "peers": {"numpy": {"min": 5e-3, "median": 6e-3}},
            "fraction": None if "dice" in key else 0.5,
        }
        for key in speed.LOOPS
    ]


def test_speed_rows_are_cases_and_fit():
    names = {f"{case.name} {case.dtype}" for case in all_cases()}
    assert set(speed.LOOPS) <= names
    lines = speed.report(_rows())
    assert sum("10.0x" in line for line in lines) == 4
    assert sum("50%" in line for line in lines) == 3
    assert max(map(len, lines)) <= 76
    (step,) = speed.STEPS
    picture = step.picture(type("v", (), {"rows": _rows()}))
    assert sum("10.0×" in line for line in picture) == 4


def test_the_command_shown_is_the_command_run(monkeypatch):
    commands = []

    def record(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "stop here")

    monkeypatch.setattr(subprocess, "run", record)
    (step,) = speed.STEPS
    with pytest.raises(RuntimeError, match="stop here"):
        step.run({})
    (command,) = commands
    assert command[-4:] == ["--json", "--no-peers", "--filter", ",".join(speed.LOOPS)]


def test_the_whole_tour_prints():
    out = io.StringIO()
    run(speed=False, file=out)
    text = out.getvalue()
    assert "\x1b" not in text  # no colours into a file
    for _, step in NUMBERED:
        assert step.title in text
    assert "The tour took" in text


def test_some_steps_from_the_command_line():
    command = [sys.executable, "-m", "loglik", "tour", "--only", "two-dice"]
    for encoding in ("utf-8", "ascii"):
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, encoding=encoding)
        assert "[1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1]" in done.stdout
        assert "507 people" not in done.stdout


def test_without_matplotlib_one_line(tmp_path):
    code = "import sys; sys.modules['matplotlib'] = None; from loglik.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "tour", "--html", str(tmp_path / "page")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == 'loglik tour: --html needs matplotlib: pip install "loglik[tour]"\n'
    assert not (tmp_path / "page").exists()
    text = subprocess.run([*command[:4], "--only", "1"], capture_output=True, text=True, check=True)
    assert "0.083333" in text.stdout


class _Page(html.parser.HTMLParser):
    VOID = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        self.links += [value for name, value in attributes if name in ("href", "src", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.skipif(bool(os.environ.get("LOGLIK_ONE_LEVEL")), reason="the page does not depend on the level")
def test_the_page(tmp_path):
    pytest.importorskip("matplotlib")
    path = write_html(tmp_path / "new" / "folder", speed=False)
    text = path.read_text(encoding="utf-8")
    assert path.name == "index.html"
    assert path.stat().st_size < 3_000_000
    page = _Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:  # nothing outside the page
        assert link.startswith("data:") or link.removeprefix("#") in page.ids, link
    for used in re.findall(r"url\(([^)]*)\)", text):
        assert used.removeprefix("#") in page.ids, used
    assert page.tags.count("svg") == len(NUMBERED)
    for _, step in NUMBERED:
        assert step.name in page.ids
    assert not re.search(r"#0[1-9]0[1-9]0[1-9]", text)  # every colour of the figures became one of the page
    assert "prefers-color-scheme: dark" in text


# ---------------------------------------------------------------------------------- drawing


def test_columns_are_proportional():
    assert _text.columns(np.array([0.0, 4.0, 8.0]), 1) == [" ▄█"]
    assert _text.columns(np.array([1.0, 2.0]), 2) == [" █", "██"]
    assert _text.columns(np.zeros(2), 1) == ["  "]
    assert _text.columns([1, 2], 1, width=2, top=2) == ["▄▄██"]


def test_bars_are_proportional():
    assert _text.bars(["a", "bb"], [1, 2], ["x", "y"], width=4) == ["     a  ██    x", "    bb  ████  y"]


def test_images_and_blocks():
    assert _text.shades(np.array([[0.0, 1.0], [0.5, 2.0]]), width=2) == ["  ██", "▒▒██"]
    assert _text.bitmap(np.array([[0, 1, 0, 1], [0, 0, 1, 1]])) == [" ▀▄█"]
    assert _text.beside([["ab", "c"], ["d"]], gap="|", indent="") == ["ab|d", "c |"]
    assert _text.images(np.ones((3, 2, 1)), per_row=2) == ["    █        █", "", "    █"]


def test_tables_align():
    lines = _text.table(("a", "bb"), [("long", "1"), ("x", "22")], indent="")
    assert lines == ["a      bb", "----   --", "long    1", "x      22"]


def test_scatter_puts_points_in_their_cells():
    x, y = np.array([0.0, 0.0, 3.0]), np.array([0.0, 0.0, 1.0])
    assert _text.scatter(x, y, {"A": 2}, shape=(2, 4)) == ["   A", ":   "]


def test_a_chart_draws_curves_dots_and_ends():
    x = np.linspace(0, 1, 9)
    lines = _text.chart(x, {"": 0 * x}, (0, 1), dots=([0.5, 0], [0.5, 1]), shape=(3, 4), x_label="t")
    assert lines == ["    1 |o", "      |  o", "    0 |⣀⣀⣀⣀", "      +----", "       0t 1"]
    beyond = _text.chart(x, {"": 5 + 0 * x}, (0, 1), shape=(2, 4))
    assert beyond[:2] == ["    1 |", "    0 |"]
    jump = _text.chart(x, {"": np.where(x > 0.5, 1.0, 0.0)}, (0, 1), shape=(2, 4))
    assert all(len(line) > 8 for line in jump[:2])


def test_a_chart_names_its_curves():
    x = np.linspace(0, 1, 9)
    lines = _text.chart(x, {"high": 0 * x + 0.9, "low": 0 * x, "beyond": 0 * x + 5}, (0, 1), shape=(4, 20))
    assert "high" in lines[0]
    assert "low" in lines[3]
    assert lines[0].index("high") == 7 + 8


def test_colours():
    style = _text.Style(colour=True)
    assert style.title("t") == "\x1b[1mt\x1b[0m"
    assert _text.Style().title("t") == "t"
