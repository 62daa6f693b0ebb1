"""Rebuilds the module tree of an exported program, as modules with names, classes and tensors but without code.

A ``torch.nn`` module is an instance of its own class, created without ``__init__``, so that code that reads its class
or settings needs no special case. Any other module is an instance of an empty class with the same name; nothing is
imported. The export contains the classes of only those modules that were called.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fxsummary.capture.exported import metadata
from fxsummary.capture.module_index import tensors_of
from fxsummary.capture.torch_internals import storage_of

if TYPE_CHECKING:
    from torch.export import ExportedProgram


class Skeleton:
    """The modules of an exported program.

    Attributes:
        root: the model; it has the same ``named_modules`` as the exported one.
        modules: every module by path.
    """

    def __init__(self, program: ExportedProgram) -> None:
        self._types = _types(program)
        self._names: dict[str, str] = {}
        self.root = _make(self._types.get("", "ExportedProgram"))
        self.modules: dict[str, nn.Module] = {"": self.root}
        kept: dict[object, tuple[str, torch.Tensor]] = {}
        for path in _paths(program):
            self._add(path)
        for name, tensor, is_buffer in _tensors(program):
            path, _, own = name.rpartition(".")
            first, same = kept.setdefault(_identity(tensor), (name, tensor))
            self._names[name] = first
            module = self._add(path)
            held: dict[str, Any] = module._buffers if is_buffer else module._parameters
            held[own] = same
        self._name_uncalled()

    def first_name(self, name: str) -> str:
        """Return the first name of the tensor with this name."""
        return self._names.get(name, name)

    def tensor_names(self, path: str) -> frozenset[str]:
        """Return the first names of all tensors in a module."""
        prefix, module = f"{path}." if path else "", self.modules[path]
        inside = (*module.named_parameters(), *module.named_buffers())
        return frozenset([self.first_name(prefix + name) for name, _ in inside])

    def untold(self) -> frozenset[str]:
        """Return paths of modules without tensors and operations, such as an Identity."""
        uncalled = [(path, module) for path, module in self.modules.items() if path not in self._types]
        return frozenset([path for path, module in uncalled if next(tensors_of(module), None) is None])

    def _add(self, path: str) -> nn.Module:
        module = self.modules.get(path)
        if module is None:
            parent, _, name = path.rpartition(".")
            module = self.modules[path] = _make(self._types.get(path, ""))
            self._add(parent)._modules[name] = module
        return module

    def _name_uncalled(self) -> None:
        """Infer the classes of uncalled modules: a module with numbered children is a ModuleList."""
        for path, module in self.modules.items():
            if isinstance(module, nn.MultiheadAttention) and "out_proj" in module._modules:
                module.out_proj.__class__ = nn.modules.linear.NonDynamicallyQuantizableLinear
            elif path not in self._types and not module._buffers:
                if module._modules and not module._parameters and all(map(str.isdigit, module._modules)):
                    module.__class__ = nn.ModuleList
                elif module._parameters and not module._modules and all(map(str.isdigit, module._parameters)):
                    module.__class__ = nn.ParameterList


def forget_class(module: nn.Module) -> None:
    """Replace a module's class by an empty one with the same name, because its settings are unknown."""
    kind = type(module)
    module.__class__ = _empty_class(f"{kind.__module__}.{kind.__name__}")


def _make(kind: str) -> nn.Module:
    module_name, _, name = kind.rpartition(".")
    found = getattr(sys.modules.get(module_name), name, None) if module_name.startswith("torch.") else None
    known = isinstance(found, type) and issubclass(found, nn.Module) and not issubclass(found, torch.jit.ScriptModule)
    module: nn.Module = object.__new__(found if known else _empty_class(kind or "Module"))  # type: ignore[arg-type]
    nn.Module.__init__(module)
    return module.train(False)


def _empty_class(kind: str) -> type[nn.Module]:
    module_name, _, name = kind.rpartition(".")
    return type(name, (nn.Module,), {"__module__": module_name})


def _types(program: ExportedProgram) -> dict[str, str]:
    types: dict[str, str] = {}
    for node in metadata.all_nodes(program.graph_module):
        for path, kind in metadata.stack_of(node).values():
            types.setdefault(path, kind)
    return types


def _paths(program: ExportedProgram) -> Iterable[str]:
    """Return the paths of all modules, in order; only of called modules if the program does not list them."""
    listed = dict.fromkeys(call.fqn for call in program.module_call_graph if call.fqn)
    paths = [path for path in listed if path.rpartition("@")[0] not in listed]  # further calls are not modules
    return paths or [path for path in _types(program) if path]


def _tensors(program: ExportedProgram) -> Iterator[tuple[str, torch.Tensor, bool]]:
    """Yield each parameter and buffer: its name, the tensor, and whether it is a buffer."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    lifted = {
        spec.target: program.constants.get(spec.target, values.get(spec.arg.name))
        for spec in program.graph_signature.input_specs
        if spec.kind.name in ("PARAMETER", "BUFFER") and spec.target is not None
    }
    buffers = set(program.graph_signature.buffers)
    for name in dict.fromkeys([*program.state_dict, *lifted]):
        tensor = program.state_dict.get(name, lifted.get(name))
        if isinstance(tensor, torch.Tensor):
            yield name, tensor, name in buffers or not (name in lifted or isinstance(tensor, nn.Parameter))


def _identity(tensor: torch.Tensor) -> object:
    """Return a key that is equal for tied tensors: in a loaded program these are two views of one storage.

    On ``meta`` only the object counts, because torch.export.save writes all meta tensors of one shape as one.
    """
    if tensor.layout is not torch.strided or tensor.is_meta:
        return id(tensor)
    return storage_of(tensor), tensor.storage_offset(), tensor.dtype, tuple(tensor.shape), tensor.stride()
