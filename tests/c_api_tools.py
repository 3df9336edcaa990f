"""What csrc/include/loglik/loglik.h declares."""

import re
from pathlib import Path

HEADER = Path(__file__).parents[1] / "csrc" / "include" / "loglik" / "loglik.h"


def declared_functions() -> dict[str, list[tuple[str, str]]]:
    """From the name of each function of arrays to its parameters, as pairs of a C type and a name."""
    text = HEADER.read_text().replace("\\\n", "")
    found = {}
    for suffix, real in (("f64", "double"), ("f32", "float")):
        for name, parameters in re.findall(r"LOGLIK_API int (loglik_\w+_)##T\(([^)]*)\);", text):
            parts = [re.sub(r"\s+", " ", part.strip()).replace("REAL", real) for part in parameters.split(",")]
            found[name + suffix] = [re.fullmatch(r"(.*?[ *])(\w+)", part).groups() for part in parts]  # type: ignore[union-attr]
    return {name: [(c_type.strip(), parameter) for c_type, parameter in found[name]] for name in found}


def other_functions() -> set[str]:
    """Names of the functions that exist once."""
    return set(re.findall(r"^LOGLIK_API .*?(loglik_\w+)\(.*?\);", HEADER.read_text(), re.MULTILINE))
