"""loglik fit, score, sample: the numbers of Python, in blocks; missing values; errors that name file, row and column."""

import json
import math

import numpy as np
import pytest
from subprocess_tools import run_python

import loglik as ll
from loglik._commands import models, tables
from loglik.cli import main
from loglik.data import load_body


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_VALUES", 64)


@pytest.fixture
def data(tmp_path):
    body = load_body()
    rows = np.column_stack([body.height, body.weight, body.male, body.age])
    path = tmp_path / "body.csv"
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    path.write_text("height,weight,male,age\n" + "\n".join(lines) + "\n")
    return path, rows


def command(capsys, *arguments):
    """What is printed; the command must succeed."""
    assert main([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments):
    """The line on stderr; the command must end with 2."""
    assert main([*map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


CASES = [
    ("mvn", [0, 1], ll.MultivariateNormal, {}),
    ("normal", [0, 1, 3], ll.Normal, {"axis": 0}),
    ("uniform", [0], ll.Uniform, {"axis": 0}),
    ("bernoulli", [2], ll.Bernoulli, {"axis": 0}),
]


@pytest.mark.parametrize(("family", "columns", "cls", "options"), CASES)
def test_fit_gives_what_python_gives(data, tmp_path, capsys, family, columns, cls, options):
    path, rows = data
    names = ["height", "weight", "male", "age"]
    chosen = ",".join(names[i] for i in columns)
    model = json.loads(command(capsys, "fit", path, "--model", family, "--columns", chosen, "--json"))
    expected = cls.fit(rows[:, columns], **options)
    for name, value in model["parameters"].items():
        assert np.allclose(value, getattr(expected, f"_{name}"), rtol=1e-13, atol=0)
    report = expected.fit_report
    assert model["model"] == family
    assert model["columns"] == [names[i] for i in columns]
    fitted = model["fit"]
    assert fitted["rows"] == 507
    assert fitted["log_likelihood"] == pytest.approx(float(np.sum(report.log_likelihood)), rel=1e-13)
    assert fitted["aic"] == pytest.approx(float(np.sum(report.aic)), rel=1e-13)
    assert fitted["bic"] == pytest.approx(float(np.sum(report.bic)), rel=1e-13)
    for name, value in fitted["standard_errors"].items():
        assert np.allclose(value, report.standard_errors[name], rtol=1e-12)


def test_fit_of_a_discrete_column(data, tmp_path, capsys):
    path, rows = data
    model = json.loads(command(capsys, "fit", path, "--model", "discrete", "--columns", "age", "--json"))
    expected = ll.Discrete.fit(rows[:, 3])
    assert model["parameters"]["start"] == expected.start == 18
    assert np.allclose(model["parameters"]["probs"], expected.probs, rtol=1e-15)
    assert model["fit"]["log_likelihood"] == pytest.approx(expected.fit_report.log_likelihood, rel=1e-14)
    assert model["fit"]["bic"] == pytest.approx(expected.fit_report.bic, rel=1e-14)


@pytest.mark.parametrize("name", ["t.npy", "t.npz", "t.parquet"])
def test_other_formats_give_the_same_model(data, tmp_path, capsys, name):
    path, rows = data
    if name == "t.npy":
        np.save(tmp_path / name, rows[:, :2])
    elif name == "t.npz":
        np.savez_compressed(tmp_path / name, other=rows, both=rows[:, :2])
    else:
        with tables.table_writer(str(tmp_path / name), ("height", "weight")) as write:
            write(rows[:, :2])
    array = ["--array", "both"] if name == "t.npz" else []
    got = json.loads(command(capsys, "fit", tmp_path / name, "--model", "mvn", "--json", *array))
    expected = json.loads(command(capsys, "fit", path, "--model", "mvn", "--columns", "1,2", "--json"))
    assert got["parameters"] == expected["parameters"]
    assert got["columns"] == (["height", "weight"] if name == "t.parquet" else ["x1", "x2"])


def test_weights_are_repeated_rows(tmp_path, capsys):
    rng = np.random.default_rng(3)
    x, weights = rng.standard_normal((300, 2)), rng.integers(0, 4, 300)
    np.save(tmp_path / "w.npy", np.column_stack([x, weights]))
    np.save(tmp_path / "repeated.npy", np.repeat(x, weights, axis=0))
    got = json.loads(command(capsys, "fit", tmp_path / "w.npy", "--model", "mvn", "--weights", "x3", "--json"))
    expected = json.loads(command(capsys, "fit", tmp_path / "repeated.npy", "--model", "mvn", "--json"))
    assert np.allclose(got["parameters"]["covariance"], expected["parameters"]["covariance"], rtol=1e-13)
    assert got["fit"]["log_likelihood"] == pytest.approx(expected["fit"]["log_likelihood"], rel=1e-13)
    assert got["fit"]["weight"] == weights.sum()


def test_the_summary(data, capsys):
    text = command(capsys, "fit", data[0], "--model", "mvn", "--columns", "height,weight")
    assert "mvn fitted to 507 rows" in text
    assert "height  171.144     0.42  9.39792" in text
    assert "0.717" in text
    assert "AIC 7419.569854, BIC 7440.712409 (5 parameters)" in text
    text = command(capsys, "fit", data[0], "--model", "discrete", "--columns", "age")
    assert "18       67" in text


# ------------------------------------------------------------------------------------------------ missing values


def test_missing_values_are_refused_or_left_out(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "\n".join(f"{i},{i * i}" for i in range(100)) + "\n7,\n,8\n9,10\n")
    message = refused(capsys, "fit", path, "--model", "normal")
    assert "t.csv, row 101, column 'b': values must be there (--missing omit leaves such rows out), got nan" in message
    model = json.loads(command(capsys, "fit", path, "--model", "normal", "--missing", "omit", "--json"))
    assert (model["fit"]["rows"], model["fit"]["omitted"]) == (101, 2)
    assert model["parameters"]["loc"][0] == pytest.approx((np.arange(100).sum() + 9) / 101)
    path.write_text(path.read_text() + "inf,1\n")
    assert "row 104, column 'a': values must be finite, got inf" in refused(
        capsys, "fit", path, "--model", "normal", "--missing", "omit"
    )


def test_rows_are_counted_in_the_file_where_others_were_left_out(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "1\n" * 70 + "\n".join(["nan", "0", "NA", "2"]))
    message = refused(capsys, "fit", path, "--model", "bernoulli", "--missing", "omit")
    assert "row 74, column 'a': values must be 0 or 1, got 2" in message


def test_scores_of_missing_values(tmp_path, capsys):
    (tmp_path / "m.json").write_text(
        models.Model("normal", ll.Normal([0.0], [1.0]), ("a",)).as_json()
    )
    (tmp_path / "t.csv").write_text("a\n0\n\n1\nNA\n")
    assert "row 3, column 'a'" in refused(capsys, "score", tmp_path / "t.csv", "--model", tmp_path / "m.json")
    out = ["-o", tmp_path / "s.npy"]
    got = json.loads(
        command(capsys, "score", tmp_path / "t.csv", "--model", tmp_path / "m.json", "--missing", "omit", "--json", *out)
    )
    assert (got["rows"], got["missing"]) == (2, 1)
    scores = np.load(tmp_path / "s.npy")
    assert np.array_equal(scores, ll.Normal().log_prob([0.0, 1.0, math.nan]), equal_nan=True)


# ------------------------------------------------------------------------------------------------ score and sample


@pytest.mark.parametrize(("family", "columns"), [("mvn", "height,weight"), ("normal", "weight,age"), ("discrete", "age"),
                                                 ("bernoulli", "male"), ("uniform", "height")])  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet"])
def test_fit_score_sample(data, tmp_path, capsys, family, columns, suffix):
    path, _ = data
    command(capsys, "fit", path, "--model", family, "--columns", columns, "-o", tmp_path / "m.json")
    model = models.load_model(str(tmp_path / "m.json"))
    got = json.loads(command(capsys, "score", path, "--model", tmp_path / "m.json", "-o", tmp_path / f"s{suffix}", "--json"))
    assert got["log_likelihood"] == pytest.approx(model.fit["log_likelihood"], rel=1e-13)
    assert got["mean"] == pytest.approx(got["log_likelihood"] / 507, rel=1e-13)
    table = tables.open_table(str(tmp_path / f"s{suffix}"))
    scores = np.concatenate(list(table.blocks()))[:, 0]
    assert len(scores) == 507
    worst = np.argsort(scores, kind="stable")[:5]
    assert [entry["row"] for entry in got["least_likely"]] == (worst + 1).tolist()

    drawn = [tmp_path / f"{i}{suffix}" for i in range(2)]
    for file in drawn:
        command(capsys, "sample", tmp_path / "m.json", "-n", "500", "--seed", "4", "-o", file)
    first, second = (np.concatenate(list(tables.open_table(str(file)).blocks())) for file in drawn)
    assert np.array_equal(first, second)
    assert first.shape == (500, len(model.columns))
    again = json.loads(command(capsys, "fit", drawn[0], "--model", family, "--json"))
    near = {"mvn": 0.2, "normal": 0.2, "uniform": 0.05, "bernoulli": 0.2}.get(family)
    if near:
        for name, value in again["parameters"].items():
            assert np.allclose(value, json.loads(model.as_json())["parameters"][name], rtol=near)


def test_sample_prints_a_table_that_starts_with_the_same_rows(tmp_path, capsys):
    (tmp_path / "m.json").write_text(models.Model("normal", ll.Normal([0.0, 1.0], [1.0, 2.0]), ("a", "b")).as_json())
    short = command(capsys, "sample", tmp_path / "m.json", "-n", "3", "--seed", "1").splitlines()
    longer = command(capsys, "sample", tmp_path / "m.json", "--seed", "1").splitlines()
    assert short[0] == "a,b"
    assert len(longer) == 11
    assert longer[:4] == short


# ------------------------------------------------------------------------------------------------ models


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a JSON file"),
        ("[]", "is not a model"),
        ('{"model": "mvn"}', "is not a model"),
        ('{"model": "gamma", "columns": ["a"], "parameters": {}}', "model must be one of normal, laplace"),
        ('{"model": "normal", "columns": [], "parameters": {}}', "columns must be a list of names"),
        ('{"model": "normal", "columns": ["a"], "parameters": {"loc": [0], "scale": [-1]}}', r"scale\[0\] = -1"),
        ('{"model": "normal", "columns": ["a"], "parameters": {"loc": 0, "scale": 1}}', "1 columns"),
        ('{"model": "normal", "columns": ["a"], "parameters": {"mean": [0]}}', "unexpected keyword"),
        ('{"model": "mvn", "columns": ["a"], "parameters": {"loc": [0, 0], "covariance": [[1, 0], [0, 1]]}}', "1 columns"),
        ('{"model": "mvn", "columns": ["a"], "parameters": {"loc": [0], "covariance": [[-1]]}}', "indefinite|definite"),
    ],
)
def test_bad_models_are_named(tmp_path, text, message):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ValueError, match=rf"m\.json.*{message}|{message}"):
        models.load_model(str(tmp_path / "m.json"))


