"""Monte Carlo for anything that samples, block by block."""

from typing import Any, NamedTuple

import numpy as np

from loglik import _kernels, ufuncs
from loglik._engine.parallel import in_order
from loglik._estimation.controls import Controls, controls_of, is_ours
from loglik._estimation.summary import Summary, add_moments
from loglik._estimation.tails import Tail

_FIRST = 256  # samples of the first block, which shows the shapes
_NUMBERS = 1 << 15  # of a block: within a second-level cache
_MOST = 1 << 13  # samples of a block
_TOGETHER = 64  # blocks whose moments are in memory at a time
_LEAST_SHARE = 0.01  # of a single value in the sum of squares, where the variance is infinite
_LEAST_FOR_CONTROLS = 10  # samples for each control variate, from which on they are used


class LogRatio:
    """log f - log g at samples of f, or its `js_integrand`: (m, batch), infinite where g has no density; and how far the rounding
    of the two logarithms may shift a mean of it, which for a `log_prob` in float32 is more than a regression leaves."""

    def __init__(self, function: str, sampled: Any, other: Any, names: tuple[str, str], *, js: bool) -> None:
        self._function, self._pair, self._names, self._js = function, (sampled, other), names, js

    def _log_prob(self, which: int, x: np.ndarray) -> tuple[np.ndarray, float]:
        distribution, name = self._pair[which], self._names[which]
        given = np.asarray(distribution.log_prob(x))
        values = given.astype(np.float64)
        if values.ndim == 0 or len(values) != len(x):
            raise ValueError(
                f"{self._function}: {name}.log_prob gave shape {values.shape} for samples of shape {x.shape}; "
                "there must be a value for each sample along the first axis"
            )
        wrong = np.isnan(values) | np.isposinf(values)
        if wrong.any():
            index = tuple(np.argwhere(wrong)[0])
            where = f"the sample {x[index[0]]!r} of {self._names[0]}"
            raise ValueError(f"{self._function}: {name}.log_prob is {values[index]} for {where}")
        eps = np.finfo(given.dtype).eps if given.dtype.kind == "f" else 0.0
        finite = np.abs(values[np.isfinite(values)])
        return values, float(eps * finite.mean()) if finite.size else 0.0

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        own, own_rounding = self._log_prob(0, x)
        if np.isneginf(own).any():
            index = tuple(np.argwhere(np.isneginf(own))[0])
            name = self._names[0]
            raise ValueError(f"{self._function}: {name}.sample drew {x[index[0]]!r}, where {name}.log_prob is -inf")
        # Batches broadcast from the right, after the axis of samples.
        lead = max(0, len(getattr(self._pair[1], "batch_shape", ())) - (own.ndim - 1))
        spread = (len(x),) + (1,) * lead
        other, rounding = self._log_prob(1, x.reshape(*spread, *x.shape[1:]))
        with np.errstate(invalid="ignore"):
            ratio = own.reshape(*spread, *own.shape[1:]) - other
        return ufuncs.js_integrand(ratio) if self._js else ratio, own_rounding + rounding


class _Part(NamedTuple):
    """A block: how many samples, and of values and controls together the means (B, 1 + k) and sums of products about them."""

    n: int
    mean: np.ndarray
    products: np.ndarray
    infinite: np.ndarray
    values: np.ndarray
    rounding: float


