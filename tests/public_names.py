"""What the installed package offers by name: `test_public_names.py` compares it with the list in `public_names.json`.

    python tests/public_names.py --output tests/public_names.json [--source ROOT] [--sections NAME ...]

makes the list anew, or some sections of it. It holds what was public before some change, so it is made with the version *before*
that change on PYTHONPATH and ROOT as its source tree (by default the tree of this file), and only when names are meant to go.
Additions need no new list.

"earlier pickles" is kept as it is. They are from the time when pickles named the file of a class; before 0.1.0 the files moved,
and pickles name the public place since ("pickles"). What names `loglik.ufuncs` or a module that stayed can still be read.
"""

import argparse
import ast
import base64
import importlib
import inspect
import json
import pickle
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import loglik as ll

ROOT = Path(__file__).parents[1]
MODULES = ("losses", "divergences", "estimate", "moments", "bayes", "dice", "priors", "sklearn")
OPERATORS = (
    "__init__",
    "__add__",
    "__radd__",
    "__sub__",
    "__rsub__",
    "__neg__",
    "__matmul__",
    "__rmatmul__",
    "__eq__",
    "__hash__",
    "__repr__",
    "__len__",
    "__iter__",
    "__getitem__",
)

OBJECTS: dict[str, Callable[[], Any]] = {
    "Normal": lambda: ll.Normal([0.0, 1.5], [[2.0], [0.25]]),
    "Normal of float32": lambda: ll.Normal(np.float32(0.5), np.float32(2.0)),
    "Uniform": lambda: ll.Uniform([-1.0, 0.0], 2.5),
    "Bernoulli of probs": lambda: ll.Bernoulli([0.0, 0.25, 1.0]),
    "Bernoulli of logits": lambda: ll.Bernoulli(logits=-3.5),
    "Discrete of probs": lambda: ll.Discrete([[0.25, 0.75], [0.5, 0.5]], start=-2),
    "Discrete of log_probs": lambda: ll.Discrete(log_probs=[-5000.0, 0.0]),
    "Discrete of counts": lambda: ll.dice("3d6 + 1"),
    "MultivariateNormal": lambda: ll.MultivariateNormal([0.0, 1.0], [[2.0, 0.5], [0.5, 1.0]]),
    "MultivariateNormal of scale_tril": lambda: ll.MultivariateNormal([0.0, 1.0], scale_tril=[[2.0, 0.0], [0.5, 1.0]]),
    "MultivariateNormal of variance": lambda: ll.MultivariateNormal([0.0, 1.0], variance=[2.0, 0.5]),
    "MultivariateNormal of precision": lambda: ll.MultivariateNormal([0.0, 1.0], precision=[[2.0, 0.5], [0.5, 1.0]]),
    "MultivariateNormal, singular": lambda: ll.MultivariateNormal([0.0, 1.0], [[1.0, 1.0], [1.0, 1.0]], allow_singular=True),
    "fit": lambda: ll.Normal.fit([0.0, 1.0, 3.5]),
    "FitReport": lambda: ll.Normal.fit([0.0, 1.0, 3.5]).fit_report,
    "Estimate": lambda: ll.estimate_kl(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0), n=100, method="mc", rng=0),
    "MomentStats": lambda: ll.MomentStats([[0.0, 1.0], [2.0, 5.0], [1.0, -1.0]]),
    "DiagnosticTest": lambda: ll.diagnostic_test(sensitivity=0.9, specificity=0.95, prevalence=0.01),
    "Beta": lambda: ll.priors.Beta(2.0, 3.0),
    "Dirichlet": lambda: ll.priors.Dirichlet(2.0),
    "NormalInverseGamma": lambda: ll.priors.NormalInverseGamma(mean=1.0, kappa=2.0, shape=3.0, scale=4.0),
    "NormalInverseWishart": lambda: ll.priors.NormalInverseWishart(mean=1.0, kappa=2.0, dof=6.0, scale=0.5),
    "Pareto": lambda: ll.priors.Pareto(),
}
"""Objects that users make, keep and pickle."""


def offered(module: Any) -> list[str]:
    return list(module.__all__)


def modules() -> dict[str, list[str]]:
    """From the public modules that can be imported here to their public names."""
    found = {"loglik": offered(ll)}
    for name in MODULES:
        try:
            found[f"loglik.{name}"] = offered(importlib.import_module(f"loglik.{name}"))
        except ImportError:  # torch, scikit-learn
            continue
    return found


# ------------------------------------------------------------------------------------------------ signatures


def signature(function: Callable[..., Any]) -> list[list[str | None]]:
    """Of each parameter: name, kind, default as text or None."""
    parameters = inspect.signature(function).parameters.values()
    return [[p.name, p.kind.name, None if p.default is p.empty else repr(p.default)] for p in parameters]


def signatures() -> dict[str, Any]:
    """From the full name of each public function, class, method and property to its signature, or what it is."""
    found: dict[str, Any] = {}
    for module, names in modules().items():
        for name in names:
            value = getattr(importlib.import_module(module), name)
            if inspect.ismodule(value) or isinstance(value, np.ufunc):
                continue
            found[f"{module}.{name}"] = signature(value) if not _is_exception(value) else "exception"
            if inspect.isclass(value) and not _is_exception(value):
                found |= {f"{module}.{name}.{member}": what for member, what in members(value).items()}
    return found


