"""Build the graph of a model that was not captured: nodes for leaf modules and tensors, without dataflow."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fxsummary.capture import Capture
from fxsummary.capture.subject import default_leaf
from fxsummary.capture.torch_internals import Names
from fxsummary.convert import config
from fxsummary.convert.module_tree import class_name, holds_packed, spec_or_none, tensors_read
from fxsummary.graph.attributes import BLANK, NodeData
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall


def add_modules(graph: ModelGraph, capture: Capture, tensors: Mapping[int, str]) -> None:
    """Return nodes without dataflow: one per leaf module, and one per parameter or buffer of other modules."""
    names = Names()
    seen: set[int] = set()

    def walk(module: nn.Module, path: str, stack: tuple[ModuleCall, ...]) -> None:
        if id(module) in seen:
            return
        seen.add(id(module))
        children = [(name, child) for name, child in module._modules.items() if child is not None]
        if path and (default_leaf(module) or not children):
            reads = tensors_read(module, tensors)
            _add_static(graph, names.new(path.replace(".", "_")), path, stack, reads, module)
            return
        prefix = f"{path}." if path else ""
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                key = names.new((prefix + name).replace(".", "_"))
                _add_static(graph, key, prefix + name, stack, (tensors[id(tensor)],), tensor)
        for name, child in children:
            walk(child, prefix + name, (*stack, ModuleCall(prefix + name, class_name(child))))

    walk(capture.model, "", ())


def _add_static(
    graph: ModelGraph,
    key: str,
    target: str,
    stack: tuple[ModuleCall, ...],
    reads: tuple[str, ...],
    value: nn.Module | torch.Tensor,
) -> None:
    module = value if isinstance(value, nn.Module) else None
    spec = spec_or_none(value) if isinstance(value, torch.Tensor) else None
    data: NodeData = {
        **BLANK,
        "op": "call_module" if module is not None else "get_attr",
        "target": target,
        "module": stack[-1].path if stack else "",
        "module_type": stack[-1].type if stack else graph.name,
        "module_stack": stack,
        "label": class_name(module) if module is not None else target.rpartition(".")[2],
        "config": "" if module is None else config.of_module(module),
        "outputs": spec,
        "shape": spec.shape if spec else None,
        "dtype": spec.dtype if spec else None,
        "reads": reads,
        "flops": None if module is not None else 0,
        "packed": module is not None and holds_packed(module),
    }
    graph.fill([(key, data)], ())
