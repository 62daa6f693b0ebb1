"""What the callbacks share: the graph, its files, and warnings instead of errors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from fxsummary.api import graph
from fxsummary.errors import InputError
from fxsummary.graph.modelgraph import ModelGraph

NAME = "model_summary"
"""Name of the files, without the suffix."""

Inputs = tuple[Sequence[Any], Mapping[str, Any]]
"""Positional inputs of forward, and those by name."""


@contextmanager
def warned(model: nn.Module, messages: logging.Logger) -> Iterator[None]:
    """Log a warning instead of any error, because a summary must not end a training run."""
    try:
        yield
    except Exception as error:
        messages.warning("fxsummary cannot summarise %s, training continues: %s", type(model).__name__, error)


def summarise(model: nn.Module, candidates: Iterable[Inputs]) -> ModelGraph:
    """Return the graph of a model with the first inputs that fit it; if none do, raise the first error."""
    errors = []
    for args, kwargs in candidates:
        try:
            return graph(model, *args, kwargs=kwargs or None)
        except InputError as error:
            errors.append(error)
    raise errors[0]


def write(found: ModelGraph, folder: str | Path, depth: int | None) -> None:
    """Write the summary and the picture to a folder, which is made if it does not exist.

    Raises:
        OutputError: a file cannot be written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for suffix in (".txt", ".svg"):
        found.render(place / f"{NAME}{suffix}", depth=depth)
