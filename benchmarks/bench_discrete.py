"""Dice and discrete sums: ours beside the NumPy reference."""

FAMILIES = {"dice"}


def test_ours(measure, problem):
    measure(problem.run)


def test_numpy(measure, problem):
    measure(problem.reference)
