"""The command line: output, exit codes, bad input, broken pipes."""

import csv
import importlib.util
import json
import math
import os
import subprocess
import sys

import pytest

import loglik as ll
from loglik.cli import main


def _run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "loglik", *arguments], capture_output=True, text=True, check=False, **options
    )


def test_version_and_help(capsys):
    for option, expected in (("--version", ll.__version__), ("--help", "tour")):
        with pytest.raises(SystemExit) as stopped:
            main([option])
        assert stopped.value.code == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize("command", ["tour", "dice", "fit", "score", "sample", "bench", "info"])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert command in capsys.readouterr().out


needs_matplotlib = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "COMMAND"),
        (["nonsense"], "nonsense"),
        (["dice"], "expression"),
        (["dice", "3d6", "--at-least", "x"], "--at-least"),
        (["dice", "3d6", "--json", "--csv"], "--csv"),
        (["dice", "100000d6", "--exact"], "MiB"),
        (["dice", "1000d6kh500", "--exact"], "no exact counts"),
        pytest.param(["dice", "3d6", "--plot", "/no/such/folder/x.png"], "/no/such/folder/x.png", marks=needs_matplotlib),
        (["bench", "--filter", "nonsense"], "nonsense"),
        (["bench", "--threads", "0"], "--threads"),
        (["bench", "--threads", "two"], "two"),
        (["info", "extra"], "extra"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, named):
    done = _run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("loglik")
    assert named in done.stderr


def test_info(capsys):
    assert main(["info"]) == 0
    assert ll.isa() in capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ll.show_config("dicts")