def written_signatures(path: Path) -> dict[str, Any]:
    """Signatures of the public functions of a module that needs more than is installed (torch), from its text."""
    tree = ast.parse(path.read_text())
    public = next(
        ast.literal_eval(s.value) for s in tree.body if isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == "__all__"
    )
    found: dict[str, Any] = {}
    for function in (s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name in public):
        given, kinds = function.args, inspect.Parameter
        ordered = [
            *((a, kinds.POSITIONAL_ONLY) for a in given.posonlyargs),
            *((a, kinds.POSITIONAL_OR_KEYWORD) for a in given.args),
        ]
        defaults = [None] * (len(ordered) - len(given.defaults)) + [ast.unparse(d) for d in given.defaults]
        named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
        found[f"loglik.{path.stem}.{function.name}"] = [
            *([a.arg, kind.name, default] for (a, kind), default in zip(ordered, defaults, strict=True)),
            *([a.arg, kinds.KEYWORD_ONLY.name, d and ast.unparse(d)] for a, d in named),
        ]
    return found


def _is_exception(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def members(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in dir(cls):
        value = getattr(cls, name)
        if name in OPERATORS and getattr(object, name, None) is not value:
            found[name] = "operator"
        elif not name.startswith("_"):
            found[name] = signature(value) if callable(value) else "attribute"
    return found


def attributes() -> dict[str, list[str]]:
    """Public attributes of objects: also those that an object has and its class has not."""
    return {name: [a for a in dir(make()) if not a.startswith("_")] for name, make in OBJECTS.items()}


def ufuncs() -> dict[str, dict[str, Any]]:
    found = {}
    for name in ll.ufuncs.__all__:
        ufunc = getattr(ll.ufuncs, name)
        found[name] = {
            "nin": ufunc.nin,
            "nout": ufunc.nout,
            "types": ufunc.types,
            "signature": ufunc.signature,
            "identity": ufunc.identity,
        }
    return found


# ------------------------------------------------------------------------------------------------ pickles


def pickles() -> dict[str, dict[str, str]]:
    """Bytes that were pickled, in base64, beside the repr of the object."""
    values = {name: make() for name, make in OBJECTS.items()}
    values |= {f"loglik.{name}": getattr(ll, name) for name in ll.__all__ if not inspect.ismodule(getattr(ll, name))}
    values |= {f"loglik.ufuncs.{name}": getattr(ll.ufuncs, name) for name in ll.ufuncs.__all__}
    found = {}
    for name, value in values.items():
        try:
            found[name] = {
                "bytes": base64.b64encode(pickle.dumps(value, 2)).decode(),
                "repr": repr(value) if name in OBJECTS else name,
            }
        except (pickle.PicklingError, TypeError):
            continue
    return found


# ------------------------------------------------------------------------------------------------ C and Cython


def library() -> str:
    configuration = ll.show_config("dicts")
    assert configuration is not None
    return str(configuration["library"])


def symbols() -> list[str]:
    """What the shared library exports (needs `nm`)."""
    lines = subprocess.run(
        ["nm", "-D", "--defined-only", library()], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return sorted(line.split()[-1] for line in lines if line.split()[-1].startswith("loglik_"))


def header(source: Path) -> dict[str, Any]:
    """What loglik.h declares: functions as they are written after the preprocessor, types, and the values of constants."""
    path = source / "csrc" / "include" / "loglik" / "loglik.h"
    text = subprocess.run(["cc", "-E", "-P", "-x", "c", str(path)], capture_output=True, text=True, check=True).stdout
    text = re.sub(r"__attribute__\(\(.*?\)\)\)?", "", text[text.index("enum {") :])
    statements = [
        re.sub(r"\s+", " ", statement).strip() for statement in re.sub(r"\{.*?\}", "", text, flags=re.DOTALL).split(";")
    ]
    constants = dict(re.findall(r"(LOGLIK_\w+) = (-?\d+)", text))
    structures = re.findall(r"\b(?:struct|union)\s+\w*\s*\{", text)
    if structures:
        raise NotImplementedError("loglik.h has structures now: list sizeof and offsetof of their fields")
    return {
        "declarations": [s for s in statements if "loglik_" in s],
        "constants": {name: int(value) for name, value in constants.items()},
    }


def pxd(source: Path) -> list[str]:
    """Declarations of c_api.pxd, each on one line."""
    text = (source / "src" / "loglik" / "c_api.pxd").read_text()
    body = re.sub(r"\(\s+", "(", re.sub(r",\s+", ", ", text[text.index("cdef extern") :]))
    return [line.strip() for line in body.splitlines() if line.strip()]


def pkg_config(source: Path) -> dict[str, list[str]]:
    """The words of each field of loglik.pc; variables of CMake, which name folders, are left out."""
    text = (source / "csrc" / "loglik.pc.in").read_text()
    fields = dict(re.findall(r"^(\w+): (.*)$", text, re.MULTILINE))
    return {name: [word for word in value.split() if "@" not in word] for name, value in fields.items()}


SECTIONS: dict[str, Callable[[Path], Any]] = {
    "modules": lambda source: modules(),
    "signatures": lambda source: signatures() | written_signatures(source / "src" / "loglik" / "torch.py"),
    "attributes": lambda source: attributes(),
    "ufuncs": lambda source: ufuncs(),
    "pickles": lambda source: pickles(),
    "symbols": lambda source: symbols(),
    "header": header,
    "pxd": pxd,
    "pkg_config": pkg_config,
    "include": lambda source: sorted(
        path.relative_to(source / "csrc/include").as_posix() for path in source.rglob("csrc/include/**/*.h")
    ),
}
"""Parts of the list, and how each is made of the installed package and its source tree."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List what the installed package offers by name.")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--source", type=Path, default=ROOT, metavar="ROOT", help="source tree of the installed package")
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="NAME", help="what to make anew; all"
    )
    given = parser.parse_args()
    kept = json.loads(given.output.read_text()) if given.output.exists() else {}
    made = {name: SECTIONS[name](given.source) for name in given.sections}
    given.output.write_text(json.dumps(kept | made, indent=1, ensure_ascii=False) + "\n")
