"""`diff`: two models, graphs or saved graphs compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fxsummary.comparison import compare
from fxsummary.modelgraph import ModelGraph

SAVED = ".json"
"""Suffix of saved graphs."""


def diff(before: Any, after: Any, /, **inputs: Any) -> ModelGraph:
    """What is different in ``after``, as one graph of the operations of both.

    Operations are aligned by structure: identical blocks first, whatever their names, then those of the same
    path, then those that are most alike. Each operation has `change`, "added", "removed", "changed", "moved" or
    "same", and `differences`; ``result.comparison`` has both totals, ``equal``, and what changed by module.
    Every exporter renders the result: ``print(result)``, ``result.render("diff.svg")``.

    Args:
        before, after: models, graphs, exported programs, or paths of saved graphs (``.json``).
        inputs: for models, the keyword arguments of `fxsummary.graph`: ``kwargs=``, ``input_shape=`` ...,
            and ``args=``, positional inputs of forward.

    Raises:
        SavedGraphError: a file is no saved graph; and those of `fxsummary.graph`.

    >>> import torch
    >>> before, after = torch.nn.Sequential(torch.nn.Linear(8, 4)), torch.nn.Sequential(torch.nn.Linear(8, 6))
    >>> print(diff(before, after))
    Sequential · input input 1×8
    <BLANKLINE>
                     Before  After  Change      %
    ─────────────────────────────────────────────
    Parameters           36     54     +18  +50.0
    Parameter bytes   144 B  216 B   +72 B  +50.0
    FLOPs                64     96     +32  +50.0
    Operations            3      3       =
    <BLANKLINE>
       Module              Parameters  FLOPs
    ────────────────────────────────────────
    ~  0 Linear 8→4 ⇒ 8→6         +18    +32
    <BLANKLINE>
    Operations: 0 added, 0 removed, 2 changed, 0 moved, 1 the same
    """
    return compare(as_graph(before, **inputs), as_graph(after, **inputs))


def as_graph(source: Any, *, args: tuple[Any, ...] = (), **inputs: Any) -> ModelGraph:
    """The graph of a model, or the graph itself, or the one that a file holds."""
    if isinstance(source, ModelGraph):
        return source
    if isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() == SAVED:
        from fxsummary.saved import load

        return load(source)
    from fxsummary.api import graph

    return graph(source, *args, **inputs)
