"""See a PyTorch model's architecture and what it costs.

>>> import torch, fxsummary
>>> model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU())
>>> fxsummary.graph(model).totals.parameters
36
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fxsummary import errors

if not TYPE_CHECKING:
    # Python gives a package the name of a folder when it first imports from it, which would then hide the function.
    from fxsummary import graph

    del graph

if TYPE_CHECKING:
    from fxsummary.analysis.formulas import formulas
    from fxsummary.analysis.generation import kv_cache
    from fxsummary.analysis.language_model import generation
    from fxsummary.analysis.summary import summary
    from fxsummary.analysis.table import table
    from fxsummary.api import diff, graph
    from fxsummary.graph.device import Device
    from fxsummary.graph.modelgraph import ModelGraph
    from fxsummary.graph.saved import load
    from fxsummary.graph.spec import TensorSpec
    from fxsummary.support.processes import Processes

__version__ = "0.1.0"
__all__ = [
    "graph", "summary", "load", "diff", "kv_cache", "formulas", "generation", "table", "Device", "Processes",
    "ModelGraph", "TensorSpec", "errors", "__version__",
]  # fmt: skip

_HOME = {
    "graph": "fxsummary.api",
    "summary": "fxsummary.analysis.summary",
    "load": "fxsummary.graph.saved",
    "diff": "fxsummary.api",
    "kv_cache": "fxsummary.analysis.generation",
    "formulas": "fxsummary.analysis.formulas",
    "generation": "fxsummary.analysis.language_model",
    "Device": "fxsummary.graph.device",
    "table": "fxsummary.analysis.table",
    "Processes": "fxsummary.support.processes",
    "ModelGraph": "fxsummary.graph.modelgraph",
    "TensorSpec": "fxsummary.graph.spec",
}


if not TYPE_CHECKING:  # type checkers take any name for one that ``__getattr__`` has

    def __getattr__(name: str) -> Any:
        """Import the public names on first use, so that ``import fxsummary`` costs next to nothing."""
        if name not in _HOME:
            raise AttributeError(f"module 'fxsummary' has no attribute {name!r}")
        from importlib import import_module

        from fxsummary.support.gc_pause import paused

        with paused():  # imports make many objects and hardly any garbage
            value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
