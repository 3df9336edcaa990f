"""Elementary functions and elementwise log-densities: ours beside the NumPy reference."""

FAMILIES = {"elementwise", "density"}


def test_ours(measure, problem):
    measure(problem.run)


def test_numpy(measure, problem):
    measure(problem.reference)
