"""The module is compiled and linked against the installed loglik, and finds its library beside itself in site-packages."""

import os
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

import loglik

include = loglik.get_include()
link = {"linux": ["-Wl,-rpath,$ORIGIN/../loglik"], "darwin": ["-Wl,-rpath,@loader_path/../loglik"]}.get(sys.platform, [])
openmp = ["-fopenmp"] if sys.platform == "linux" else []  # without it prange is an ordinary loop

module = Extension(
    "loglik_example._score",
    ["loglik_example/_score.pyx"],
    include_dirs=[include],
    library_dirs=[os.path.dirname(include)],
    libraries=["loglik"],
    extra_compile_args=openmp,
    extra_link_args=link + openmp,
)
setup(ext_modules=cythonize([module]))
