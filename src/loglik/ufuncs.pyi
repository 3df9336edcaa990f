# Written by csrc/tools/make_ufuncs_stub.py
from numpy import ufunc

__all__: list[str]

exp: ufunc  # r->r
