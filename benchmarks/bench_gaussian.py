"""Multivariate normal densities and Cholesky factors: ours beside the NumPy reference."""

FAMILIES = {"mvn", "cholesky"}


def test_ours(measure, problem):
    measure(problem.run)


def test_numpy(measure, problem):
    measure(problem.reference)
