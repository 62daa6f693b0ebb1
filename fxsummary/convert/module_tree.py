"""Build the module tree: every submodule with its own parameters and buffers, called or not; also as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.nn.utils.parametrize import type_before_parametrizations

from fxsummary.capture import Capture
from fxsummary.capture.module_index import modules_of, tensors_of
from fxsummary.capture.operations.twins import spec_of
from fxsummary.capture.subject import default_leaf
from fxsummary.capture.torch_internals import Names, ScriptModule
from fxsummary.convert import config
from fxsummary.graph.attributes import BLANK, NodeData, placed, result
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, ModuleInfo, ParameterInfo
from fxsummary.graph.spec import TensorSpec


def class_name(module: nn.Module) -> str:
    """Return the class name; for a parametrized or compiled module, the name of its original class."""
    if isinstance(module, torch.jit.ScriptModule):
        return str(module.original_name)
    kind = type_before_parametrizations(module) if "parametrizations" in module._modules else type(module)
    return kind.__name__


def tensors_read(module: nn.Module, tensors: Mapping[int, str]) -> tuple[str, ...]:
    """Return the first name of each parameter and buffer in a module, by identity."""
    if module._modules:
        return tuple(dict.fromkeys([tensors[id(tensor)] for tensor in tensors_of(module)]))
    own = (*module._parameters.values(), *module._buffers.values())
    return tuple(dict.fromkeys([tensors[id(tensor)] for tensor in own if tensor is not None]))


def module_tree(
    modules: Mapping[str, nn.Module], tensors: Mapping[int, str], capture: Capture, called: set[str]
) -> dict[str, ModuleInfo]:
    """Return the module records by path. A tensor with several names belongs to the first; later names are tied to it.

    A shared module has several paths. ``tensors`` are the first names of parameters and buffers, by identity.
    """
    first: dict[int, str] = {}
    seen: set[int] = set()
    whole: set[str] = set()  # leaf modules that are called, with their submodules
    tree: dict[str, ModuleInfo] = {}
    for path, module in modules.items():
        prefix = f"{path}." if path else ""
        known = first.setdefault(id(module), path)
        if _parent(path) in whole or (path in called and default_leaf(module)):
            whole.add(path)
        tree[path] = ModuleInfo(
            path=path,
            type=class_name(module),
            config=config.of_module(module),
            children=tuple([each for name, _ in module._modules.items() if (each := prefix + name) in modules]),
            parameters=() if known != path else tuple(_own_tensors(module, prefix, tensors, capture, seen)),
            shared_with=known if known != path else None,
            called=known in called or _parent(path) in whole,
            training=getattr(module, "training", False),
        )
    return tree


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


def _parent(path: str) -> str | None:
    return path.rpartition(".")[0] if path else None


def _own_tensors(
    module: nn.Module, prefix: str, tensors: Mapping[int, str], capture: Capture, seen: set[int]
) -> Iterator[ParameterInfo]:
    for values, buffer in ((module._parameters, False), (module._buffers, True)):
        for name, tensor in values.items() if values else ():
            if tensor is not None:
                first = tensors[id(tensor)]
                yield ParameterInfo(
                    name=prefix + name,
                    spec=spec_or_none(tensor, capture.device),
                    trainable=bool(tensor.requires_grad) and not buffer,
                    buffer=buffer,
                    tied_to=first if id(tensor) in seen else None,
                    stored_bytes=None if tensor.layout is torch.strided else stored_bytes(tensor),
                )
                seen.add(id(tensor))
    if is_packed(module):
        yield ParameterInfo(name=f"{prefix}packed weights", spec=None)


def stored_bytes(tensor: torch.Tensor) -> int | None:
    """Return the bytes of a sparse tensor's indices and values; None for other layouts."""
    parts = [getattr(tensor, name)() for name in _PARTS.get(tensor.layout, ())]
    return sum([part.numel() * part.element_size() for part in parts]) if parts else None


_BY_ROWS, _BY_COLUMNS = ("crow_indices", "col_indices", "values"), ("ccol_indices", "row_indices", "values")
_PARTS = {
    torch.sparse_coo: ("_indices", "_values"),
    torch.sparse_csr: _BY_ROWS, torch.sparse_bsr: _BY_ROWS,
    torch.sparse_csc: _BY_COLUMNS, torch.sparse_bsc: _BY_COLUMNS,
}  # fmt: skip


def spec_or_none(tensor: torch.Tensor, device: str | None = None) -> TensorSpec | None:
    """Return the spec of a parameter or buffer; None if it has no shape yet."""
    if type(tensor) in (UninitializedParameter, UninitializedBuffer):
        return None
    return spec_of(tensor, device)


def is_packed(module: nn.Module) -> bool:
    """Return whether a module itself holds packed weights of unknown size, as quantized modules do."""
    if isinstance(module, torch.jit.ScriptModule):
        return False
    return not _PACKED.isdisjoint(map(type, vars(module).values()))


def holds_packed(module: nn.Module) -> bool:
    """Return whether a module or any submodule holds packed weights."""
    return is_packed(module) or (bool(module._modules) and any(map(is_packed, modules_of(module))))


_PACKED = frozenset({torch.ScriptObject, ScriptModule})
