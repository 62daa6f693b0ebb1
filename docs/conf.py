"""Sphinx: the documentation, with models shown by fxsummary's own extension."""

from fxsummary import __version__

project = "fxsummary"
author = "the fxsummary developers"
copyright = author
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "fxsummary.sphinxext"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"fxsummary {release}"
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Node attributes", "params_style"), ("Edge attributes", "params_style")]
nitpicky = False
suppress_warnings = [
    "myst.xref_missing",
    "misc.highlighting_failure",
]  # links to files of the repository, which are no pages
