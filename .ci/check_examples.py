"""The examples in C and Cython against the installed loglik: python check_examples.py EXAMPLES (a copy: it is written to).

The Cython package has to be installed. What they compute has to be the bits of loglik's Python functions.
"""

import subprocess
import sys
from pathlib import Path

import loglik_example
import numpy as np

import loglik as ll

for name, module in {"loglik": ll, "loglik_example": loglik_example}.items():
    assert "site-packages" in module.__file__, (name, module.__file__)

# The C program.
folder = Path(sys.argv[1]) / "c"
subprocess.run(["make", "-s", "-C", folder, f"PYTHON={sys.executable}", "CFLAGS=-O1 -Wall -Werror"], check=True)
printed = subprocess.run([folder / "score"], capture_output=True, text=True, check=True).stdout.splitlines()
x, mean, covariance = [[0, 0], [1, 1], [-1, 2], [3, 0.5]], [0.5, 0.5], [[2, 0.6], [0.6, 1]]
values, info = ll.ufuncs.mvn_log_prob_shared(x, mean, covariance)
loss, gradient = ll.bernoulli_nll([1, 0, 1], logits=np.array([2, -1, -80], "f4"), reduction="mean", wrt="logits")
assert info == 0
assert printed[0] == f"loglik {ll.__version__} with {ll.isa()}", printed[0]
assert [float(line.split()[-1]) for line in printed[1:5]] == values.tolist(), printed
assert printed[5] == "pivot 2 is not positive", printed[5]
words = printed[6].replace(",", "").split()
assert np.float32(words[2]) == loss, words
assert np.array_equal(np.array(words[4:], "f4"), gradient), words

# The Cython package.
rng = np.random.default_rng(0)
x, loc, factor = rng.normal(size=(5000, 7)), rng.normal(size=7), np.tril(rng.normal(size=(7, 7))) + 4 * np.eye(7)
covariance = factor @ factor.T
targets, logits = rng.integers(0, 2, (50, 784)).astype(float), rng.normal(size=(50, 784)) * 5
for threads in (1, 3):
    assert np.array_equal(loglik_example.mvn_log_prob(x, loc, covariance, threads),
                          ll.ufuncs.mvn_log_prob_shared(x, loc, covariance)[0])  # fmt: skip
    sums, gradients = loglik_example.bernoulli_nll_rows(targets, logits, threads)
    expected = [ll.bernoulli_nll(t, logits=z, reduction="sum", wrt="logits") for t, z in zip(targets, logits, strict=True)]
    assert np.array_equal(sums, [value for value, _ in expected])
    assert np.array_equal(gradients, [slope for _, slope in expected])
for call in (lambda: loglik_example.mvn_log_prob(x, loc, -covariance),
             lambda: loglik_example.bernoulli_nll_rows(targets + 0.5, logits)):  # fmt: skip
    try:
        call()
    except ValueError:
        continue
    raise AssertionError("bad input was accepted")
print("    the C program and the Cython package have the bits of loglik's own functions")
