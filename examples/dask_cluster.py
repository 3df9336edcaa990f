"""
Fit a Gaussian on a cluster
===========================

Chunks are summarised where they lie, the summaries (2 d² + 4 d numbers) travel and are joined in a tree. A worker that dies costs
its tasks only: they are done again elsewhere, and the result has the same bits. Needs ``pip install "loglik[interop]"``.
"""

import dask.array as da
from distributed import Client, LocalCluster

import loglik as ll


def main() -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        x = da.random.default_rng(1).normal(size=(10_000_000, 4), chunks=(500_000, 4))
        mvn = ll.MultivariateNormal.fit(x)  # computes; the chunks never leave their workers
        print(mvn.loc, mvn.covariance, mvn.fit_report.n, sep="\n")
        surprise = -mvn.log_prob(x)  # lazy
        print(surprise.mean().compute(), mvn.entropy())


if __name__ == "__main__":
    main()
