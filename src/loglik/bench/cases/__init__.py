"""What is measured: one case for each kernel, element type and size.

A case is cheap; its arrays are made by `build`, when its turn comes. Families share a prefix, so that
``loglik bench --filter mvn`` (loss, dice, monte, sampling, divergence, ...) selects one.
"""

from collections.abc import Callable, Iterator

from loglik.bench.cases.calls import small_cases
from loglik.bench.cases.discrete import dice_cases
from loglik.bench.cases.divergences import divergence_cases, monte_carlo_cases
from loglik.bench.cases.elementwise import ELEMENTWISE, elementwise_cases, elementwise_kernels, normal_cases
from loglik.bench.cases.fitting import fit_cases
from loglik.bench.cases.gaussian import gaussian_cases
from loglik.bench.cases.losses import loss_cases
from loglik.bench.cases.pipelines import pipeline_cases
from loglik.bench.cases.sampling import sampling_cases
from loglik.bench.cases.torch_pipelines import pipeline_torch_cases
from loglik.bench.problem import Case

__all__ = ["ELEMENTWISE", "FAMILIES", "all_cases", "elementwise_kernels", "select"]

FAMILIES: tuple[Callable[[int], Iterator[Case]], ...] = (
    elementwise_cases,
    pipeline_torch_cases,
    normal_cases,
    gaussian_cases,
    loss_cases,
    sampling_cases,
    fit_cases,
    monte_carlo_cases,
    divergence_cases,
    dice_cases,
    small_cases,
    pipeline_cases,
)
"""All that is measured, in the order of the table. Each takes what to divide the large sizes by."""


def all_cases(*, quick: bool = False) -> list[Case]:
    """Every case; with `quick`, the large ones at a tenth of their size."""
    return [case for family in FAMILIES for case in family(10 if quick else 1)]


def select(cases: list[Case], text: str | None) -> list[Case]:
    """Cases whose "name dtype" contains every word of `text`; alternatives are separated by commas."""
    if not text:
        return cases
    alternatives = [part.split() for part in text.lower().split(",") if part.strip()]
    return [
        case
        for case in cases
        if any(all(word in f"{case.name} {case.dtype}" for word in words) for words in alternatives)
    ]
