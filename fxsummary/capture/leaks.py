"""Tensors of a recording that live on after it, in an ``lru_cache`` or a global: they get their values.

Otherwise the next real forward would find a tensor without data in its cache.
"""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from fxsummary.capture.evaluation import Evaluator, NoValueError
from fxsummary.capture.state import preserved_globals
from fxsummary.capture.tracked import Tensors, element


@dataclass
class _Watched:
    reference: weakref.ref[torch.Tensor]
    node: fx.Node
    place: tuple[Any, ...]


def heal(tensors: Tensors, evaluator: Evaluator) -> list[str]:
    """Give the tensors that somebody else holds their values; returns notes on those that have none.

    Args:
        tensors: all of the recording; they are let go of here.
    """
    watched = [
        _Watched(weakref.ref(tracked.tensor), *tracked.origin)
        for tracked in tensors
        if tracked.is_ours and tracked.origin is not None
    ]
    tensors.clear()
    for generation in (0, 2):  # what a recording made is young, and to go through all objects takes long
        if not _survivors(watched):
            return []
        gc.collect(generation)
    survivors = _survivors(watched)
    watched.clear()
    with preserved_globals():
        return [note for tensor, node, place in survivors if (note := _heal(tensor, node, place, evaluator))]


def _survivors(watched: list[_Watched]) -> list[tuple[torch.Tensor, fx.Node, tuple[Any, ...]]]:
    alive = [(each.reference(), each.node, each.place) for each in watched]
    return [(tensor, node, place) for tensor, node, place in alive if tensor is not None]


def _heal(tensor: torch.Tensor, node: fx.Node, place: tuple[Any, ...], evaluator: Evaluator) -> str:
    note = f"a tensor of {node.name} is kept somewhere outside of the model, and is left there without a value"
    try:
        value = evaluator.value(node)
        for key in place:
            value = element(value, key)
        if evaluator.is_assumed(node):
            return f"{note}: it rests on values that were assumed"
        torch.utils.swap_tensors(tensor, value.detach().clone())
    except (NoValueError, RuntimeError) as error:
        return f"{note}: {error}"
    return ""
