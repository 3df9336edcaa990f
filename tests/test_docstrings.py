"""The examples in the docstrings of the package."""

import doctest
import importlib
import importlib.util
import pkgutil

import pytest

import loglik

MODULES = ["loglik"] + [
    module.name
    for module in pkgutil.walk_packages(loglik.__path__, "loglik.")
    # On Linux the library has the name of an extension module.
    if module.name not in ("loglik.__main__", "loglik.bench.peers", "loglik.libloglik")
    and not (module.name.startswith("loglik.sklearn") and importlib.util.find_spec("sklearn") is None)
]
OPTIONAL = {"loglik.torch": "torch", "loglik._engine.chunks": "dask"}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])
    # by path: loglik.dice is the function, and the module of that name stands behind it
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
