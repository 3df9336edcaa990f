"""Chapter 5: the four loops against NumPy, on this machine."""

import json
import subprocess
from typing import Any

from loglik.bench.report import duration
from loglik.cli import bench_command, bench_environment
from loglik.tour._text import Style, table

TITLE = "Speed: the four loops against NumPy, on this machine"

QUESTION = """\
Each loop beside the same formula in NumPy (loglik.bench.references): one thread, in turns, the least
time of each. "of the limit": the share of what this machine could do at best (moving the arrays
through memory, or the arithmetic), measured in the same run."""

LOOPS = {
    "mvn.shared.d8 float64": ("Gaussian log-density", "1,000,000 points, d = 8"),
    "loss.bernoulli_nll.sum float32": ("Bernoulli NLL", "10,000,000 logits, float32"),
    "monte_carlo.kl.d16 float64": ("Monte Carlo KL", "1,000,000 samples, d = 16"),
    "dice.1000d6 float64": ("dice", "all sums of 1000d6"),
}


def measure() -> list[dict[str, Any]]:
    """Rows of ``loglik bench --json`` for the four loops."""
    arguments = ["--json", "--no-peers", "--filter", ",".join(LOOPS)]
    done = subprocess.run(
        bench_command(arguments), env=bench_environment(1), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"tour: the measurements failed: {done.stderr.strip()}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return rows


def show(rows: list[dict[str, Any]], style: Style) -> list[str]:
    body = []
    for row in rows:
        name, what = LOOPS[f"{row['name']} {row['dtype']}"]
        ours, numpy = row["seconds"]["min"], row["peers"]["numpy"]["min"]
        share = "" if row["fraction"] is None else f"{row['fraction']:.0%}"
        body.append((name, what, duration(numpy), duration(ours), f"{numpy / ours:.1f}x", share))
    lines = table(("loop", "", "NumPy", "loglik", "faster", "of the limit"), body, left=2)
    return [*lines, "", "  More: loglik bench"]
