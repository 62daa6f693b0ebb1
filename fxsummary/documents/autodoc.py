"""Models in docstrings: autodoc shows a class with its picture or table.

``.. fxsummary::`` without a model, in the docstring of a `torch.nn.Module`, shows this class; its options are those of
the directive. With ``fxsummary_autodoc = "model"``, or another view, in conf.py, so does every documented class that
can be built without arguments and has a ``forward``.
"""

from __future__ import annotations

import inspect
from typing import Any

from sphinx.application import Sphinx
from torch import nn

SETTING = "fxsummary_autodoc"
_DIRECTIVE = ".. fxsummary::"


def connect(app: Sphinx) -> None:
    """Register the setting, and listen to autodoc if the project uses it."""
    app.add_config_value(SETTING, "", "env", (str,))
    app.connect("builder-inited", _listen)


def _listen(app: Sphinx) -> None:
    if "sphinx.ext.autodoc" in app.extensions:
        app.connect("autodoc-process-docstring", _add_model, priority=900)  # after extensions that rewrite docstrings


def _add_model(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Name the class in directives of its docstring, or append a directive."""
    if what != "class" or not (isinstance(value, type) and issubclass(value, nn.Module)):
        return
    model, view = f"{value.__module__}:{value.__qualname__}", app.config[SETTING]
    seen = app.env.temp_data.setdefault(SETTING, set())  # a class can have two docstrings, its own and that of __init__
    is_new, has_directive = model not in seen, any(line.lstrip().startswith(_DIRECTIVE) for line in lines)
    seen.add(model)
    lines[:] = [f"{line.rstrip()} {model}" if line.strip() == _DIRECTIVE else line for line in lines]
    if view and is_new and not has_directive and _can_be_built(value):
        lines += ["", f"{_DIRECTIVE} {model}", f"   :view: {view}", ""]


def _can_be_built(kind: type[nn.Module]) -> bool:
    """Return whether a class has a forward, and no argument without default."""
    variable = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    required = [
        each
        for each in inspect.signature(kind).parameters.values()
        if each.default is each.empty and each.kind not in variable
    ]
    return not required and kind.forward is not nn.Module.forward
