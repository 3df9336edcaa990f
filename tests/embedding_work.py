"""What users of the package do in threads and processes of their own: one call of each public family, as bytes."""

import numpy as np

import loglik as ll


def families(seed: int = 0) -> list[bytes]:
    """The results of calls that use threads and memory of the package; the same for the same seed, wherever they run."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3000, 4))
    labels, logits = rng.integers(0, 2, 40_000), rng.standard_normal(40_000)
    mvn = ll.MultivariateNormal.fit(x)
    normal = ll.Normal.fit(x, axis=0)
    mixture = ll.MultivariateNormal(rng.standard_normal((5, 4)), np.eye(4))
    rows = rng.dirichlet(np.ones(6), 500)
    value, gradient = ll.bernoulli_nll(labels, logits=logits, wrt="logits")
    results = [
        mvn.log_prob(x),
        mvn.covariance,
        normal.log_prob(x),
        normal.quantile(rng.random((100, 4))),
        mvn.sample(2000, rng=seed),
        ll.Discrete([0.1, 0.2, 0.7]).sample(3000, rng=seed),
        value,
        gradient,
        ll.categorical_nll(rng.integers(0, 6, 500), log_probs=np.log(rows)),
        ll.mixture_log_prob(x, np.log(np.full(5, 0.2)), mixture),
        ll.kl_divergence(rows, rows[::-1]),
        ll.js_divergence(rows, rows[::-1]),
        ll.posterior(rows[0], rows),
        ll.covariance(x, weights=rng.random(3000)),
        ll.dice("4d6kh3 + 2d8").probs,
        (50 @ ll.Discrete(rows[0])).log_probs,
        ll.estimate_kl(mvn, ll.MultivariateNormal(np.zeros(4), np.eye(4)), n=20_000, rng=seed).value,
    ]
    return [np.asarray(result).tobytes() for result in results]


class Scores:
    """A data set as those that a DataLoader reads: item i is made by the worker that is asked."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, i: int) -> list[bytes]:
        return families(i % 2)
