"""The examples in the docstrings of the package."""

import doctest
import importlib
import importlib.util
import pkgutil

import pytest

import loglik

MODULES = [
    module.name
    for module in pkgutil.walk_packages(loglik.__path__, "loglik.")
    # On Linux the library has the name of an extension module.
    if module.name not in ("loglik.__main__", "loglik.bench.peers", "loglik.libloglik")
    and not (module.name.startswith("loglik.sklearn") and importlib.util.find_spec("sklearn") is None)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in ("loglik.torch", "loglik._dask"):
        pytest.importorskip(name.removeprefix("loglik.").lstrip("_"))
    # by path: loglik.dice is the function, and the module of that name stands behind it
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
