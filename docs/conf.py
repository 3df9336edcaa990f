"""Sphinx configuration. From the root of the repository, with `pip install ".[docs]"`:

    python -m sphinx -W --keep-going -n docs docs/_build

Nothing is taken from the network. The pages of the API and of the gallery are written here at each build.
"""

import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.domains.python import PyXRefRole

import loglik

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "scripts"))

import api_pages  # noqa: E402

api_pages.write(DOCS / "api")

# ------------------------------------------------------------------------------------------------ the project

project = "loglik"
author = "the loglik developers"
project_copyright = "the loglik developers, BSD-3-Clause"
version = release = loglik.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # its own copy of MathJax: formulas without a network
]
exclude_patterns = ["_build", "results", "scripts", "auto_examples/**/*.ipynb", "auto_examples/**/*.md5"]
templates_path = ["_templates"]
nitpicky = True
suppress_warnings = ["config.cache"]  # functions in the gallery's configuration cannot be pickled

# ------------------------------------------------------------------------------------------------ Markdown

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# ------------------------------------------------------------------------------------------------ docstrings

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings have the types
autodoc_member_order = "bysource"
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False  # a class has one page, with its members below
numpydoc_xref_param_type = False
# On every docstring that is shown: no unknown sections, none out of order, no parameter that does not exist or lacks a text.
numpydoc_validation_checks = {"GL06", "GL07", "PR02", "PR07", "RT03"}
numpydoc_validation_exclude = {r"\.ufuncs\."}  # NumPy names the arguments of a ufunc
default_role = "name"

# ------------------------------------------------------------------------------------------------ gallery

# From distributions over fitting to divergences; others follow by name.
ORDER = (
    "diagnostic_test", "dice", "distributions", "height_weight", "degenerate", "bertrand", "mle", "least_squares",
    "cross_entropy", "digits", "kl", "kl_and_mle", "js",
)  # fmt: skip


class Order:
    """Sort key of the examples."""

    def __init__(self, folder: str) -> None:
        pass

    def __call__(self, file: str) -> tuple[int, str]:
        name = file.removeprefix("plot_").removesuffix(".py")
        return ORDER.index(name) if name in ORDER else len(ORDER), name


def _style(gallery_conf: dict, file: str) -> None:
    import matplotlib.pyplot as plt

    plt.close("all")
    plt.style.use(["default", DOCS / "loglik.mplstyle"])


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "api/examples",
    "doc_module": ("loglik",),
    "within_subsection_order": Order,
    "reset_modules": (_style,),
    "reset_modules_order": "before",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "capture_repr": (),
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "download_all_examples": False,
    "image_srcset": ["2x"],
    "plot_gallery": "True",
}

# ------------------------------------------------------------------------------------------------ HTML

html_theme = "pydata_sphinx_theme"
html_title = f"loglik {release}"
html_static_path = ["_static"]
html_css_files = ["loglik.css"]
html_sidebars = {"benchmarks": [], "changelog": []}  # there is nothing beside them to navigate to
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "loglik"},
    "show_prev_next": False,
    "navigation_with_keys": False,
    # Pages with wide tables have the room of the table of contents, too.
    "secondary_sidebar_items": {"**": ["page-toc"], "accuracy": [], "benchmarks": [], "losses": []},
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


# ------------------------------------------------------------------------------------------------ names in docstrings


class Name(PyXRefRole):
    """`name`: a link where there is an object of that name (`log_prob`), else code (a parameter)."""

    def process_link(self, env, refnode, has_explicit_title, title, target):
        refnode["reftype"], refnode["plain"] = "obj", True
        return super().process_link(env, refnode, has_explicit_title, title, target)


def _leave(app, env, node, contnode):
    return contnode if node.get("plain") else None


# ------------------------------------------------------------------------------------------------ absolute values

# What is no absolute value: math, code and doctests.
_OTHER = re.compile(
    r"^ *>>>.*?(?:\n\n|\Z)|^( *)\.\. math::.*?(?=^\1?\S|\Z)|``.*?``|`.*?`", re.DOTALL | re.MULTILINE
)


def _absolute_values(app, what, name, obj, options, lines: list[str]) -> None:
    """In a docstring |x| is an absolute value, not a substitution."""
    text, parts, end = "\n".join(lines), [], 0
    for other in _OTHER.finditer(text):
        parts += [re.sub(r"(?<!\\)\|", r"\\|", text[end : other.start()]), other.group()]
        end = other.end()
    parts.append(re.sub(r"(?<!\\)\|", r"\\|", text[end:]))
    lines[:] = "".join(parts).split("\n")


def _ufunc_signature(app, what, name, obj, options, signature, returns):
    """Without the options that every ufunc of NumPy has."""
    if not name.startswith("loglik.ufuncs."):
        return None
    positional = re.split(r"\[|, /", signature.lstrip("("))[0]
    return f"({positional}, /, out=None, **options)", returns


def _skip(app, what, name, obj, skip, options):
    """Fields of named tuples without a text of their own: the class has described them as parameters. Scikit-learn's requests."""
    if re.fullmatch(r"set_\w+_request|get_metadata_routing", name):
        return True
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def _close_fences(app, docname: str, source: list[str]) -> None:
    """Without the empty line that doctest needs at the end of an example."""
    source[0] = re.sub(r"\n\n```\n", "\n```\n", source[0])


def setup(app) -> None:
    app.connect("source-read", _close_fences)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _ufunc_signature, priority=100)  # before numpydoc
    app.connect("autodoc-process-docstring", _absolute_values, priority=900)  # after numpydoc
    app.add_role_to_domain("py", "name", Name(innernodeclass=nodes.literal))
    app.add_role("name", Name(innernodeclass=nodes.literal))
    app.connect("missing-reference", _leave)
