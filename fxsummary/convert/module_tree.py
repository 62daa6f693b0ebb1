"""Build the module tree: every submodule with its own parameters and buffers, called or not; also as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

from fxsummary.capture import Capture
from fxsummary.capture.module_index import modules_of, tensor_names, tensors_of
from fxsummary.capture.operations.twins import spec_of
from fxsummary.capture.packed_layers import Represented, represented
from fxsummary.capture.subject import default_leaf
from fxsummary.capture.torch_internals import Names
from fxsummary.convert import config
from fxsummary.convert.stored import is_known, packed_in, stored, unregistered, wrapped
from fxsummary.graph.attributes import BLANK, NodeData, placed, result
from fxsummary.graph.modelgraph import ModelGraph, ModuleCall, ModuleInfo, ParameterInfo
from fxsummary.graph.spec import TensorSpec, contiguous


def class_name(module: nn.Module) -> str:
    """Return the class name; for a parametrized or compiled module, the name of its original class."""
    if isinstance(module, torch.jit.ScriptModule):
        return str(module.original_name)
    kind = type_before_parametrizations(module) if "parametrizations" in module._modules else type(module)
    return kind.__name__


class Tensors(NamedTuple):
    """The tensors of a model.

    Attributes:
        names: the first name of each parameter and buffer, by ``id``.
        packed: what is in packed objects, by ``id`` of the module that holds them.
        wrapped: the names of those that are tensor subclasses.
    """

    names: Mapping[int, str]
    packed: Mapping[int, list[ParameterInfo]]
    wrapped: frozenset[str]

    def read_by(self, module: nn.Module) -> tuple[str, ...]:
        """Return the first name of each parameter and buffer in a module."""
        if module._modules:
            names = [self.names[id(tensor)] for tensor in tensors_of(module)]
        else:
            own = (*module._parameters.values(), *module._buffers.values())
            names = [self.names[id(tensor)] for tensor in own if tensor is not None]
        names += [info.name for info in self._packed_in(module) if info.spec is not None]
        return tuple(dict.fromkeys(names))

    def are_unknown(self, module: nn.Module) -> bool:
        """Return whether a module holds packed weights of unknown size."""
        return any(info.spec is None for info in self._packed_in(module))

    def _packed_in(self, module: nn.Module) -> list[ParameterInfo]:
        if not self.packed:
            return []
        inside = modules_of(module) if module._modules else [module]
        return [info for each in inside for info in self.packed.get(id(each), ())]


def tensors_in(modules: Mapping[str, nn.Module]) -> Tensors:
    """Return the tensors of a model, given every module by path."""
    names = tensor_names(modules)
    return Tensors(names, packed_in(modules), frozenset([names[each] for each in wrapped(modules.values())]))


def module_tree(
    modules: Mapping[str, nn.Module], tensors: Tensors, capture: Capture, called: set[str]
) -> dict[str, ModuleInfo]:
    """Return the module records by path. A tensor with several names belongs to the first; later names are tied to it.

    A shared module has several paths.
    """
    first: dict[int, str] = {}
    seen: set[int] = set()
    whole: set[str] = set()  # leaf modules that are called, with their submodules
    packed: dict[str, Represented] = {}
    tree: dict[str, ModuleInfo] = {}
    for path, module in modules.items():
        prefix = f"{path}." if path else ""
        known = first.setdefault(id(module), path)
        if _parent(path) in whole or (path in called and default_leaf(module)):
            whole.add(path)
        around = packed.get(_parent(path) or "")
        packed[path] = represented(module, is_inside=around is not None and around.is_declared)
        own = _own_tensors(module, prefix, tensors, capture, seen, packed[path]) if known == path else ()
        tree[path] = ModuleInfo(
            path=path,
            type=class_name(module),
            config=config.of_module(module),
            children=tuple([each for name, _ in module._modules.items() if (each := prefix + name) in modules]),
            parameters=tuple(own),
            shared_with=known if known != path else None,
            called=known in called or _parent(path) in whole,
            training=getattr(module, "training", False),
        )
    return tree


def add_modules(graph: ModelGraph, modules: Mapping[str, nn.Module], tensors: Tensors) -> None:
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
                "reads": tensors.read_by(module),
                "flops": None,
                "packed": tensors.are_unknown(module),
            })  # fmt: skip
            continue
        stacks[path] = stack
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                more: NodeData = {**result(spec_or_none(tensor)), "label": name, "reads": (tensors.names[id(tensor)],)}
                add("get_attr", f"{path}.{name}" if path else name, stack, more)


def _parent(path: str) -> str | None:
    return path.rpartition(".")[0] if path else None


def _own_tensors(
    module: nn.Module, prefix: str, tensors: Tensors, capture: Capture, seen: set[int], packed: Represented
) -> Iterator[ParameterInfo]:
    for values, buffer in ((module._parameters, False), (module._buffers, True)):
        for name, tensor in values.items() if values else ():
            if tensor is not None:
                first, spec = tensors.names[id(tensor)], spec_or_none(tensor, capture.device)
                holder = module if packed.is_declared and name in packed.shapes else None
                info = ParameterInfo(
                    name=prefix + name,
                    spec=spec,
                    trainable=bool(tensor.requires_grad) and not buffer,
                    buffer=buffer,
                    tied_to=first if id(tensor) in seen else None,
                    stored=None if spec is None else stored(tensor, holder),
                )
                seen.add(id(tensor))
                yield _represented(info, name, prefix, packed)
    if (found := unregistered(module, packed)) is not None:
        yield ParameterInfo(prefix + found[0], None, stored=found[1])
    yield from tensors.packed.get(id(module), ())


def _represented(info: ParameterInfo, name: str, prefix: str, packed: Represented) -> ParameterInfo:
    """Return the record of a packed weight with the shape that it represents, or of what belongs to it."""
    if name in packed.parts:
        return replace(info, buffer=False, part_of=prefix + packed.parts[name])
    if name not in packed.shapes or info.spec is None:
        return replace(info, buffer=False) if packed.is_declared else info  # a bias
    shape = packed.shapes[name]
    if shape is None:
        return replace(info, spec=None, stored=info.by_dtype)
    return replace(info, spec=contiguous(shape, info.spec.dtype, info.spec.device), buffer=False)


def spec_or_none(tensor: torch.Tensor, device: str | None = None) -> TensorSpec | None:
    """Return the spec of a parameter or buffer; None if it has no shape yet, or does not show what it holds."""
    return spec_of(tensor, device) if is_known(tensor) else None
