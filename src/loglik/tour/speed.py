"""Chapter 4 of the tour: the four loops against NumPy, on this machine."""

import json
import shlex
import subprocess
from typing import Any

from loglik.bench import process
from loglik.bench.report import duration
from loglik.tour import _text as text
from loglik.tour._figures import BLUE, MUTED, note
from loglik.tour._step import Step

TITLE = "Speed"

LOOPS = {
    "mvn.shared.d8 float64": "Gaussian log-density, 1e6 points, d = 8",
    "loss.bernoulli_nll.sum float32": "Bernoulli NLL, 1e7 logits, float32",
    "monte_carlo.kl.d16 float64": "Monte Carlo KL, 1e6 samples, d = 16",
    "dice.1000d6 float64": "dice, all sums of 1000d6",
}


class SpeedStep(Step):
    name = "speed"
    title = "The four loops against NumPy, on this machine"
    topics = ()
    question = """\
Each loop beside the same formula in NumPy (loglik.bench.references): one thread, in turns, the least time of
each. "of the limit" is the share of what this machine could do at best (moving the arrays through memory, or the
arithmetic), measured in the same run."""
    code = 'loglik bench --json --no-peers --filter "' + ",\\\n".join(LOOPS) + '"'
    caption = "How many times faster than NumPy."
    size = (7.2, 1.8)

    def run(self, variables: dict[str, Any]) -> list[Any]:
        """Execute the command line in a process of its own."""
        arguments = shlex.split(self.code.replace("\\\n", ""))[2:]
        done = subprocess.run(process.command(arguments), env=process.environment(1), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"tour: the measurements failed: {done.stderr.strip()}")
        variables["rows"] = json.loads(done.stdout)["rows"]
        return ["\n".join(report(variables["rows"]))]

    def picture(self, v: Any) -> list[str]:
        times = [_times(row) for row in v.rows]
        return text.bars([_what(row).split(",")[0] for row in v.rows], times, [f"{t:.1f}×" for t in times])

    def figure(self, v: Any, fig: Any) -> None:
        ax, times = fig.subplots(), [_times(row) for row in v.rows]
        names = [_what(row).split(",")[0] for row in v.rows]
        ax.barh(names, times, color=BLUE, height=0.6)
        for name, t in zip(names, times, strict=True):
            note(ax, f"{t:.1f}×", (t, name), (5, 0), va="center")
        ax.axvline(1, color=MUTED, lw=0.8)
        ax.invert_yaxis()
        ax.set(xscale="log", xlim=(0.9, 3 * max(times)), xlabel="times as fast as NumPy")


def _what(row: dict[str, Any]) -> str:
    return LOOPS[f"{row['name']} {row['dtype']}"]


def _times(row: dict[str, Any]) -> float:
    return float(row["peers"]["numpy"]["min"] / row["seconds"]["min"])


def report(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as a table."""
    body = []
    for row in rows:
        share = "" if row["fraction"] is None else f"{row['fraction']:.0%}"
        numpy, ours = duration(row["peers"]["numpy"]["min"]), duration(row["seconds"]["min"])
        body.append((_what(row), numpy, ours, f"{_times(row):.1f}x", share))
    return text.table(("", "NumPy", "loglik", "faster", "limit"), body, indent="")


STEPS = (SpeedStep(),)
