"""Write docs/benchmarks.md from a benchmark run.

    loglik bench --json > bench.json
    python docs/scripts/benchmark_page.py bench.json [--note "one more sentence on the conditions"]

Every row of the run is on the page. Where another contestant is faster its figure is bold, and the list at the top has it.
"""

import argparse
import json
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench_tables import LEGEND, Row, conditions, error, ratios, share

from loglik.bench.report import duration

PAGE = Path(__file__).parents[1] / "benchmarks.md"
YARDSTICKS = {"value": "value alone"}  # our own calls, for comparison; no contestants
SLOWER = 0.98  # from here on a contestant counts as faster: two runs differ by as much

FAMILIES = {
    "elementwise": "Elementwise functions",
    "density": "Densities",
    "mvn": "Gaussians",
    "loss": "Losses",
    "divergence": "Divergences",
    "monte_carlo": "Estimates by sampling",
    "sampling": "Samples",
    "dice": "Dice and sums of discrete variables",
    "call": "Small calls",
    "import": "Import",
}

INTRODUCTION = """\
`loglik bench` measures every kernel beside its NumPy reference (`loglik.bench.references`: the formula, as fast as NumPy allows),
the other libraries that are installed, and what the machine can do at best. Contestants take turns, results are checked before
they are timed, and the least time counts. A figure under a library's name says how many times faster loglik is; **bold: slower**.
"""

AGAIN = """\
## Again, on your machine

```console
$ loglik bench                                  # the table in the terminal
$ loglik bench --filter mvn                     # some rows, by parts of their names
$ loglik bench --json > bench.json              # for machines, and for this page:
$ python docs/scripts/benchmark_page.py bench.json
```

The other libraries are those that are installed; `--no-peers` leaves them out, `--quick` takes smaller arrays and less time.
Absolute times of one machine say little about another; ratios within a run and shares of the limit say more.
"""


def figure(x: float) -> str:
    """A ratio with two digits or three."""
    return f"{x:.2f}×" if x < 1.995 else f"{x:.1f}×" if x < 99.5 else f"{x:.0f}×"


def size(row: Row) -> str:
    return " × ".join(f"{n:,}" for n in row["shape"])


def table(rows: list[Row]) -> list[str]:
    """The rows of one family, with a column for each contestant that is in any of them."""
    peers = list(dict.fromkeys(name for row in rows for name in row["peers"]))
    columns = [YARDSTICKS.get(name, f"× {name}") for name in peers]
    titles = ["case", "type", "size", "loglik", "each", *columns, "of the limit", "error"]
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|" + "---:|" * (len(titles) - 3)]
    for row in rows:
        seconds, found, errors = row["seconds"]["min"], ratios(row), row.get("peer_errors", {})
        cells = [f"`{row['name']}`", row["dtype"], size(row), duration(seconds)]
        cells.append(duration(seconds / row["elements"]) if row["elements"] > 1 else "")
        for name in peers:
            text = figure(found[name]) if name in found else ""
            if found.get(name, 1.0) < SLOWER and name not in YARDSTICKS:
                text = f"**{text}**"
            cells.append(text + (f" ({errors[name]:.2g} {row['max_error_unit']})" if errors.get(name) else ""))
        lines.append(f"| {' | '.join([*cells, share(row), error(row)])} |")
    return lines


def losing(rows: list[Row]) -> list[str]:
    """The comparisons that somebody else wins, the clearest first."""
    all_ratios = [(ratio, name, row) for row in rows for name, ratio in ratios(row).items() if name not in YARDSTICKS]
    lost, total = [item for item in all_ratios if item[0] < SLOWER], len(all_ratios)
    if not lost:
        return [f"In none of {total} comparisons is another contestant faster."]
    lost.sort(key=lambda item: item[0])
    lines = [f"In {len(lost)} of {total} comparisons another contestant is faster:", ""]
    lines += ["| case | type | size | faster | loglik is |", "|---|---|---|---|---:|"]
    for ratio, name, row in lost:
        lines.append(f"| `{row['name']}` | {row['dtype']} | {size(row)} | {name} | {figure(ratio)} as fast |")
    return lines


def page(report: dict[str, Any], note: str = "") -> str:
    """The page in Markdown."""
    families: dict[str, list[Row]] = defaultdict(list)
    for row in report["rows"]:
        families[row["name"].split(".")[0]].append(row)
    order = [*FAMILIES, *(name for name in families if name not in FAMILIES)]
    probes = report["probes"]
    machine = (
        f"{conditions(report)}loglik {report['version']} ({(report['commit'] or 'no commit')[:12]}). {LEGEND} "
        f"In brackets: errors of the others, where they are measured. {note}"
    )
    parts = [
        "<!-- made by docs/scripts/benchmark_page.py -->\n\n# Benchmarks\n",
        INTRODUCTION,
        "## The machine\n",
        textwrap.fill(machine.strip(), 118) + "\n",
        "| probe | |\n|---|---:|",
        "\n".join(
            f"| {name.rsplit('_', 3)[0].replace('_', ' ')} | {value:.1f} {'Gflop/s' if 'flop' in name else 'GB/s'} |"
            for name, value in probes.items()
        )
        + "\n",
        "## Where others are faster\n",
        "\n".join(losing(report["rows"])) + "\n",
    ]
    for family in order:
        if family in families:
            title = FAMILIES.get(family, family.replace("_", " ").capitalize())
            parts.append(f"## {title}\n\n" + "\n".join(table(families[family])) + "\n")
    return "\n".join([*parts, AGAIN])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path, help="what loglik bench --json printed")
    parser.add_argument("--note", default="", help="a sentence that is added to the conditions")
    options = parser.parse_args()
    PAGE.write_text(page(json.loads(options.report.read_text(encoding="utf-8")), options.note), encoding="utf-8")


if __name__ == "__main__":
    main()
