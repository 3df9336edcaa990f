"""Cutting counts, positions in arrays, and results in order."""

import threading

import numpy as np
import pytest

from loglik._engine.cuts import index_of, ranges, shares
from loglik._engine.parallel import in_order, num_threads


@pytest.mark.parametrize("size,step", [(0, 3), (1, 3), (3, 3), (7, 3), (9, 3), (5, 100)])
def test_ranges_cover_a_size(size, step):
    cut = ranges(size, step)
    assert [i for start, stop in cut for i in range(start, stop)] == list(range(size))
    assert all(stop - start == step for start, stop in cut[:-1])
    assert all(0 < stop - start <= step for start, stop in cut)


@pytest.mark.parametrize("count,most", [(0, 4), (1, 4), (4, 4), (10, 4), (11, 4), (3, 0)])
def test_shares_cover_a_count_evenly(count, most):
    cut = shares(count, most)
    assert [i for start, stop in cut for i in range(start, stop)] == list(range(count))
    lengths = [stop - start for start, stop in cut]
    assert max(lengths) - min(lengths) <= 1
    assert len(cut) == max(1, min(count, most))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_position_is_that_of_the_transposed_array(order):
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for position, entry in enumerate(array.transpose(order).reshape(-1)):
        assert array[index_of(position, array.shape, order)] == entry
    assert index_of(0, (), ()) == ()


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_and_few_at_a_time(threads):
    lock, computed = threading.Lock(), []

    def square(i):
        with lock:
            computed.append(i)
        return i * i

    found = []
    with num_threads(threads):
        for result in in_order(square, 23, 5):
            found.append(result)
            assert len(computed) <= 5 * -(-len(found) // 5)  # no group starts before the last one is taken
    assert found == [i * i for i in range(23)]
    assert list(in_order(square, 0, 5)) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_error_of_results_in_order_is_raised(threads):
    def fail(i):
        if i >= 7:
            raise ValueError(f"block {i}")
        return i

    with num_threads(threads):
        results = in_order(fail, 23, 5)
        assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match="block 7"):
            next(results)
