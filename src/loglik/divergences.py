"""Divergences between distributions, in closed form.

For pairs without one, and for an independent check, see `loglik.estimate_kl`.
"""

from typing import Any

import numpy as np

from loglik import _elementwise, _validate, ufuncs
from loglik._normal_pairs import normal_pair
from loglik.distributions.normal import Normal

__all__ = ["kl_divergence"]


def kl_divergence(p: Any, q: Any, *, axis: int = -1, wrt: str | tuple[str, ...] | None = None) -> Any:
    """Kullback-Leibler divergence KL(p ‖ q) = E_p[log p(x) - log q(x)] in nats, in closed form.

    Parameters
    ----------
    p, q : Normal or MultivariateNormal
        Of the same dimension (a univariate normal goes with a 1-dimensional multivariate one). Batches broadcast.
    axis : int
        For arrays of probabilities, which are not supported yet.
    wrt : str or tuple of str, optional
        Gradients, which are not available yet.

    Returns
    -------
    ndarray or scalar
        Of the broadcast batch shape and the common dtype; computed in float64.

    Raises
    ------
    NotImplementedError
        If there is no closed form for the pair; `loglik.estimate_kl` is for those.
    ValueError
        If dimensions differ or batches do not broadcast.

    Notes
    -----
    With p = N(a, A Aᵀ), q = N(b, B Bᵀ), T = B⁻¹A, c = B⁻¹(a - b), the divergence is
    Σᵢ (tᵢᵢ²/2 - 1/2 - log tᵢᵢ) + Σ_{i>j} tᵢⱼ²/2 + |c|²/2: only non-negative terms, each computed from
    differences of the parameters. So it is never negative and keeps its relative accuracy for nearly equal pairs:
    at most 8 ulp for univariate normals, a small multiple of d·κ·u otherwise, with κ the condition number of the
    covariance of q scaled to a unit diagonal. Two distributions constructed from covariances are compared
    through the difference of the covariances.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.kl_divergence(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0))
    np.float64(0.4431471805599453)
    >>> ll.kl_divergence(ll.Normal(1.0, 2.0), ll.Normal(0.0, 1.0))
    np.float64(1.3068528194400546)
    """
    if wrt is not None:
        raise NotImplementedError("kl_divergence: gradients (wrt) are not available yet")
    return closed_form_kl("kl_divergence", p, q)


def closed_form_kl(function: str, p: Any, q: Any) -> Any:
    """KL(p ‖ q); NotImplementedError in the name of `function` where there is no closed form."""
    if isinstance(p, Normal) and isinstance(q, Normal):
        _validate.broadcast_shapes(function, p=p.batch_shape, q=q.batch_shape)
        arguments = (p.loc, p.scale, q.loc, q.scale)
        dtype = _validate.result_dtype(*p._arguments().values(), *q._arguments().values())
        return _elementwise.apply(function, ufuncs.normal_kl, *arguments, dtype=dtype, nanoseconds=5.0)
    pair = normal_pair(function, p, q)
    if pair is None:
        raise NotImplementedError(
            f"{function}: no closed form for KL({type(p).__name__} ‖ {type(q).__name__}); there is one for Normal and "
            "MultivariateNormal. loglik.estimate_kl is for other pairs"
        )
    return np.asarray(pair.kl(), pair.dtype)[()]
