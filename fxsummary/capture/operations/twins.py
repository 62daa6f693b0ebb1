"""Meta twins: stand-ins without data for tensors and modules, so that nothing of the user's is run or changed."""

from __future__ import annotations

import copy
import functools
import types
import weakref
from collections import OrderedDict
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.utils.hooks import RemovableHandle

from fxsummary.graph.spec import TensorSpec

META = torch.device("meta")


class NoTwinError(Exception):
    """A module or tensor of which no twin can be made, such as a ScriptModule."""


@functools.cache
def dtype_name(dtype: torch.dtype) -> str:
    """The dtype's name without the prefix ``torch.``."""
    return str(dtype).removeprefix("torch.")


def spec_of(tensor: torch.Tensor, device: str | None = None) -> TensorSpec:
    """The spec of a tensor; ``device`` overrides the tensor's own."""
    stride = tensor.stride() if tensor.layout is torch.strided else None
    return _spec(tensor.shape, tensor.dtype, stride, device or str(tensor.device))


@functools.lru_cache(maxsize=4096)
def _spec(shape: torch.Size, dtype: torch.dtype, stride: tuple[int, ...] | None, device: str) -> TensorSpec:
    return TensorSpec(tuple(shape), dtype_name(dtype), stride, device)


def materialize(spec: TensorSpec, device: torch.device = META) -> torch.Tensor:
    """A tensor of this spec, on meta."""
    dtype = getattr(torch, spec.dtype)
    if spec.stride is None:
        return torch.empty(spec.shape, dtype=dtype, device=device)
    return torch.empty_strided(spec.shape, spec.stride, dtype=dtype, device=device)


class Twins:
    """Makes twins on the ``meta`` device; one twin per tensor and per module, so that ties stay ties.

    Args:
        device: another device than ``meta``, for fake tensors.
    """

    def __init__(self, device: torch.device = META) -> None:
        self.device = device
        self._twins: dict[int, Any] = {}
        self._originals: list[Any] = []

    def tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """The meta twin of a tensor, parameter or buffer: same shape, stride, dtype, ``requires_grad``."""
        twin = self._twins.get(id(tensor))
        if twin is None:
            twin = self._remember(tensor, self._new_tensor(tensor))
        assert isinstance(twin, torch.Tensor)
        return twin

    def of_spec(self, spec: TensorSpec) -> torch.Tensor:
        """A new tensor of this spec."""
        return materialize(spec, self.device)

    def _new_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
            options: Any = {"requires_grad": tensor.requires_grad, "device": self.device, "dtype": tensor.dtype}
            return type(tensor)(**options)
        try:
            if tensor.layout is torch.strided:
                size, stride = tensor.size(), tensor.stride()
                twin = torch.empty_strided(size, stride, dtype=tensor.dtype, device=self.device)
            else:
                twin = torch.empty(tensor.size(), dtype=tensor.dtype, device=self.device)
        except (RuntimeError, NotImplementedError) as error:
            raise NoTwinError(f"a {tensor.layout} tensor of {tensor.dtype} has no counterpart on meta") from error
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(twin, requires_grad=tensor.requires_grad)
        return twin.requires_grad_(True) if tensor.requires_grad else twin

    def module(self, module: nn.Module) -> nn.Module:
        """A copy of a module tree on meta; whatever its forward does to it stays in the copy.

        Hooks are left out, except those by which torch itself computes weights (weight_norm).

        Raises:
            NoTwinError: the module cannot be copied without running its code.
        """
        twin = self._twins.get(id(module))
        if twin is None:
            if isinstance(module, torch.jit.ScriptModule):
                raise NoTwinError(f"{type(module).__name__} is compiled by torch.jit")
            twin = self._remember(module, object.__new__(type(module)))
            attributes = twin.__dict__
            for name, value in vars(module).items():
                kind = type(value)
                if kind in _ATOMS:
                    attributes[name] = value
                elif kind in _DICTS and not value:
                    attributes[name] = kind()
                else:
                    attributes[name] = self._value(own_hooks(value) if name in _HOOKS else value)
                    if isinstance(value, dict):
                        self._remember(value, attributes[name])
        assert isinstance(twin, nn.Module)
        return twin

    def _remember(self, original: Any, twin: Any) -> Any:
        self._twins[id(original)] = twin
        self._originals.append(original)
        return twin

    def _value(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS or (kind is tuple and _ATOMS.issuperset(map(type, value))):
            return value
        if kind in _COLLECTIONS:
            return kind(map(self._value, value))
        if isinstance(value, torch.Tensor):
            return self.tensor(value)
        if isinstance(value, nn.Module):
            return self.module(value)
        if isinstance(value, types.MethodType):
            return types.MethodType(value.__func__, self._value(value.__self__))
        if isinstance(value, RemovableHandle):
            return self._handle(value)
        if isinstance(value, functools.partial):
            args, keywords = map(self._value, value.args), self._value(value.keywords)
            return functools.partial(self._value(value.func), *args, **keywords)
        if isinstance(value, torch.ScriptObject):
            raise NoTwinError("it holds packed weights")
        if isinstance(value, dict) and kind.__module__ in ("builtins", "collections", "torch.nn.modules.container"):
            twin = value.copy()
            twin.update((key, self._value(item)) for key, item in value.items())
            return twin
        return value

    def _handle(self, handle: RemovableHandle) -> RemovableHandle:
        """The handle of a hook, which removes it from the twin and not from the original."""

        def reference(original: Any) -> Any:
            twin = self._twins.get(id(original()))
            return (lambda: None) if twin is None else weakref.ref(twin)

        twin = copy.copy(handle)
        twin.hooks_dict_ref = reference(handle.hooks_dict_ref)
        twin.extra_dict_ref = tuple(map(reference, handle.extra_dict_ref))
        return twin


_ATOMS = frozenset({bool, int, float, str, type(None)})
_COLLECTIONS = frozenset({list, tuple, set})
_DICTS = frozenset({dict, OrderedDict})
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def is_own_hook(hook: Any) -> bool:
    """Whether a forward hook is one by which torch computes weights, as weight_norm and lazy modules do."""
    owner = hook if hasattr(hook, "__func__") or isinstance(hook, types.FunctionType) else type(hook)
    return (owner.__module__ or "").startswith(("torch.nn.utils.", "torch.nn.modules."))


def own_hooks(hooks: dict[int, Any]) -> dict[int, Any]:
    """The hooks that are torch's own."""
    kept = hooks.copy()
    for key, hook in hooks.items():
        if not is_own_hook(hook):
            del kept[key]
    return kept
