"""The raw kernels as NumPy ufuncs.

Broadcasting, ``out=``, ``where=``, casting, overlapping memory and layouts are NumPy's. Values follow these rules:

- The result has the dtype of the floating inputs (float16 computes in float32; Python scalars are weak; integer and
  bool arrays never promote; with no floating input, float64). Targets never decide. Anything else is a TypeError.
- An invalid parameter gives NaN, a value outside the support -inf; NaN propagates. A NaN that comes from no NaN input
  raises NumPy's "invalid value" warning; correct infinities never warn.
- Ufuncs run in the calling thread. `loglik`'s functions and objects use threads for large arrays.
"""

from loglik import _kernels
from loglik._ufunc_docs import TEXTS

_ufuncs = _kernels.make_ufuncs(_kernels.isa(), TEXTS)
globals().update(_ufuncs)

__all__ = sorted(_ufuncs)  # noqa: PLE0605  (generated from csrc/kernel_list.h)


def __dir__() -> list[str]:
    return __all__
