"""One look at an installed wheel, outside the source tree and without the test packages."""

import ctypes
import importlib.resources
import math
import sys

import numpy as np

import loglik as ll

assert "site-packages" in ll.__file__, ll.__file__
assert importlib.resources.files("loglik").joinpath("py.typed").is_file()
assert abs(float(ll.ufuncs.exp(1.0)) - math.e) < 1e-15
assert ll.ufuncs.exp(np.float32(1)).dtype == np.float32
assert np.array([5e-324])[0] * 1.0 != 0.0

library = ctypes.CDLL(ll.show_config("dicts")["library"])
library.loglik_version.restype = ctypes.c_char_p
assert library.loglik_version().decode() == ll.__version__

rng = np.random.default_rng(0)
if hasattr(ll, "Normal"):
    value = float(ll.Normal(1.0, 2.0).log_prob(3.0))
    assert abs(value - (-0.5 - math.log(2.0) - 0.5 * math.log(2.0 * math.pi))) < 1e-15, value
if hasattr(ll, "MultivariateNormal"):
    value = float(ll.MultivariateNormal(np.zeros(2), np.diag([4.0, 9.0])).log_prob([0.0, 0.0]))
    assert abs(value + math.log(2.0 * math.pi) + math.log(6.0)) < 1e-14, value
if hasattr(ll, "bernoulli_nll"):
    assert abs(float(ll.bernoulli_nll(np.ones(1000), logits=np.zeros(1000))) - math.log(2.0)) < 1e-15
if hasattr(ll, "dice"):
    assert ll.dice(2, 6).counts()[0] == [1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1]

loaded = [name for name in ("scipy", "matplotlib", "torch", "pandas") if name in sys.modules]
assert not loaded, loaded
print(f"    smoke test passed: loglik {ll.__version__}, {ll.isa()}, numpy {np.__version__}, {sys.version.split()[0]}")
