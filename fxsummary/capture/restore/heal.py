"""Gives real values to the tensors that outlive their recording.

Otherwise the next real forward would find a tensor without data in its cache. A tensor whose value cannot be computed
is removed from its holder.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch

from fxsummary.capture.recorded.real_values import Evaluator, NoValueError
from fxsummary.capture.recorded.tensor_origins import Origin, Tensors
from fxsummary.capture.restore.escaped import remove, survivors
from fxsummary.capture.restore.snapshots import Snapshot
from fxsummary.capture.restore.torch_state import preserved_globals


def heal(tensors: Tensors, evaluator: Evaluator, snapshot: Snapshot) -> list[str]:
    """Give the tensors that are still referenced their values, and return notes on those that have none.

    Args:
        tensors: all tensors of the recording; this clears them.
    """
    tracked = [each for each in tensors.made if each.is_ours and each.origin is not None]
    tensors.clear()
    alive = survivors([each.reference for each in tracked])
    if not alive:
        return []
    origins = {id(each.reference()): each.origin for each in tracked}
    tracked.clear()  # a tensor with weak references cannot be swapped
    with preserved_globals():
        notes = {id(tensor): _heal(tensor, origins[id(tensor)], evaluator) for tensor in alive}
    without_value = [weakref.ref(tensor) for tensor in alive if notes[id(tensor)]]
    alive.clear()
    snapshot.clear_caches()
    left = survivors(without_value)
    remove(left)
    return [notes[id(tensor)] for tensor in left]


def _heal(tensor: torch.Tensor, origin: Origin | None, evaluator: Evaluator) -> str:
    """Give a tensor its value; return "", or a note that says why it has no value."""
    assert origin is not None
    node, place = origin
    note = f"forward keeps a tensor of {node.name} outside of the model; fxsummary removed it"
    try:
        value: Any = evaluator.value(node)
        for get, key in place:
            value = get(value, key)
        if node in evaluator.assumed:
            return f"{note}, because its value would depend on assumed values"
        torch.utils.swap_tensors(tensor, value.detach().clone())
    except (NoValueError, RuntimeError) as error:
        return f"{note}, because its value cannot be computed: {error}"
    return ""
