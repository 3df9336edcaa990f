"""What the tables of the README and of the benchmark page have in common: how a row of ``loglik bench --json`` is written."""

from typing import Any

Row = dict[str, Any]

LEGEND = (
    'Least times, taken in turns. "Of the limit": share of what the machine could do at best, by probes in the same run. '
    "Error: largest, relative, in unit roundoffs u of the type; of random results in standard errors (se)."
)


def conditions(report: dict[str, Any]) -> str:
    """What was measured on."""
    probes, threads = report["probes"], report["threads"]
    return (
        f"{report['cpu']}, {report['isa']} kernels, {threads} thread{'s' if threads > 1 else ''}, NumPy {report['numpy']}; "
        f"reads {probes['read_gb_per_s']:.0f} GB/s, {probes['fma_f64_gflop_per_s']:.0f} Gflop/s of float64 multiply-adds. "
    )


def ratios(row: Row) -> dict[str, float]:
    """How many times faster than each other contestant; below 1 is slower."""
    ours = row["seconds"]["min"]
    return {name: timing["min"] / ours for name, timing in row["peers"].items()}


def share(row: Row) -> str:
    return "" if row["fraction"] is None else f"{row['fraction']:.0%}"


def error(row: Row) -> str:
    return f"{row['max_error']:.1f} {row['max_error_unit']}"
