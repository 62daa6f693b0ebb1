"""Everything that looking at a model may have changed, as values to compare."""

from __future__ import annotations

import builtins
import math
import operator
import random
import sys
import warnings
from collections import deque
from typing import Any

import numpy
import torch
import torch._dynamo  # torch imports it on first use of some operations, and then replaces functions of its own
from torch import fx, nn
from torch.utils.flop_counter import flop_registry


def of_model(model: nn.Module) -> dict[str, Any]:
    """What must be the same of a model, by a name that says where."""
    state: dict[str, Any] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        state[f"{path}: class"] = type(module)
        state[f"{path}: training"] = module.training
        for name, value in _attributes(module):
            state[f"{path}: {name}"] = of_value(value)
    return state


def _attributes(module: nn.Module) -> list[tuple[str, Any]]:
    if isinstance(module, torch.jit.ScriptModule):
        return [*module.named_parameters(), *module.named_buffers()]
    return [("attributes", repr(list(vars(module)))), *vars(module).items()]


def of_value(value: Any) -> Any:
    """Identity of a value, and of what is in it; bytes of a tensor."""
    if isinstance(value, torch.Tensor):
        return id(value), _tensor(value)
    if isinstance(value, dict):
        return id(value), [(key, of_value(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple, deque)):
        return id(value), [of_value(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return id(value), sorted(map(repr, value))
    if isinstance(value, (bool, int, float, str, type(None))):
        return repr(value)
    return id(value)


def _tensor(tensor: torch.Tensor) -> tuple[Any, ...]:
    if isinstance(tensor, nn.parameter.UninitializedTensorMixin):
        return type(tensor), tensor.device, tensor.dtype, tensor.requires_grad
    grad = tensor.grad if tensor.is_leaf else None
    return (
        type(tensor),
        tuple(tensor.shape),
        tensor.stride(),
        tensor.dtype,
        tensor.device,
        tensor.requires_grad,
        tensor.is_leaf,
        tensor._version,
        None if tensor.is_meta else (tensor.data_ptr(), _bytes(tensor)),
        None if grad is None else (id(grad), _bytes(grad)),
    )


def _bytes(tensor: torch.Tensor) -> bytes:
    return b"" if tensor.is_meta else tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


_NAMESPACES = (
    torch,
    torch.Tensor,
    torch.nn.functional,
    nn.Module,
    fx.Tracer,
    fx.Proxy,
    builtins,
    math,
    operator,
    random,
)


def of_process() -> dict[str, Any]:
    """What must be the same of torch's globals and of the random states."""
    state: dict[str, Any] = {
        "torch random state": torch.get_rng_state().numpy().tobytes(),
        "python random state": random.getstate(),
        "numpy random state": repr(numpy.random.get_state()),
        "mha fast path": torch.backends.mha.get_fastpath_enabled(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
        "function modes": torch._C._len_torch_function_stack(),
        "module hooks": [repr(hooks) for name, hooks in vars(nn.modules.module).items() if name.startswith("_global_")],
        "fx is tracing": fx._symbolic_trace.is_fx_tracing(),
        "formulas": list(flop_registry),
        "warning filters": frozenset(map(repr, warnings.filters)),
        "recursion limit": sys.getrecursionlimit(),
        "path": list(sys.path),
    }
    for space in _NAMESPACES:
        known = frozenset((name, id(value)) for name, value in vars(space).items() if name != "__warningregistry__")
        state[f"functions of {space.__name__}"] = known
    return state


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Where two states differ; a set may grow, as when torch imports a part of itself on first use."""
    return [
        f"{name}: {_lost(before.get(name), after.get(name))}"
        for name in {**before, **after}
        if not _is_same(before.get(name, "absent"), after.get(name, "absent"))
    ]


def _is_same(before: Any, after: Any) -> bool:
    return before <= after if isinstance(before, frozenset) and isinstance(after, frozenset) else before == after


def _lost(before: Any, after: Any) -> str:
    if isinstance(before, frozenset) and isinstance(after, frozenset):
        return f"lost or replaced {sorted(map(str, before - after))[:5]}"
    return f"{str(before)[:80]} became {str(after)[:80]}"