def test_dice(capsys):
    assert main(["dice", "4d6 + 1d8"]) == 0
    text = capsys.readouterr().out
    assert "18.5" in text  # the mean: 4 · 3.5 + 4.5
    assert "█" in text
    assert main(["dice", "4d6", "+", "1d8"]) == 0  # without quotes
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["4q6"], ["found 'q'", "    4q6", "     ^"]),
        (["4d6", "+", "0d6x"], ["found 'x'", "    4d6 + 0d6x", "             ^"]),
        (["4d6kh5"], ["there are only 4", "    4d6kh5", "       ^"]),
        (["3d6", "--vs", "d0"], ["at least one side", "    d0", "     ^"]),
    ],
)
def test_bad_notation_is_shown_with_a_mark(arguments, shown):
    done = _run("dice", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    message, *lines = done.stderr.splitlines()
    assert message.startswith("loglik dice: ")
    assert shown[0] in message
    assert lines == shown[1:]


def test_dice_at_least(capsys):
    assert main(["dice", "4d6kh3", "--at-least", "15"]) == 0
    assert capsys.readouterr().out.endswith("\n\n4d6kh3: 15 or more: 23.1481 %\n")
    assert main(["dice", "100d6", "--at-least", "600"]) == 0
    assert "600 or more: 1.53e-76 %, 1 in 6.533e+77" in capsys.readouterr().out
    assert main(["dice", "10000d6", "--at-least", "60000"]) == 0
    assert "60000 or more: 3.07e-7780 %\n" in capsys.readouterr().out  # 6^-10000 = 3.07e-7782


def test_dice_compared(capsys):
    assert main(["dice", "d20", "--vs", "2d20kh1"]) == 0
    text = capsys.readouterr().out
    assert "64.1250 %  2d20kh1 is higher" in text
    assert "30.8750 %  d20 is higher" in text
    assert " 5.0000 %  both are equal" in text
    assert main(["dice", "d20", "--vs", "2d20kh1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["prob_less"] == pytest.approx(0.64125, rel=1e-14)
    assert result["prob_greater"] + result["prob_equal"] == pytest.approx(0.35875, rel=1e-14)
    assert result["vs"]["mean"] == 13.825


def test_dice_exact(capsys):
    assert main(["dice", "4d6kh3", "--exact"]) == 0
    text = capsys.readouterr().out.splitlines()
    assert text[0] == "4d6kh3: ways of 1296"
    assert text[1].split() == ["3", "1"]
    assert text[-1].split() == ["18", "21"]
    assert main(["dice", "6000d6kh1", "--json", "--exact"]) == 0  # integers of more than 4300 digits
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert counts[:2] == ["1", str(2**6000 - 1)]
    assert max(map(len, counts)) > 4300


def test_dice_csv(capsys):
    assert main(["dice", "2d4", "--csv", "--exact"]) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert rows[0] == ["outcome", "prob", "log_prob", "at_most", "at_least", "count"]
    assert rows[1][:2] == ["2", "0.0625"]
    assert rows[-1][3:] == ["1.0", "0.0625", "1"]
    assert float(rows[1][2]) == pytest.approx(math.log(1 / 16), rel=1e-15)
    assert main(["dice", "d4", "--vs", "d6", "--csv"]) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert rows[0][:2] == ["expression", "outcome"]
    assert [row[0] for row in rows[1:]] == ["d4"] * 4 + ["d6"] * 6


@pytest.mark.parametrize("second", [[], ["--vs", "3d8"]])
def test_dice_plot(second, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["dice", "4d6kh3", *second, "--plot", str(tmp_path / "x.png")]) == 0
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert "█" in capsys.readouterr().out
    assert main(["dice", "4d6kh3", *second, "--plot", str(tmp_path / "x.unknown")]) == 2
    assert "unknown" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["4d6kh3"], ["100d6"], ["4d6kh3", "--vs", "3d6 + 2"], ["d6!", "--vs", "2d%"]])
@pytest.mark.parametrize("columns", [40, 60, 80])
def test_dice_fit_the_terminal(arguments, columns):
    done = _run("dice", *arguments, env=os.environ | {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"})
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert "█" in done.stdout
    done = _run("dice", *arguments, env=os.environ | {"COLUMNS": str(columns), "PYTHONIOENCODING": "ascii"})
    assert "##" in done.stdout
    assert done.returncode == 0


def test_dice_json(capsys):
    assert main(["dice", "2d6", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["support"] == list(range(2, 13))
    assert result["probs"] == pytest.approx([min(k - 1, 13 - k) / 36 for k in range(2, 13)], rel=1e-15)
    assert result["mean"] == pytest.approx(7, rel=1e-15)
    assert result["std"] == pytest.approx((35 / 6) ** 0.5, rel=1e-15)
    assert result["quantiles"] == {"0.05": 3, "0.25": 5, "0.5": 7, "0.75": 9, "0.95": 11}
    assert result["modes"] == [7]
    assert main(["dice", "7", "--json"]) == 0  # no NaN, which is no JSON
    assert json.loads(capsys.readouterr().out)["skewness"] is None
    assert main(["dice", "2*d4", "--json", "--at-least", "9"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["log_probs"][1] is None
    assert result["at_least"] == {"value": 9, "prob": 0.0, "log_prob": None}


def test_bench_lists_its_cases(capsys):
    assert main(["bench", "--list", "--filter", "dice"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "dice.1000d6 float64 1000x6" in lines
    assert all(line.startswith("dice") for line in lines)


def test_bench_prints_a_table_and_json():
    done = _run("bench", "--quick", "--no-peers", "--filter", "call.ufunc")
    assert done.returncode == 0, done.stderr
    assert "Gflop/s" in done.stdout
    assert "call.ufunc" in done.stdout
    done = _run("bench", "--quick", "--no-peers", "--filter", "call.ufunc", "--json", "--threads", "2")
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["threads"] == 2
    assert [row["name"] for row in result["rows"]] == ["call.ufunc"]


def test_a_reader_that_goes_away_is_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-m", "loglik", "dice", "500d6", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert errors == b""
    assert process.returncode == 141


def test_the_command_line_imports_nothing_optional():
    code = (
        "import sys; from loglik.cli import main; main(['dice', '3d6']); main(['info']);"
        "print(sorted({'scipy', 'torch', 'jax', 'matplotlib', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
