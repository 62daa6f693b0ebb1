"""Build the graph of a model that was not captured: nodes for leaf modules and tensors, without dataflow."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from fxsummary.capture.subject import default_leaf
from fxsummary.capture.torch_internals import Names
from fxsummary.convert import config
from fxsummary.convert.module_tree import class_name, holds_packed, spec_or_none, tensors_read
from fxsummary.graph.attributes import BLANK, NodeData, placed, result
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall


def add_modules(graph: ModelGraph, modules: Mapping[str, nn.Module], tensors: Mapping[int, str]) -> None:
    """Add nodes without dataflow: one per leaf module, and one per parameter or buffer of other modules."""
    names = Names()
    seen: set[int] = set()
    stacks: dict[str, tuple[ModuleCall, ...]] = {}  # of the modules that are entered

    def add(op: str, target: str, stack: tuple[ModuleCall, ...], more: NodeData) -> None:
        data: NodeData = {**BLANK, **placed(stack), "op": op, "target": target, **more}
        graph.fill([(names.new(target.replace(".", "_")), data)], ())

    for path, module in modules.items():
        parent = path.rpartition(".")[0]
        if id(module) in seen or (path and parent not in stacks):  # shared, or inside of a leaf or a shared module
            continue
        seen.add(id(module))
        stack = (*stacks[parent], ModuleCall(path, class_name(module))) if path else ()
        if path and (default_leaf(module) or not any(child is not None for child in module._modules.values())):
            add("call_module", path, stack, {
                "label": class_name(module),
                "config": config.of_module(module),
                "reads": tensors_read(module, tensors),
                "flops": None,
                "packed": holds_packed(module),
            })  # fmt: skip
            continue
        stacks[path] = stack
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                more: NodeData = {**result(spec_or_none(tensor)), "label": name, "reads": (tensors[id(tensor)],)}
                add("get_attr", f"{path}.{name}" if path else name, stack, more)
