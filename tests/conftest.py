"""Shared fixtures."""

import numpy as np
import pytest

from loglik._dispatch import available_isas
from loglik._ufuncs import make_ufuncs

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
