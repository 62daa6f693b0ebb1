"""What of a model, and of the process, must be the same before and after it is looked at."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy
import torch
from torch import nn


def of_model(model: nn.Module) -> dict[str, Any]:
    """Class, flags, attributes, hooks and tensors (bit for bit) of every module, by a name that says where."""
    state: dict[str, Any] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        state[f"{path}: class"] = type(module)
        state[f"{path}: attributes"] = list(vars(module))
        for name, value in vars(module).items():
            state[f"{path}: {name}"] = of_value(value)
    return state


def of_value(value: Any) -> Any:
    """Identity of a value and of what is in it; bytes of a tensor."""
    if isinstance(value, torch.Tensor):
        return id(value), of_tensor(value)
    if isinstance(value, dict):
        return id(value), [(key, of_value(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return id(value), [of_value(item) for item in value]
    if isinstance(value, (bool, int, float, str, type(None))):
        return repr(value)
    return id(value)


def of_tensor(tensor: torch.Tensor) -> Any:
    """Everything about a tensor but its object."""
    facts = (type(tensor), tuple(tensor.shape), tensor.dtype, str(tensor.device), tensor.requires_grad, tensor._version)
    if tensor.is_meta or tensor.layout != torch.strided:
        return facts
    content = tensor.detach().contiguous().flatten().view(torch.uint8).numpy()
    gradient = id(tensor.grad) if tensor.is_leaf and tensor.grad is not None else None
    return (*facts, gradient, tensor.stride(), tensor.data_ptr(), hashlib.blake2b(content, digest_size=8).hexdigest())


def of_process() -> dict[str, Any]:
    """Random states and torch's switches."""
    return {
        "torch random state": torch.get_rng_state().numpy().tobytes(),
        "python random state": random.getstate(),
        "numpy random state": repr(numpy.random.get_state()),
        "mha fast path": torch.backends.mha.get_fastpath_enabled(),
        "grad mode": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
        "function modes": torch._C._len_torch_function_stack(),
        "nn.Module.__call__": nn.Module.__call__,
        "nn.Module.__getattr__": nn.Module.__getattr__,
        "module hooks": [repr(hooks) for name, hooks in vars(nn.modules.module).items() if name.startswith("_global_")],
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Where two states differ.

    >>> differences({"a": 1}, {"a": 2, "b": 3})
    ['a: 1 became 2', 'b: absent became 3']
    """
    return [
        f"{name}: {_change(str(before.get(name, 'absent')), str(after.get(name, 'absent')))}"
        for name in {**before, **after}
        if before.get(name, "absent") != after.get(name, "absent")
    ]


def _change(before: str, after: str) -> str:
    """Two texts from shortly before they part."""
    same = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(same - 30, 0)
    return f"{before[start : start + 70]} became {after[start : start + 70]}"
