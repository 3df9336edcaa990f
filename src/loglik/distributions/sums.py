"""Sums of independent discrete variables."""

from typing import Any

import numpy as np

from loglik._discrete.checks import check_rows
from loglik.distributions.base import Distribution
from loglik.distributions.bernoulli import Bernoulli
from loglik.distributions.discrete import Discrete, sum_of_discrete


def convolve(variables: Any) -> Discrete:
    r"""The sum of independent discrete variables.

    .. math:: P(X + Y = k) = \sum_i P(X = i)\, P(Y = k - i)

    Parameters
    ----------
    variables : iterable of Discrete, Bernoulli or array_like, or array_like of shape (n, K), or Bernoulli
        An array of K numbers is taken as ``Discrete(array)``: probabilities of 0, 1, 2, … The rows of an array of
        shape (n, K) are n variables, and so are all the entries of a `Bernoulli`: ``convolve(Bernoulli(p))`` is the
        Poisson-binomial distribution. Batches of pmfs, or arrays of shape (..., K) in a list, broadcast: row by row
        the sum of what they have there.

    Returns
    -------
    Discrete
        Exact counts are kept where all have them; float32 where all arrays are. Without any variable, the
        constant 0.

    Raises
    ------
    ValueError
        If an array is not a probability mass function, or the sum would have more than 2^26 outcomes or take more than
        about a minute.

    Notes
    -----
    The shortest variables first; relative error at most 20·N·2⁻⁵³ in every entry for N outcomes, however small it is
    (two float32 arrays: 20·N·2⁻²⁴). Measured against products in 300 bits: 1.1e-15 for 300 different Bernoulli variables,
    6.5e-14 for 100,000, 4.3e-14 for 512 copies of 300 outcomes.

    Short pmfs are summed directly, all terms being positive. Where products of probabilities would underflow, powers of
    two are carried separately. Long pmfs are tilted exponentially, a·2^(-θi), so that windows of plain numbers give the
    sums around one place after the other; long windows go through an FFT, whose result is taken only where its error bound
    is below 2⁻⁴⁰ of it. A sum of n Bernoulli variables takes about n^1.5 multiplications, 100,000 of them 0.25 s. The result
    is divided by its total: probabilities that were rounded need not total 1. Equal dice are merged and summed by a recurrence.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.convolve([[0.5, 0.5], [0.25, 0.75]]).probs
    array([0.125, 0.5  , 0.375])
    >>> ll.convolve(ll.Bernoulli([0.5, 0.75])).probs
    array([0.125, 0.5  , 0.375])
    """
    terms = [variables] if isinstance(variables, Bernoulli) else list(variables)
    if terms and not any(isinstance(term, Distribution) for term in terms):
        stack = check_rows(terms)
        if stack is not None:
            return sum_of_discrete([], [stack], stack.dtype)
    coins = [term for term in terms if isinstance(term, Bernoulli)]
    others = [_as_discrete(i, term) for i, term in enumerate(terms) if not isinstance(term, Bernoulli)]
    if not coins:
        return sum_of_discrete(others)
    if any(term.batch_shape for term in others):
        return sum_of_discrete([*others, convolve(coins)])
    both = [coin.wide_probs() for coin in coins]
    stack = np.stack([np.concatenate([np.ravel(pair[i]) for pair in both]) for i in (1, 0)], axis=-1)
    dtype = np.result_type(*(term.dtype for term in terms if isinstance(term, Distribution)), *(d.dtype for d in others))
    return sum_of_discrete(others, [stack], dtype)


def _as_discrete(i: int, term: Any) -> Discrete:
    """Entry i of the variables as a `Discrete`; an error says which it is."""
    if isinstance(term, Discrete):
        return term
    try:
        return Discrete(term)
    except (TypeError, ValueError) as error:
        message = str(error).removeprefix("Discrete: ")
        raise type(error)(f"convolve: variables[{i}]: {message}") from None