class BlockSampler:
    """Moments of log f - log g, or of its `js_integrand`, over samples of f; f is p or q.

    `names` are theirs in the caller's words. Block i of a distribution of ours is a sample with the key that is number i of the
    sequence (key, stream); other distributions are handed one `numpy.random.Generator` for all blocks, in order.
    """

    def __init__(
        self, function: str, sampled: Any, other: Any, names: tuple[str, str], key: int, *, js: bool = False, stream: int = 0
    ) -> None:
        self._function, self._sampled, self._values = function, sampled, LogRatio(function, sampled, other, names, js=js)
        self._key, self._stream, self._js = key, stream, js
        self._ours = is_ours(sampled)
        self._side_by_side = self._ours and is_ours(other)
        # A bounded value needs none, and its finite-sample interval would not be one for a regression.
        self._controls: Controls | None = None if js else controls_of(sampled)
        self._generator = None if self._ours else np.random.Generator(np.random.Philox(key=np.array([key, stream], np.uint64)))
        self._blocks = self.n = 0
        self._rounding = 0.0
        self._shape: tuple[int, ...] = ()
        self._numbers = 1  # that a sample of the whole batch consists of

    # ------------------------------------------------------------------------------------------- one block

    def _draw(self, m: int, block: int) -> np.ndarray:
        if self._generator is not None:
            return np.asarray(self._sampled.sample((m,), rng=self._generator))
        words = np.empty((1, 4), np.uint32)
        _kernels.philox_words(self._key, self._stream, block, words)
        key = int(words[0, 0]) | int(words[0, 1]) << 32
        dtype, fill = self._sampled._sampler(self._function, None)
        x = np.empty((m, *self._sampled.batch_shape, *self._sampled.event_shape), dtype)
        fill(x, key)
        return x

    def _part(self, m: int, block: int) -> _Part:
        x = self._draw(m, block)
        values, rounding = self._values(x)
        if block == 0:
            self._learn(x, values)
        flat = values.reshape(m, -1)
        infinite = np.any(np.isposinf(flat), axis=0)
        if infinite.any():
            flat = np.where(np.isfinite(flat), flat, 0.0)
        together = flat[..., None]
        if self._controls is not None:
            controls = self._controls(x)
            lead = values.ndim - (controls.ndim - 1)
            controls = controls.reshape(m, *(1,) * lead, *controls.shape[1:])
            controls = np.broadcast_to(controls, (*values.shape, controls.shape[-1])).reshape(m, flat.shape[1], -1)
            together = np.concatenate([together, controls], axis=-1)
        together = np.moveaxis(together, 0, 1)  # (B, m, 1 + k)
        mean = together.mean(axis=1)
        centred = together - mean[:, None, :]
        products = np.swapaxes(centred, -1, -2) @ centred
        return _Part(m, mean, products, infinite, flat, rounding)

    def _learn(self, x: np.ndarray, values: np.ndarray) -> None:
        """Shapes, from the first block."""
        self._shape = values.shape[1:]
        items = values[0].size
        width = 1 + (self._controls.count if self._controls is not None else 0)
        self._numbers = max(1, items * width, x[0].size)
        self._mean = np.zeros((items, width))
        self._products = np.zeros((items, width, width))
        self._infinite = np.zeros(items, bool)
        self._tail = Tail(items)

    # ------------------------------------------------------------------------------------------- all blocks

    def extend(self, n: int) -> None:
        while self.n < n:
            self._round(n)

    def _round(self, n: int) -> None:
        if self._blocks == 0:
            sizes = [min(_FIRST, n)]
        else:
            most = min(_MOST, max(1, _NUMBERS // self._numbers))
            count = min(_TOGETHER, -(-(n - self.n) // most))
            sizes = [min(most, n - self.n - i * most) for i in range(count)]

        def one(i: int) -> _Part:
            return self._part(sizes[i], self._blocks + i)

        seconds = sum(sizes) * self._numbers * 2e-8 if self._side_by_side else 0.0
        for part in in_order(one, len(sizes), _TOGETHER, seconds=seconds):
            self._merge(part)
        self._blocks += len(sizes)

    def _merge(self, part: _Part) -> None:
        add_moments(self.n, self._mean, self._products, part.n, part.mean, part.products)
        self._infinite |= part.infinite
        self._rounding = max(self._rounding, part.rounding)
        if not self._js:
            self._tail.add(part.values)
        self.n += part.n

    def summary(self) -> Summary:
        n, mean, squares = self.n, self._mean[:, 0].copy(), self._products[:, 0, 0].copy()
        width = self._mean.shape[1]
        freedom = n - 1
        if width > 1 and n >= _LEAST_FOR_CONTROLS * width:
            # The regression of the values on what has mean 0 takes out all that is linear in it.
            inverse = np.linalg.pinv(self._products[:, 1:, 1:], rcond=1e-12, hermitian=True)
            beta = (inverse @ self._products[:, 1:, :1])[..., 0]
            mean -= np.einsum("bk,bk->b", beta, self._mean[:, 1:])
            squares = np.maximum(squares - np.einsum("bk,bk->b", beta, self._products[:, 1:, 0]), 0.0)
            freedom = n - width
        mean[self._infinite], squares[self._infinite] = np.inf, 0.0
        variance = squares / max(freedom, 1)
        index, error = np.zeros(mean.size), 0.0
        if not self._js:
            index, error = self._tail.index()
            share = self._tail.farthest(self._mean[:, 0]) ** 2 / np.maximum(self._products[:, 0, 0], np.finfo(float).tiny)
            index = np.where(share < _LEAST_SHARE, 0.0, index)
        index[self._infinite] = 0.0
        stderr, shape = np.where(self._infinite, 0.0, np.hypot(np.sqrt(variance / n), self._rounding)), self._shape
        return Summary(n, mean.reshape(shape), stderr.reshape(shape), variance.reshape(shape), index.reshape(shape), error)


