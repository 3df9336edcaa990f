"""Write src/loglik/ufuncs.pyi from the kernels of the installed package.

    python csrc/tools/make_ufuncs_stub.py

Run it after adding a kernel; a test says when it is out of date.
"""

from pathlib import Path

from loglik._kernels import kernel_types

STUB = Path(__file__).parents[2] / "src" / "loglik" / "ufuncs.pyi"


def stub_text() -> str:
    """The stub: one line per kernel, and how its arguments are called in csrc/kernel_list.h."""
    kernels = sorted(kernel_types().items())
    lines = ["# Written by csrc/tools/make_ufuncs_stub.py", "from numpy import ufunc", "", "__all__: list[str]", ""]
    lines += [f"{name}: ufunc  # {signature or types}" for name, (types, signature) in kernels]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    STUB.write_text(stub_text())
