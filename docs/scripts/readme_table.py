"""Write the README's table of speed and accuracy from a benchmark run.

loglik bench --json > bench.json
python docs/scripts/readme_table.py bench.json
python docs/scripts/readme_table.py --rows     (what to give to --filter for these rows alone)
"""

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from bench_tables import LEGEND, Row, conditions, error, ratios, share

from loglik.bench.report import duration

README = Path(__file__).parents[2] / "README.md"
START, END = "<!-- speed: made by docs/scripts/readme_table.py -->\n", "<!-- /speed -->\n"

ROWS = {
    "density.normal.log_prob float64": "`Normal.log_prob`, 1e7 values",
    "mvn.shared.d2 float64": "`MultivariateNormal.log_prob`, 1e6 points, d = 2",
    "mvn.shared.d8 float64": "the same, d = 8",
    "mvn.shared.d64 float64": "1e5 points, d = 64",
    "mvn.points.d8 float64": "`mvn_log_prob`, a covariance for each of 1e5 points, d = 8",
    "mvn.points.d32 float64": "the same for 2e4 points, d = 32",
    "mvn.grid.k32.d16 float64": "32 Gaussians at 1e5 points, d = 16",
    "loss.bernoulli_nll.sum float32": "`bernoulli_nll`, sum of 1e7, float32",
    "loss.bernoulli_nll.sum float64": "the same in float64",
    "loss.bernoulli_nll.gradient float32": "sum and gradient of 1e7, float32",
    "loss.categorical_nll.sum.k1000 float32": "`categorical_nll`, 8192 rows of 1000 classes, float32",
    "loss.categorical_nll.sum.k10 float32": "262144 rows of 10 classes, float32",
    "loss.vae.sum float32": "`kl_standard_normal`, 4096 × 512, float32",
    "divergence.kl.rows.k100 float64": "`kl_divergence` of 1e4 pairs of 100 probabilities",
    "divergence.js.rows.k100 float64": "`js_divergence` of the same",
    "sampling.normal float64": "1e7 normal samples",
    "sampling.normal float32": "the same in float32",
    "sampling.mvn.d16 float64": "1e6 samples of a Gaussian, d = 16",
    "monte_carlo.kl.d16 float64": "`estimate_kl`, 1e6 samples, d = 16",
    "monte_carlo.js.d16 float64": "`estimate_js`, the same",
    "dice.1000d6 float64": "all probabilities of 1000d6",
    "dice.10000d20 float64": "all probabilities of 10000d20",
}


def _line(what: str, row: Row) -> str:
    faster = ratios(row)
    numpy = faster.pop("numpy")
    best = min(faster, key=faster.__getitem__, default=None)
    beside = "" if best is None else f"{faster[best]:.1f}× {best}"
    times = duration(row["peers"]["numpy"]["min"]), duration(row["seconds"]["min"])
    return f"| {' | '.join((what, *times, f'{numpy:.1f}×', beside, share(row), error(row)))} |"


def table(report: dict[str, Any]) -> str:
    """The table in Markdown, with what it was measured on."""
    rows = {f"{row['name']} {row['dtype']}": row for row in report["rows"]}
    lines = [
        *textwrap.wrap(conditions(report) + LEGEND, 118),
        "",
        "| | NumPy | loglik | × NumPy | × fastest other | of the limit | error |",
        "|---|---|---|---|---|---|---|",
        *(_line(what, rows[key]) for key, what in ROWS.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1] == "--rows":
        print(",".join(ROWS))
        sys.exit()
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(START)
    _, tail = rest.split(END)
    measured = table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    README.write_text(head + START + measured + END + tail, encoding="utf-8")
