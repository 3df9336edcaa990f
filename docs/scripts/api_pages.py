"""The pages of the API reference, made from the public names of the package at each build of the documentation.

A group takes the names whose "module.name" matches one of its patterns, in the order of `loglik.__all__`; the first such group
wins. A public name that no group takes is an error here, and in `tests/test_docs.py`.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import loglik
from loglik import data, sklearn, ufuncs

_DICE = "loglik.dice.* loglik.distributions.discrete.* loglik.distributions._discrete* loglik.distributions._comparison.*"

GROUPS = (
    ("Distributions", "Immutable values with parameters that broadcast: {doc}`/distributions`.", "loglik.distributions.*.[A-Z]*"),
    (
        "Densities in one call",
        "Without making an object, for parameters that are used once.",
        "loglik.distributions.mvnormal.* loglik.distributions.mixture.*",
    ),
    ("Losses", "Negative log-likelihoods with reductions, weights and gradients: {doc}`/losses`.", "loglik.losses.*"),
    ("Divergences", "Closed forms, with gradients: {doc}`/divergences`.", "loglik.divergences.*"),
    ("Estimates of divergences", "For every pair that samples: {doc}`/estimation`.", "loglik.estimate.*"),
    ("Dice and sums of discrete variables", "Exact: {doc}`/dice`.", _DICE),
    ("Bayes", "From prior to posterior.", "loglik.bayes.*"),
    ("Moments", "Means, covariances and correlations of data.", "loglik.moments.*"),
    ("Fitting", "Maximum likelihood and maximum a posteriori.", "loglik.fit* loglik._fit* loglik.distributions._fit*"),
    (
        "Runtime",
        "Threads and instruction sets: {doc}`/performance`.",
        "loglik._parallel.* loglik._config.* loglik._kernels.* loglik._validate.*",
    ),
)

TITLE = "API reference"


def grouped() -> tuple[dict[str, list[str]], list[str]]:
    """Public names by title of their group, and those that no group takes."""
    found: dict[str, list[str]] = {title: [] for title, _, _ in GROUPS}
    left = []
    for name in loglik.__all__:
        if isinstance(getattr(loglik, name), ModuleType):  # has a section of its own
            continue
        home = f"{getattr(loglik, name).__module__}.{name}"
        for title, _, patterns in GROUPS:
            if any(fnmatchcase(home, pattern) for pattern in patterns.split()):
                found[title].append(name)
                break
        else:
            left.append(home)
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
        raise LookupError(f"docs/scripts/api_pages.py: no group takes {', '.join(left)}")
    parts = [
        f"# {TITLE}\n",
        "Everything public is in the namespace `loglik` (`import loglik as ll`), in `loglik.ufuncs`, `loglik.data` and "
        "`loglik.sklearn`.\n",
        "```{toctree}\n:hidden:\n\nufuncs\n```\n",
    ]
    for title, text, _ in GROUPS:
        if found[title]:
            parts += [f"## {title}\n", f"{text}\n", _table("loglik", found[title])]
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
