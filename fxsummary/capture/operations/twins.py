"""Meta twins: tensors and modules without data that represent the user's, so that nothing of the user's changes."""

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

from fxsummary.capture.torch_internals import DispatchMode
from fxsummary.graph.spec import TensorSpec, dense_stride, map_structure

META = torch.device("meta")


class NoTwinError(Exception):
    """A module or tensor cannot have a twin, such as a ScriptModule."""


@functools.cache
def dtype_name(dtype: torch.dtype) -> str:
    """Return the dtype's name without the prefix ``torch.``."""
    return str(dtype).removeprefix("torch.")


def spec_of(tensor: torch.Tensor, device: str | None = None) -> TensorSpec:
    """Return the spec of a tensor; ``device`` overrides the tensor's own."""
    stride = tensor.stride() if tensor.layout is torch.strided else None
    return _spec(tensor.shape, tensor.dtype, stride, device or str(tensor.device))


@functools.lru_cache(maxsize=4096)
def _spec(shape: torch.Size, dtype: torch.dtype, stride: tuple[int, ...] | None, device: str) -> TensorSpec:
    return TensorSpec(tuple(shape), dtype_name(dtype), stride, device)


def materialize(spec: TensorSpec, device: torch.device = META) -> torch.Tensor:
    """Return a new tensor with this spec, by default on meta."""
    dtype = getattr(torch, spec.dtype)
    if spec.stride is None or spec.is_quantized:
        return torch.empty(spec.shape, dtype=dtype, device=device)
    return torch.empty_strided(spec.shape, spec.stride, dtype=dtype, device=device)


def zeros(spec: TensorSpec) -> torch.Tensor:
    """Return zeros with this spec on the CPU."""
    dtype = getattr(torch, spec.dtype)
    if spec.is_quantized:
        return torch.quantize_per_tensor(torch.zeros(spec.shape), 1.0, 0, dtype)
    return torch.empty_strided(spec.shape, spec.stride or dense_stride(spec.shape), dtype=dtype).zero_()


class Twins:
    """Makes twins; one twin for each tensor and module, so that tied weights stay tied.

    Args:
        device: the device of the twins; another than ``meta`` for fake tensors.
    """

    def __init__(self, device: torch.device = META) -> None:
        self.device = device
        self._twins: dict[int, Any] = {}
        self._originals: list[Any] = []

    def tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the twin of a tensor: same shape, stride, dtype, ``requires_grad``."""
        if id(tensor) in self._twins:
            return self._twins[id(tensor)]  # type: ignore[no-any-return]
        return self._remember(tensor, self._new_tensor(tensor))  # type: ignore[no-any-return]

    def of_spec(self, spec: TensorSpec) -> torch.Tensor:
        """Return a new tensor with this spec."""
        return materialize(spec, self.device)

    def _new_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        options: Any = {"dtype": tensor.dtype, "device": self.device}
        if isinstance(tensor, (UninitializedParameter, UninitializedBuffer)):
            return type(tensor)(requires_grad=tensor.requires_grad, **options)
        try:
            if tensor.is_quantized:
                return torch.empty(tensor.size(), **options)
            if tensor.layout is torch.strided:
                twin = torch.empty_strided(tensor.size(), tensor.stride(), **options)
            else:
                twin = torch.empty(tensor.size(), **options)
        except (RuntimeError, NotImplementedError) as error:
            raise NoTwinError(f"a {tensor.layout} tensor of {tensor.dtype} has no counterpart on meta") from error
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(twin, requires_grad=tensor.requires_grad)
        return twin.requires_grad_(True) if tensor.requires_grad else twin

    def module(self, module: nn.Module) -> nn.Module:
        """Return a copy of a module tree on meta; changes that its forward makes to it stay in the copy.

        Hooks are left out, except those with which torch itself computes weights (weight_norm).

        Raises:
            NoTwinError: the module cannot be copied without running its code.
        """
        if id(module) in self._twins:
            return self._twins[id(module)]  # type: ignore[no-any-return]
        if isinstance(module, torch.jit.ScriptModule):
            raise NoTwinError(f"{type(module).__name__} is compiled by torch.jit")
        twin: nn.Module = self._remember(module, object.__new__(type(module)))
        for name, value in vars(module).items():
            kind, kept = type(value), value
            if kind in _DICTS and not value:
                twin.__dict__[name] = kind()
                continue
            if name in _HOOKS:
                kept = kind((key, hook) for key, hook in value.items() if is_own_hook(hook))
            twin.__dict__[name] = value if kind in _ATOMS else self._value(kept)
            if isinstance(value, dict):
                self._remember(value, twin.__dict__[name])
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
        if isinstance(value, dict) and kind.__module__ in ("builtins", "collections", "torch.nn.modules.container"):
            twin = value.copy()
            for key, item in value.items():
                twin[key] = self._value(item)
            return twin
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
            return self._packed(value)
        return value

    def _packed(self, value: torch.ScriptObject) -> object:
        """Return packed weights as they are, because operators only read them."""
        return value

    def _handle(self, handle: RemovableHandle) -> RemovableHandle:
        """Return the handle of a hook, which removes the hook from the twin and not from the original."""

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
    """Whether torch itself computes weights with a forward hook, as weight_norm and lazy modules do."""
    owner = hook if hasattr(hook, "__func__") or isinstance(hook, types.FunctionType) else type(hook)
    return (owner.__module__ or "").startswith(("torch.nn.utils.", "torch.nn.modules."))


class OnMeta(DispatchMode):
    """Runs code that holds real tensors, such as a ScriptModule, on their meta twins."""

    def __init__(self, twins: Twins) -> None:
        super().__init__()
        self._twins = twins

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = map_structure(self._twin, (args, kwargs or {}))
        if "device" in kwargs or takes_device(func):
            kwargs["device"] = META
        return func(*args, **kwargs)

    def _twin(self, value: object) -> object:
        if isinstance(value, torch.device):
            return META
        return self._twins.tensor(value) if isinstance(value, torch.Tensor) and not value.is_meta else value


@functools.lru_cache(maxsize=1024)
def takes_device(operator: Any) -> bool:
    """Whether an operator has an argument for the device of its result."""
    return any(argument.name == "device" for argument in getattr(getattr(operator, "_schema", None), "arguments", ()))
