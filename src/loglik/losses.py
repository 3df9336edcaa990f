"""Losses: negative log-likelihoods with reductions, weights and gradients, in one pass over the data.

Targets come first, the model's side by keyword. Nothing is clamped: an impossible outcome costs +inf.
"""

from typing import Any, Literal

import numpy as np

from loglik._loss_pass import LossPass
from loglik._losses import bernoulli_nll_block

__all__ = ["bernoulli_nll"]

Reduction = Literal["mean", "sum", "none"]


def bernoulli_nll(
    targets: Any,
    *,
    logits: Any = None,
    probs: Any = None,
    weights: Any = None,
    reduction: Reduction = "mean",
    axis: int | tuple[int, ...] | None = None,
    wrt: str | tuple[str, ...] | None = None,
    out: Any = None,
) -> Any:
    """Bernoulli negative log-likelihood (binary cross-entropy) in nats.

    ℓ = -t log p - (1 - t) log(1 - p) with t the target and p = sigmoid(logits) or `probs`.

    Parameters
    ----------
    targets : array_like
        Outcomes 0 and 1 (any dtype), or their probabilities in [0, 1] (soft targets). They never decide the dtype of
        the result.
    logits, probs : array_like
        The model, exactly one of them: log-odds, or probabilities in [0, 1]. Broadcasts with `targets`.
    weights : array_like, optional
        Weights of the values; broadcast. A value with weight 0 does not count, even if it is infinite.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of values, with `weights` by their sum: Σwℓ / Σw.
    axis : int or tuple of int, optional
        The axes reduced; None: all. For example ``axis=-1`` gives one log-likelihood per image.
    wrt : {"logits", "probs"}, or a tuple of it, optional
        Return the gradient too, in the argument that was given: of the reduced value, or of the sum of the values.
        It has the shape of that argument.
    out : ndarray, optional
        Where the result goes; with `wrt` a pair like the one returned.

    Returns
    -------
    ndarray or scalar, or with `wrt` a pair (value, gradient)
        Of the dtype of `logits` or `probs` (float64 if that is integer). Sums are taken in double and rounded once.

    Raises
    ------
    ValueError
        A target or probability outside [0, 1] (the message names the index and the value), not exactly one of `logits`
        and `probs`, an unknown reduction or name in `wrt`, shapes that do not broadcast.
    TypeError
        Complex, object, string or long double input.

    Notes
    -----
    With logits the value is c·|logits| + log1p(exp(-|logits|)), c = t or 1 - t: two terms that are not negative, right
    for infinite logits. Sums join the logarithms: log1p(a) + log1p(b) = log1p(a + b + ab), which keeps their relative
    accuracy (4 ulp of the result) where 1 + a would round to 1. The same bits for any number of threads and any layout.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.bernoulli_nll([0, 1, 1], logits=[-2.0, 0.0, 3.0])
    np.float64(0.2895541810588866)
    >>> value, gradient = ll.bernoulli_nll([0, 1], logits=[-1.0, 1.0], wrt="logits")
    >>> gradient
    array([ 0.13447071, -0.13447071])
    """
    function = "bernoulli_nll"
    if (logits is None) == (probs is None):
        raise ValueError(f"{function}: give exactly one of logits and probs")
    name = "logits" if probs is None else "probs"
    model = logits if probs is None else probs
    loss = LossPass(function, {"targets": targets, name: model}, name, weights, reduction, axis, wrt, out)

    def kernel(blocks: list[np.ndarray], block_weights: Any, scale: float, values: Any, gradient: Any) -> tuple:
        return bernoulli_nll_block(blocks[0], blocks[1], block_weights, name == "logits", scale, values, gradient)

    return loss.run(kernel, nanoseconds=1.0)
