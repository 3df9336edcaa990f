"""Sampling, Monte Carlo and divergences: ours beside the NumPy reference."""

FAMILIES = {"sampling", "monte_carlo", "divergence"}


def test_ours(measure, problem):
    measure(problem.run)


def test_numpy(measure, problem):
    measure(problem.reference)
