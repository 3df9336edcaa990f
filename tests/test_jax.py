"""The recipe of docs/jax.md against JAX's own gradients. Not in CI, which has no JAX: pip install jax."""

import doctest
from pathlib import Path

import numpy as np
import pytest

jax = pytest.importorskip("jax")
PAGE = Path(__file__).parents[1] / "docs" / "jax.md"


def test_gradients_are_those_of_jax():
    names: dict = {}
    examples = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), names, PAGE.name, str(PAGE), 0)
    failures: list[str] = []
    doctest.DocTestRunner().run(examples, out=failures.append, clear_globs=False)
    assert not failures, "".join(failures)
    names, jnp = examples.globs, jax.numpy
    rng = np.random.default_rng(2)
    t, z, v = rng.random((3, 6, 4)).astype(np.float32)
    labels = jnp.asarray(rng.integers(0, 4, 6))

    def bce(z):
        return (jnp.logaddexp(0, z) - t * z).mean()

    def cross_entropy(z):
        return -jnp.take_along_axis(jax.nn.log_softmax(z), labels[:, None], -1).mean()

    def gaussian(m, lv):
        return -jax.scipy.stats.norm.logpdf(t, m, jnp.exp(lv / 2)).mean()

    def kl(m, lv):
        return 0.5 * (m**2 + jnp.exp(lv) - 1 - lv).sum(-1).mean()

    for name, data, model, theirs in (
        ("bernoulli_nll", (t,), (z,), bce),
        ("categorical_nll", (labels,), (z,), cross_entropy),
        ("gaussian_nll", (t,), (z, v), gaussian),
        ("kl_standard_normal", (), (z, v), kl),
    ):
        ours, numbers = names[name], tuple(range(len(model)))
        found = jax.jit(jax.value_and_grad(lambda *m, f=ours, d=data: 3 * f(d, *m), argnums=numbers))(*model)
        expected = jax.value_and_grad(lambda *m, f=theirs: 3 * f(*m), argnums=numbers)(*model)
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
