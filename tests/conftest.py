"""Shared fixtures."""

import os

import numpy as np
import pytest

from loglik._kernels import available_isas, isa, make_ufuncs

_ufuncs_of_level = {level: make_ufuncs(level) for level in available_isas()}


@pytest.fixture(params=available_isas())
def level(request):
    """Each instruction-set level that the machine has."""
    return request.param


@pytest.fixture
def kernels(level):
    """Dictionary of the ufuncs of one level."""
    return _ufuncs_of_level[level]


@pytest.fixture(params=[np.float64, np.float32], ids=["f64", "f32"])
def dtype(request):
    return np.dtype(request.param)


def pytest_collection_modifyitems(config, items):
    """LOGLIK_ONE_LEVEL=1: of the tests that have one case for each level, only those of the level in use. Runs with every
    level forced in turn then do everything once."""
    if os.environ.get("LOGLIK_ONE_LEVEL") != "1":
        return
    others = set(available_isas()) - {isa()}
    kept, dropped = [], []
    for item in items:
        values = item.callspec.params.values() if hasattr(item, "callspec") else ()
        (dropped if any(isinstance(value, str) and value in others for value in values) else kept).append(item)
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept
