"""Divergences between distributions, or between arrays of probabilities, in closed form.

For pairs without one, and for an independent check, see `loglik.estimate`.
"""

from typing import Any

import numpy as np

from loglik._divergences import pairs, probability_rows
from loglik.distributions import discrete_pairs, gaussian_pairs, registry  # noqa: F401  (two of which register closed forms)
from loglik.distributions.base import Distribution

__all__ = ["cross_entropy", "js_distance", "js_divergence", "kl_divergence"]


def kl_divergence(p: Any, q: Any, *, axis: int = -1, wrt: str | tuple[str, ...] | None = None) -> Any:
    r"""Kullback-Leibler divergence KL(p ‖ q) = E_p[log p(x) - log q(x)] in nats, in closed form.

    Parameters
    ----------
    p, q : distributions, or array_like
        Two of one family (`MultivariateNormal`: of the same dimension); or one of the pairs Uniform ‖ Normal, Laplace ‖ Normal,
        Normal and Laplace ‖ Uniform, Bernoulli and Discrete, Normal and a 1-dimensional MultivariateNormal. Batches
        broadcast. Or two arrays of probabilities, whose other axes broadcast.
    axis : int, optional
        For arrays: along which axis the probabilities total 1. For distributions it has no meaning.
    wrt : str or tuple of str, optional
        What to take gradients in, for Normal, Laplace, Bernoulli and MultivariateNormal: ``"p."`` or ``"q."`` and the name of a
        parameter as given at construction, for example ``"p.loc"``, ``"q.scale"``, ``"p.logits"``, ``"q.covariance"``.

    Returns
    -------
    ndarray or scalar, or with `wrt` a pair (value, gradient) or (value, (gradients, ...))
        Of the broadcast batch shape and the common dtype; infinite where p has mass or density and q has none. A gradient has
        the shape of its argument: that of the sum of all values. For a covariance or a precision it is the symmetric G with
        dL = tr(G dΣ) for every symmetric dΣ.

    Raises
    ------
    NotImplementedError
        If there is no closed form for the pair (`loglik.estimate_kl` is for those), or no gradient.
    ValueError
        If dimensions differ or batches do not broadcast. For arrays: entries that are negative or not finite, a total that is
        not 1 within 8·K·eps for K entries (the message names the first index and its value), lengths that differ, no entries.
        If `wrt` names something else or a name twice.
    TypeError
        If arrays are not real.

    Notes
    -----
    Never negative and never NaN. Sums over outcomes are :math:`\sum p \log(p/q) + q - p`, with 0·log 0 = 0: each term is
    not negative and computed from the difference q - p, and that of the totals, which are 1 up to rounding, does not enter.
    Totals further from 1 than 4 eps are normalised first, as in `Discrete`. Error at most 8 ulp for univariate families,
    discrete variables and arrays, down to differences of 1e-12 and less.

    For normals p = N(a, A Aᵀ), q = N(b, B Bᵀ), T = B⁻¹A, c = B⁻¹(a - b), it is
    Σᵢ (tᵢᵢ²/2 - 1/2 - log tᵢᵢ) + Σ_{i>j} tᵢⱼ²/2 + \|c\|²/2: only non-negative terms, each computed from
    differences of the parameters. The relative error is at most a small multiple of d·κ·u, with κ the condition number of
    the covariance of q scaled to a unit diagonal. Two distributions constructed from covariances are compared
    through the difference of the covariances. With S = TᵀT - I for p, S = I - TTᵀ - c·cᵀ for q, and C = A or B, the
    gradient in the covariance is C⁻ᵀ S C⁻¹/2; S is computed from T - I.

    Gradients in univariate parameters: at most 8 units of u·Σ\|terms\|.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.kl_divergence(ll.Normal(0.0, 1.0), ll.Normal(1.0, 2.0))
    np.float64(0.4431471805599453)
    >>> ll.kl_divergence(ll.Uniform(-1.0, 3.0), ll.Uniform(0.0, 1.0))
    np.float64(inf)
    >>> ll.kl_divergence([[0.5, 0.5], [1.0, 0.0]], [0.25, 0.75])
    array([0.14384104, 1.38629436])
    >>> value, gradient = ll.kl_divergence(ll.Bernoulli(0.5), ll.Bernoulli(logits=1.0), wrt="q.logits")
    >>> print(value.round(12), gradient.round(12))
    0.120114506958 0.23105857863
    """
    if wrt is not None:
        if not (isinstance(p, Distribution) and isinstance(q, Distribution)):
            raise NotImplementedError("kl_divergence: gradients (wrt) are there for distributions, not for arrays")
        return _kl_gradients(p, q, wrt)
    if _both_listed(p, q):
        return probability_rows.kl(probability_rows.rows("kl_divergence", p, q, axis))
    return closed_form_kl("kl_divergence", p, q)


def closed_form_kl(function: str, p: Any, q: Any) -> Any:
    """KL(p ‖ q) of distributions; NotImplementedError in the name of `function` where there is no closed form."""
    return _closed_form(function, pairs.KL, p, q, "loglik.estimate_kl is for other pairs")


def closed_form_js(function: str, p: Any, q: Any) -> Any:
    """JS(p, q) of distributions; NotImplementedError in the name of `function` where there is no closed form."""
    return _closed_form(function, pairs.JS, p, q, "loglik.estimate_js is for other pairs")


def cross_entropy(p: Any, q: Any, *, axis: int = -1) -> Any:
    r"""Cross-entropy H(p, q) = -E_p[log q(x)] = H(p) + KL(p ‖ q) in nats, in closed form.

    Parameters
    ----------
    p, q : distributions, or array_like
        The pairs that `kl_divergence` has. ``cross_entropy(p, p)`` is ``p.entropy()``.
    axis : int, optional
        For arrays: along which axis the probabilities total 1.

    Returns
    -------
    ndarray or scalar
        Of the broadcast batch shape and the common dtype; infinite where p has mass or density and q has none.

    Raises
    ------
    NotImplementedError, ValueError, TypeError
        As `kl_divergence`.

    Notes
    -----
    Computed directly, not as a sum of entropy and divergence. Error at most 8 ulp where all terms have one sign
    (Bernoulli, Discrete, arrays), else 8 units of u·Σ\|terms\|; for multivariate normals a small multiple of d·κ.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.cross_entropy(ll.Bernoulli(0.5), ll.Bernoulli(0.5))
    np.float64(0.6931471805599453)
    >>> ll.cross_entropy([0.5, 0.5, 0.0], [0.25, 0.25, 0.5])
    np.float64(1.3862943611198906)
    """
    if _both_listed(p, q):
        return probability_rows.cross_entropy(probability_rows.rows("cross_entropy", p, q, axis))
    return _closed_form("cross_entropy", pairs.CROSS_ENTROPY, p, q, "-E_p[log q] can be sampled")


def js_divergence(p: Any, q: Any, *, axis: int = -1) -> Any:
    r"""Jensen-Shannon divergence (KL(p ‖ m) + KL(q ‖ m))/2 with m = (p + q)/2, in nats.

    Parameters
    ----------
    p, q : Bernoulli or Discrete, or array_like
        Also one of each. Batches broadcast. Or two arrays of probabilities, whose other axes broadcast.
    axis : int, optional
        For arrays: along which axis the probabilities total 1.

    Returns
    -------
    ndarray or scalar
        Of the broadcast batch shape and the common dtype, within [0, log 2]; the same for (q, p).

    Raises
    ------
    NotImplementedError
        If there is no closed form for the pair, as for normal distributions: then
        ½ KL(p ‖ m) + ½ KL(q ‖ m) must be estimated by sampling (`loglik.estimate_kl`).
    ValueError, TypeError
        As `kl_divergence`.

    Notes
    -----
    The sum of (p + q)/4·((1 + t)·log(1 + t) + (1 - t)·log(1 - t)) with t = (q - p)/(p + q), by an even polynomial near 0. At most
    8 ulp, subnormal probabilities included.

    Examples
    --------
    >>> import loglik as ll
    >>> ll.js_divergence([0.5, 0.5, 0.0], [0.0, 0.5, 0.5])
    np.float64(0.34657359027997264)
    >>> print(ll.js_divergence(ll.die(6), ll.die(8)).round(6))
    0.095603
    """
    if _both_listed(p, q):
        return probability_rows.js(probability_rows.rows("js_divergence", p, q, axis))
    return closed_form_js("js_divergence", p, q)


def js_distance(p: Any, q: Any, *, axis: int = -1) -> Any:
    """Jensen-Shannon distance, the square root of `js_divergence`: a metric, within [0, √log 2].

    Parameters, errors and pairs are those of `js_divergence`.

    Examples
    --------
    >>> import loglik as ll
    >>> print(ll.js_distance([1.0, 0.0], [0.0, 1.0]).round(6))
    0.832555
    """
    if _both_listed(p, q):
        return np.sqrt(probability_rows.js(probability_rows.rows("js_distance", p, q, axis)))
    return np.sqrt(closed_form_js("js_distance", p, q))


def _both_listed(p: Any, q: Any) -> bool:
    """Whether these are arrays of probabilities; what has a density is a distribution, ours or not."""
    return not any(isinstance(x, Distribution) or hasattr(x, "log_prob") for x in (p, q))


def _kl_gradients(p: Distribution, q: Distribution, wrt: Any) -> Any:
    """(value, gradient) or (value, (gradients, ...))."""
    function = "kl_divergence"
    pairs.batch(function, p, q)
    entry = pairs.KL.find(p, q)
    if entry is not None and entry.gradients is not None:
        return entry.gradients(function, p, q, wrt, lambda: entry.form(function, p, q))
    closed_form_kl(function, p, q)  # whether there is a closed form at all
    families = _names(pairs.KL.with_gradients())
    raise NotImplementedError(
        f"{function}: no gradients (wrt) for KL({type(p).__name__} ‖ {type(q).__name__}); there are some for {families}"
    )


def _names(entries: list[tuple[type, type]]) -> str:
    """The pairs of families that entries of a table serve; an entry for a base class serves its families."""
    families = registry.FAMILIES.values()
    found = [(p, q) for a, b in entries for p in families for q in families if issubclass(p, a) and issubclass(q, b)]
    return ", ".join(f"{p.__name__} ‖ {q.__name__}" for p, q in dict.fromkeys(found))


def _closed_form(function: str, table: pairs.ClosedForms, p: Any, q: Any, otherwise: str) -> Any:
    entry = table.find(p, q)
    if entry is None:
        there = _names(table.pairs())
        raise NotImplementedError(
            f"{function}: no closed form for {table.symbol}({type(p).__name__} ‖ {type(q).__name__}); there is one for {there} "
            f"and arrays of probabilities. {otherwise}"
        )
    return entry.form(function, p, q)
