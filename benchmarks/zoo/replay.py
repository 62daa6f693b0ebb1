"""Replay: the captured torch.fx graph, run on real data, must give what forward gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from benchmarks.zoo.outputs import tensors
from fxsummary.graph.spec import TensorSpec
from zoo.entry import Example


class _Interpreter(fx.Interpreter):
    """Runs a graph on a model, with constants that the model does not have."""

    def __init__(self, model: nn.Module, graph: fx.Graph, constants: Mapping[str, torch.Tensor]) -> None:
        super().__init__(model, graph=graph)
        self._constants = constants

    def fetch_args_kwargs_from_env(self, n: fx.Node) -> Any:
        """With tensors in place of the specs of weights that are only asked for their dtype or shape."""
        return pytree.tree_map_only(TensorSpec, _empty, super().fetch_args_kwargs_from_env(n))

    def fetch_attr(self, target: str) -> Any:
        return self._constants[target] if target in self._constants else super().fetch_attr(target)


def _empty(spec: TensorSpec) -> torch.Tensor:
    return torch.empty(spec.shape, dtype=getattr(torch, spec.dtype))


@contextmanager
def _same_start(model: nn.Module) -> Iterator[None]:
    """The same seed each time, and buffers that are put back."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    torch.manual_seed(0)
    with torch.no_grad():
        yield
        for buffer, before in buffers:
            buffer.copy_(before)


def replay(model: nn.Module, trace: Any) -> Any:
    """Run the graph of a trace on the input tensors that it was recorded with, with the model's own weights."""
    inputs = [trace.given[node].clone() for node in trace.graph.nodes if node.op == "placeholder"]
    with _same_start(model):
        return _Interpreter(model, trace.graph, getattr(trace, "constants", {})).run(*inputs)


def forward(model: nn.Module, example: Example) -> Any:
    """The real forward, with the same seed."""
    with _same_start(model):
        return model(*example.args, **example.kwargs)


def difference(replayed: Any, real: Any) -> str:
    """Where two outputs differ, "" where all tensors are close; those inside objects may be left out."""
    mine = [tensor for tensor, _ in tensors(replayed)]
    everything = [tensor for tensor, _ in tensors(real)]
    outside = [tensor for tensor, inside in tensors(real) if not inside]
    expected = everything if len(mine) == len(everything) else outside
    if len(mine) != len(expected):
        return f"{len(mine)} output tensors, not {len(expected)}"
    for position, (found, wanted) in enumerate(zip(mine, expected, strict=True)):
        reason = _difference(found, wanted)
        if reason:
            return f"output {position} {reason}"
    return ""


def _difference(found: torch.Tensor, wanted: torch.Tensor) -> str:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return f"is {tuple(found.shape)} {found.dtype}, not {tuple(wanted.shape)} {wanted.dtype}"
    if found.is_sparse or wanted.is_sparse:
        found, wanted = found.to_dense(), wanted.to_dense()
    if found.is_meta:
        return "is on meta"
    if torch.allclose(found, wanted, rtol=1e-3, atol=1e-5, equal_nan=True):
        return ""
    return f"differs by {(found.double() - wanted.double()).abs().max().item():.3g}" if found.numel() else ""
