"""Calls on tiny arrays: ours beside the NumPy reference."""

FAMILIES = {"call"}


def test_ours(measure, problem):
    measure(problem.run)


def test_numpy(measure, problem):
    measure(problem.reference)
