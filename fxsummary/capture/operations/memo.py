"""The memo: each distinct operation runs once per process, and its outcome is kept under a key.

A key contains all that the outcome on meta depends on: what is called (a function, a method name, or the signature of a
leaf module: class, settings, parameter specs, training flag, recursively), the specs of the tensors, the literals with
their types, and the formulas. An outcome contains specs and FLOPs but no tensor. An operation without a key, for
example with an unknown object as argument, is never kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import count
from types import BuiltinFunctionType, FunctionType, GetSetDescriptorType, MethodDescriptorType, WrapperDescriptorType
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.structures import ATOMS, NUMBERS
from fxsummary.capture.torch_internals import OpOverload, OpOverloadPacket
from fxsummary.graph.spec import TensorSpec

MAX_ENTRIES = 20_000
_entries: dict[Hashable, Outcome] = {}
_numbers: dict[Hashable, int] = {}
_count = count()


class NoKeyError(Exception):
    """An outcome may depend on a value that no key can express."""


def get(key: Hashable) -> Outcome | None:
    """Return the outcome under a key."""
    return _entries.get(key)


def put(key: Hashable, value: Outcome) -> None:
    """Keep an outcome; drop the oldest if there are more than `MAX_ENTRIES`."""
    _entries[key] = value
    if len(_entries) > MAX_ENTRIES:
        del _entries[next(iter(_entries))]


def number_of(signature: Hashable) -> int:
    """Intern a signature as an int, because hashing large tuples on every lookup is slow."""
    number = _numbers.get(signature)
    if number is None:
        number = _numbers[signature] = next(_count)
        if len(_numbers) > MAX_ENTRIES:
            del _numbers[next(iter(_numbers))]
    return number


def clear() -> None:
    """Forget everything."""
    _entries.clear()
    _numbers.clear()


_PLAIN = ATOMS - NUMBERS - {torch.Size}
BY_IDENTITY = (
    type, FunctionType, BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType, GetSetDescriptorType,
    OpOverload, OpOverloadPacket,
)  # fmt: skip
_FLAT = _PLAIN | NUMBERS | {TensorSpec}
_SEQUENCES = frozenset({tuple, list, torch.Size})
_DICTS = frozenset({dict, OrderedDict})


def _no_key(value: object) -> Hashable:
    raise NoKeyError(type(value).__name__)


def key_of(value: Any, other: Callable[[Any], Hashable] = _no_key) -> Hashable:
    """Return a hashable key for an argument; raise NoKeyError if there is none.

    Numbers carry their type: ``True``, ``1`` and ``1.0`` are equal in Python but different to torch.

    Args:
        other: returns the key of a tensor, or of a value of another type.
    """
    kind = type(value)
    if kind is TensorSpec or kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind in NUMBERS:
        return kind, value
    if isinstance(value, torch.Tensor):
        return other(value)
    if kind in _SEQUENCES:
        kinds = tuple(map(type, value))
        if _FLAT.issuperset(kinds):
            return kind, kinds, tuple(value)
        return kind, tuple([key_of(item, other) for item in value])
    if kind is slice:
        return kind, key_of((value.start, value.stop, value.step), other)
    if kind in _DICTS:
        return kind, tuple([(name, key_of(item, other)) for name, item in value.items()])
    return value if isinstance(value, BY_IDENTITY) else other(value)


IRRELEVANT = frozenset(
    {
        "_backward_pre_hooks", "_backward_hooks", "_is_full_backward_hook", "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks",
        "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
        "_non_persistent_buffers_set", "_flat_weights", "_flat_weight_refs", "_modules",
    }
)  # fmt: skip
_HOOKS = frozenset({"_forward_hooks", "_forward_pre_hooks"})


def attributes_key(
    module: nn.Module, other: Callable[[Any], Hashable], without: frozenset[str] = IRRELEVANT
) -> tuple[Hashable, ...]:
    """Return a key for a module without its submodules; raise NoKeyError if it has hooks.

    Args:
        other: as in `key_of`.
        without: names of attributes to leave out.
    """
    parts: list[Any] = [type(module)]
    for name, value in vars(module).items():
        if name in without:
            continue
        kind = type(value)
        if kind in _FLAT:
            parts += (name, kind, value)
        elif kind in _DICTS and not value:
            parts += (name, kind)
        elif name not in _HOOKS:
            parts += (name, key_of(value, other))
        else:
            raise NoKeyError(name)
    return tuple(parts)


def module_signature(module: nn.Module) -> Hashable:
    """Return a key for all that a module's forward on meta may depend on; raise NoKeyError if there is none."""
    children = [(name, None if child is None else module_signature(child)) for name, child in module._modules.items()]
    return attributes_key(module, _tensor_key), *children


def _tensor_key(tensor: Any) -> Hashable:
    if not isinstance(tensor, torch.Tensor) or tensor.layout is not torch.strided:
        raise NoKeyError(type(tensor).__name__)
    return tensor.shape, tensor.dtype, tensor.stride(), tensor.requires_grad