def test_other_bad_input_is_named(data, tmp_path, capsys):
    path, _ = data
    model = tmp_path / "m.json"
    command(capsys, "fit", path, "--model", "mvn", "--columns", "height,weight", "-o", model)
    (tmp_path / "other.csv").write_text("height,mass\n1,2\n")
    (tmp_path / "empty.csv").write_text("height,weight\n")
    (tmp_path / "same.csv").write_text("a\n3\n3\n")
    (tmp_path / "half.csv").write_text("a\n1.5\n")
    (tmp_path / "wide.csv").write_text("a\n0\n1e9\n")
    for arguments, message in (
        (["score", tmp_path / "other.csv", "--model", model], "has no column 'weight'; its 2 columns are height, mass"),
        (["score", path, "--model", tmp_path / "none.json"], "none.json: No such file or directory"),
        (["score", path, "--model", model, "-o", tmp_path / "no" / "s.csv"], "s.csv: No such file or directory"),
        (["score", path, "--model", model, "-o", "s.txt"], "s.txt: the name of an output ends with"),
        (["fit", tmp_path / "empty.csv", "--model", "mvn"], "empty.csv has no rows to fit"),
        (["fit", tmp_path / "empty.csv", "--model", "discrete", "--columns", "1"], "empty.csv has no rows to fit"),
        (["fit", tmp_path / "same.csv", "--model", "normal"], "all observations of batch item [0] are 3.0"),
        (["fit", tmp_path / "half.csv", "--model", "discrete"], "column 'a': values must be whole numbers within 2^53, got 1.5"),
        (["fit", tmp_path / "wide.csv", "--model", "discrete"], "outcomes from 0 to 1000000000 are more than the limit"),
        (["fit", path, "--model", "discrete"], "choose one of height, weight, male, age with --columns"),
        (["fit", tmp_path / "half.csv", "--model", "normal", "--weights", "a"], "has no column but the weights"),
        (["sample", path], "body.csv is not a JSON file"),
    ):
        assert message in refused(capsys, *arguments), arguments


def test_a_failed_fit_leaves_no_file(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a\n1\nx\n")
    refused(capsys, "fit", tmp_path / "t.csv", "--model", "normal", "-o", tmp_path / "m.json")
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


def test_memory_does_not_grow_with_the_file(tmp_path):
    """A file of 200 MB: the peak of the process is far below that (memory maps are counted, so it is read as .npz)."""
    rows = np.zeros((12_500_000 // 8, 16))
    rows[:, 0] = np.arange(len(rows))
    np.savez(tmp_path / "t.npz", rows=rows)
    code = f"""
        import resource
        from loglik.cli import main
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert main(["fit", {str(tmp_path / "t.npz")!r}, "--model", "normal", "--columns", "1", "--json"]) == 0
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        import sys; print(after - before, file=sys.stderr)
    """
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"]["loc"][0] == (len(rows) - 1) / 2
    assert int(done.stderr) < 60_000  # kB
