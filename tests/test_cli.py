"""The command line: output, exit codes, bad input, broken pipes."""

import json
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


@pytest.mark.parametrize("command", ["tour", "dice", "bench", "info"])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "COMMAND"),
        (["nonsense"], "nonsense"),
        (["dice"], "expression"),
        (["dice", "4q6"], "4q6"),
        (["dice", "0d6x"], "0d6x"),
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


def test_dice_json(capsys):
    assert main(["dice", "2d6", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["support"] == list(range(2, 13))
    assert result["probs"] == pytest.approx([min(k - 1, 13 - k) / 36 for k in range(2, 13)], rel=1e-15)
    assert result["mean"] == pytest.approx(7, rel=1e-15)
    assert result["std"] == pytest.approx((35 / 6) ** 0.5, rel=1e-15)


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
