"""What this installation is and runs on."""

import os
import sys
from typing import Any, Literal

import numpy as np

from loglik import _kernels
from loglik._parallel import get_num_threads


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

    import loglik

    return {
        "loglik": loglik.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpu": _kernels.cpu_name() or platform.processor() or platform.machine(),
        "isa": _kernels.isa(),
        "available_isas": _kernels.available_isas(),
        "compiled_isas": _kernels.compiled_isas(),
        "compiler": _kernels.compiler(),
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

    The ``.pxd`` files for Cython lie beside the modules of the package and need no path.
    """
    import loglik

    # An editable install spreads the package over the source tree and the directory of what was built.
    for folder in loglik.__path__:
        include = os.path.join(folder, "include")
        if os.path.isfile(os.path.join(include, "loglik", "loglik.h")):
            return include
    raise FileNotFoundError("get_include: loglik/loglik.h is not part of this installation")
