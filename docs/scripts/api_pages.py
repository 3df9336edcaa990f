"""The pages of the API reference, made from the public names of the package at each build of the documentation.

Distributions find their group by being one. Every other public name stands in one group below; a name that no group has is an
error here, and in `tests/test_docs.py`.
"""

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import loglik
from loglik import data, sklearn, ufuncs
from loglik.distributions.base import Distribution


class Group(NamedTuple):
    """A section of the reference: its title, a sentence about it, and its public names."""

    title: str
    about: str
    names: str


DISTRIBUTIONS = "Distributions"
GROUPS = (
    Group(DISTRIBUTIONS, "Immutable values with parameters that broadcast: {doc}`/distributions`.", ""),
    Group(
        "Densities in one call",
        "Without making an object, for parameters that are used once.",
        "mixture_log_prob mvn_log_prob",
    ),
    Group(
        "Losses",
        "Negative log-likelihoods with reductions, weights and gradients: {doc}`/losses`.",
        "bernoulli_nll categorical_nll gaussian_nll kl_standard_normal laplace_nll",
    ),
    Group(
        "Divergences",
        "Closed forms, with gradients: {doc}`/divergences`.",
        "cross_entropy js_distance js_divergence kl_divergence",
    ),
    Group("Estimates of divergences", "For every pair that samples: {doc}`/estimation`.", "Estimate estimate_js estimate_kl"),
    Group("Dice and sums of discrete variables", "Exact: {doc}`/dice`.", "convolve dice die prob_equal prob_greater"),
    Group("Bayes", "From prior to posterior.", "diagnostic_test posterior"),
    Group("Moments", "Means, covariances and correlations of data.", "MomentStats correlation covariance covariance_from"),
    Group("Fitting", "What a fit tells of itself: {doc}`/fitting`.", "FitReport"),
    Group(
        "Runtime",
        "Threads and instruction sets: {doc}`/performance`.",
        "AccuracyWarning available_isas get_include get_num_threads isa num_threads set_num_threads show_config",
    ),
)

TITLE = "API reference"


def grouped() -> tuple[dict[str, list[str]], list[str]]:
    """Public names by title of their group, and those that no group has."""
    found: dict[str, list[str]] = {group.title: [] for group in GROUPS}
    group_of = {name: group.title for group in GROUPS for name in group.names.split()}
    left = []
    for name in loglik.__all__:
        value = getattr(loglik, name)
        if isinstance(value, ModuleType):  # has a section of its own
            continue
        distribution = isinstance(value, type) and issubclass(value, Distribution)
        title = DISTRIBUTIONS if distribution else group_of.get(name)
        if title is None:
            left.append(name)
        else:
            found[title].append(name)
    return found, left


def modules() -> list[ModuleType]:
    """The public modules in the namespace, without that of the ufuncs, which has a page of its own."""
    public = [getattr(loglik, name) for name in loglik.__all__]
    return [value for value in public if isinstance(value, ModuleType) and value is not ufuncs]


def _table(module: str, names: list[str]) -> str:
    head = f"```{{eval-rst}}\n.. currentmodule:: {module}\n\n.. autosummary::\n   :toctree: generated\n   :nosignatures:\n"
    return "\n".join([head, *(f"   {name}" for name in names), "```", ""])


def pages() -> dict[str, str]:
    """File name → text in Markdown."""
    found, left = grouped()
    if left:
        raise LookupError(f"docs/scripts/api_pages.py: no group has {', '.join(left)}")
    parts = [
        f"# {TITLE}\n",
        "Everything public is in the namespace `loglik` (`import loglik as ll`), in `loglik.ufuncs`, `loglik.data` and "
        "`loglik.sklearn`.\n",
        "```{toctree}\n:hidden:\n\nufuncs\n```\n",
    ]
    for group in GROUPS:
        parts += [f"## {group.title}\n", f"{group.about}\n", _table("loglik", found[group.title])]
    for module in (*modules(), data, sklearn):
        about = f"```{{eval-rst}}\n.. currentmodule:: {module.__name__}\n\n{module.__doc__}\n```\n"
        parts += [f"## `{module.__name__}`\n", about, _table(module.__name__, list(module.__all__))]
    parts += ["## Raw kernels\n", "`loglik.ufuncs` has the kernels as NumPy ufuncs: {doc}`ufuncs`.\n"]
    texts = {"index.md": "\n".join(parts), "ufuncs.md": _kernels()}
    for name in ufuncs.__all__:
        core = getattr(ufuncs, name).signature
        shapes = "" if core is None else f"\n   Core dimensions: ``{core}``\n"
        texts[f"kernels/{name}.rst"] = f"{name}\n{'=' * len(name)}\n\n.. autofunction:: loglik.ufuncs.{name}\n{shapes}"
    return texts


def _kernels() -> str:
    """The page of the ufuncs; autosummary has no table for them."""

    def table(names: list[str]) -> str:
        first = {name: getattr(ufuncs, name).__doc__.split("\n\n")[1].replace("\n", " ").replace("|", "\\|") for name in names}
        rows = (f"| {{py:obj}}`~loglik.ufuncs.{name}` | {text} |" for name, text in first.items())
        return "\n".join(["| kernel | what it computes |", "|---|---|", *rows, ""])

    elementwise = [name for name in ufuncs.__all__ if getattr(ufuncs, name).signature is None]
    general = [name for name in ufuncs.__all__ if name not in elementwise]
    pages = "\n".join(f"kernels/{name}" for name in ufuncs.__all__)
    return "\n".join([
        "# Raw kernels\n",
        f"```{{eval-rst}}\n.. currentmodule:: loglik\n\n{ufuncs.__doc__}\n```\n",
        "`**options` are [those of every ufunc](https://numpy.org/doc/stable/reference/ufuncs.html#optional-keyword-arguments).\n",
        "## Elementwise\n",
        table(elementwise),
        "## Over vectors and matrices\n",
        "Generalised ufuncs: the last axes are the core dimensions that each page names, those before them broadcast.\n",
        table(general),
        f"```{{toctree}}\n:hidden:\n\n{pages}\n```\n",
    ])


def write(folder: Path) -> None:
    """Write the pages that have changed, so that a second build is quick."""
    (folder / "kernels").mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
