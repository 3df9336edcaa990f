"""The command line: ``loglik tour | dice | fit | score | sample | bench | info``."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


class _ArgumentParser(argparse.ArgumentParser):
    """argparse, with one line on stderr for bad input instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, got {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    import loglik

    parser = _ArgumentParser(
        prog="loglik",
        description="Compiled log-likelihoods, losses, divergences and exact discrete sums on NumPy arrays.",
    )
    parser.add_argument("--version", action="version", version=f"loglik {loglik.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    tour = commands.add_parser(
        "tour", help="probabilities for deep learning, step by step, on real data", description=_tour.__doc__
    )
    tour.add_argument("--only", metavar="STEPS", help='some steps, by number or name: "7", "3-5,clt"')
    tour.add_argument("--html", metavar="FOLDER", help="write one page with figures instead of text (needs matplotlib)")
    tour.add_argument("--no-speed", action="store_true", help="leave out the measurements (about 15 seconds)")
    tour.set_defaults(run=_tour)

    dice = commands.add_parser("dice", help="probabilities of dice", description=_dice.__doc__)
    dice.add_argument(
        "expression", nargs="+", help='for example "4d6 + 1d8", "4d6kh3", "2d20kl1", "3d6!", "5d10>=8", "2d6r1"'
    )
    dice.add_argument("--vs", metavar="EXPRESSION", help="compare with this one")
    dice.add_argument("--at-least", type=int, metavar="N", help="also the probability of N or more")
    dice.add_argument("--exact", action="store_true", help="exact integers: the ways to each outcome")
    dice.add_argument("--plot", metavar="FILE", help="draw the probabilities with the matching Normal (needs matplotlib)")
    form = dice.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--csv", action="store_true", help="print a table with commas")
    dice.set_defaults(run=_dice)

    _add_data_commands(commands)

    bench = commands.add_parser(
        "bench", help="measure the kernels, their peers and this machine", description=_bench.__doc__
    )
    bench.add_argument("--filter", metavar="TEXT", help='cases whose "name dtype" contains TEXT; A,B: either one')
    bench.add_argument("--json", action="store_true", help="print one JSON object at the end")
    bench.add_argument("--threads", type=_positive, default=1, metavar="N", help="for everyone (default: 1)")
    bench.add_argument("--quick", action="store_true", help="smaller arrays, less time")
    bench.add_argument("--no-peers", action="store_true", help="only NumPy beside loglik")
    bench.add_argument("--list", action="store_true", help="print the cases and stop")
    bench.set_defaults(run=_bench)

    info = commands.add_parser("info", help="versions, processor, instruction set", description=_info.__doc__)
    info.add_argument("--json", action="store_true", help="print one JSON object")
    info.add_argument("--cflags", action="store_true", help="print the C compiler's option for loglik.h")
    info.add_argument("--libs", action="store_true", help="print its options for the library")
    info.set_defaults(run=_info)
    return parser


_DATA = 'table: .csv (with or without names in the first line), .csv.gz, .npy, .npz or .parquet; "-" is commas on standard input'


def _add_data_commands(commands: Any) -> None:
    from loglik._commands.models import FAMILIES

    fit = commands.add_parser("fit", help="fit a distribution to the rows of a table", description=_fit.__doc__)
    fit.add_argument("data", metavar="DATA", help=_DATA)
    fit.add_argument(
        "--model",
        required=True,
        choices=tuple(FAMILIES),
        help="mvn: all columns together; discrete: one column of whole numbers; the others: every column alone",
    )
    fit.add_argument("-o", "--output", metavar="FILE", help="write the model to this JSON file")
    fit.add_argument("--columns", type=_names, metavar="A,B", help="names, or numbers from 1 (default: all)")
    fit.add_argument("--weights", metavar="COLUMN", help="how often each row counts")
    fit.add_argument("--json", action="store_true", help="print the model instead of the summary")
    fit.set_defaults(run=_fit)

    score = commands.add_parser("score", help="log-density of every row of a table", description=_score.__doc__)
    score.add_argument("data", metavar="DATA", help=_DATA)
    score.add_argument("--model", required=True, metavar="FILE", help="JSON file of loglik fit")
    score.add_argument("-o", "--output", metavar="FILE", help="write the log-density of each row (.csv, .npy, .parquet)")
    score.add_argument("--json", action="store_true", help="print one JSON object")
    score.set_defaults(run=_score)

    for command in (fit, score):
        command.add_argument("--array", metavar="NAME", help="which array of an .npz file")
        command.add_argument("--missing", choices=("raise", "omit"), default="raise", help="rows with empty or NaN entries")

    sample = commands.add_parser("sample", help="draw new rows from a model", description=_sample.__doc__)
    sample.add_argument("model", metavar="MODEL", help="JSON file of loglik fit")
    sample.add_argument("-n", "--rows", type=_positive, default=10, metavar="N", help="rows (default: 10)")
    sample.add_argument("--seed", type=_seed, metavar="N", help="the same rows for the same seed")
    sample.add_argument("-o", "--output", metavar="FILE", help="a .csv, .npy or .parquet file (default: standard output)")
    sample.set_defaults(run=_sample)


def _names(text: str) -> list[str]:
    return text.split(",")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a non-negative integer, got {text!r}")
    return int(text)


def _tour(options: argparse.Namespace) -> int:
    """Walk through a lecture on probabilities: questions, code, its numbers and pictures, on real data."""
    from loglik.tour import run, write_html

    if options.html is None:
        run(options.only, speed=not options.no_speed)
    else:
        print(write_html(options.html, options.only, speed=not options.no_speed))
    return 0


def _dice(options: argparse.Namespace) -> int:
    """Print the probability of every outcome of dice, with mean, standard deviation and quantiles."""
    import loglik as ll
    from loglik._commands import dice

    texts = [" ".join(options.expression), *([] if options.vs is None else [options.vs])]
    variables = [ll.dice(text) for text in texts]
    if options.plot:
        dice.plot(options.plot, texts, variables)
    if options.json:
        print(dice.as_json(texts, variables, options.at_least, exact=options.exact))
    elif options.csv:
        dice.write_csv(sys.stdout, texts, variables, exact=options.exact)
    else:
        dice.write_text(sys.stdout, texts, variables, options.at_least, exact=options.exact)
    return 0


def _fit(options: argparse.Namespace) -> int:
    """Fit a distribution to the rows of a table by maximum likelihood, in blocks: the file may be larger than memory."""
    from loglik._commands import data

    return data.fit(options)


def _score(options: argparse.Namespace) -> int:
    """Print how likely the rows of a table are under a model: the total, the mean, and the least likely rows."""
    from loglik._commands import data

    return data.score(options)


def _sample(options: argparse.Namespace) -> int:
    """Draw new rows from a model that loglik fit has written."""
    from loglik._commands import data

    return data.sample(options)


def _bench(options: argparse.Namespace) -> int:
    """Time the kernels beside NumPy, the installed other libraries and the limits of this machine."""
    from loglik.bench import BenchmarkError, all_cases, process, run, select
    from loglik.bench.report import COLUMNS, LEGEND, line

    if options.list:
        for case in select(all_cases(quick=options.quick), options.filter):
            print(case.name, case.dtype, "x".join(map(str, case.shape)))
        return 0
    if not process.is_child():
        return _bench_process(options)

    def say(text: str) -> None:
        if not options.json:
            print(text, flush=True)
        elif sys.stderr.isatty():
            print(text, file=sys.stderr)

    try:
        report = run(
            options.filter,
            threads=options.threads,
            quick=options.quick,
            peers=not options.no_peers,
            on_header=lambda report: say(f"{report.header()}\n\n{COLUMNS}"),
            on_row=lambda row: say(line(row)),
        )
    except BenchmarkError as error:
        print(f"loglik bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(report.as_dict(), indent=1))
    else:
        print("\n" + LEGEND)
    return 0


def _bench_process(options: argparse.Namespace) -> int:
    """Measure in a new process, where every library starts with the number of threads that was asked for."""
    from loglik.bench import process

    arguments = ["--threads", str(options.threads)]
    arguments += ["--filter", options.filter] if options.filter else []
    arguments += [f"--{name}" for name in ("json", "quick") if getattr(options, name)]
    arguments += ["--no-peers"] if options.no_peers else []
    return subprocess.run(process.command(arguments), env=process.environment(options.threads), check=False).returncode


def _info(options: argparse.Namespace) -> int:
    """Print what this installation is and runs on."""
    import loglik as ll

    if options.cflags or options.libs:
        from loglik._engine.config import compiler_options

        print(compiler_options(cflags=options.cflags, libs=options.libs))
    elif options.json:
        print(json.dumps(ll.show_config("dicts")))
    else:
        ll.show_config()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0: done. 1: a benchmark found a wrong result. 2: bad input, with one line on stderr. 130: interrupted.
    141: the reader of the output went away.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except (ValueError, TypeError, MemoryError, ImportError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # Python flushes stdout once more at exit: let that go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        message = str(error).removeprefix(f"{options.command}: ")  # errors name the function first
        if isinstance(error, OSError) and error.filename:
            message = f"{error.filename}: {error.strerror}"
        print(f"loglik {options.command}: {message}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    return code
