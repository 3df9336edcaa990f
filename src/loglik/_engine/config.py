"""What this installation is and runs on."""

import os
import sys
from typing import Any, Literal

import numpy as np

from loglik import _kernels
from loglik._engine.parallel import get_num_threads


def isa() -> str:
    """Name of the instruction-set level in use: "baseline", "avx2", "avx512" or "neon"."""
    return _kernels.isa()


def available_isas() -> list[str]:
    """Names of the instruction-set levels that this machine can run, best first.

    The first one is used unless the environment variable ``LOGLIK_ISA`` names another.
    """
    return _kernels.available_isas()


def _configuration() -> dict[str, Any]:
    import platform

    return {
        "loglik": _kernels.version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpu": _kernels.cpu_name() or platform.processor() or platform.machine(),
        "isa": _kernels.isa(),
        "available_isas": _kernels.available_isas(),
        "compiled_isas": _kernels.compiled_isas(),
        "compiler": _kernels.compiler(),
        "library": _installed("libloglik.so", "libloglik.dylib", "loglik.dll"),
        "threads": get_num_threads(),
    }


def show_config(mode: Literal["stdout", "dicts"] = "stdout") -> dict[str, Any] | None:
    """Show versions, processor, instruction-set levels and threads.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print, or return a dictionary.
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f'show_config: mode must be "stdout" or "dicts", got {mode!r}')
    configuration = _configuration()
    if mode == "dicts":
        return configuration
    for name, value in configuration.items():
        text = ", ".join(value) if isinstance(value, list) else value
        sys.stdout.write(f"{name:>15}  {text}\n")
    return None


def get_include() -> str:
    """Directory to give to a C compiler so that ``#include <loglik/loglik.h>`` is found.

    The library to link with is in the directory above; ``loglik info --cflags --libs`` prints the options for both. The file
    ``loglik/c_api.pxd`` for Cython lies beside the modules of the package and needs no path.
    """
    return os.path.dirname(os.path.dirname(_installed(os.path.join("include", "loglik", "loglik.h"))))


def _installed(*names: str) -> str:
    """Path of the file of the package that is there under one of `names`."""
    # An editable install spreads the package over the source tree and the directory of what was built.
    for folder in (os.path.dirname(_kernels.__file__), os.path.dirname(os.path.dirname(__file__))):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    raise FileNotFoundError(f"loglik: {names[0]} is not part of this installation")


def compiler_options(*, cflags: bool, libs: bool) -> str:
    """What a C compiler needs to know to use the headers and the library, as pkg-config would print it."""
    import shlex

    options = [f"-I{get_include()}"] if cflags else []
    if libs:
        folder = os.path.dirname(get_include())
        options += [f"-L{folder}", "-lloglik", *([] if sys.platform == "win32" else [f"-Wl,-rpath,{folder}"])]
    return shlex.join(options)
