"""Everything that looking at a model may have changed, as values to compare."""

from __future__ import annotations

import builtins
import functools
import gc
import math
import operator
import random
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any

import numpy
import torch
import torch._dynamo  # torch imports it on first use of some operations, and then replaces functions of its own
from torch import fx, nn
from torch.utils.flop_counter import flop_registry


def of_model(model: nn.Module) -> dict[str, Any]:
    """What must be the same of everything that a model holds, to any depth, by a path that says where."""
    state: dict[str, Any] = {}
    todo: list[tuple[str, Any]] = [(path, module) for path, module in model.named_modules(remove_duplicate=False)]
    seen: dict[int, Any] = {}
    while todo:
        path, value = todo.pop()
        state[path] = id(value) if isinstance(value, (dict, list, tuple, deque)) else of_value(value)
        if id(value) not in seen:
            seen[id(value)] = value
            held = list(_held_by(value))
            state[f"{path}: names"] = [name for name, _ in held]
            todo += [(f"{path}{name}", item) for name, item in held]
    return state


def _held_by(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value holds, each with how to get there."""
    kind = type(value)
    if isinstance(value, type):
        yield from ((f".{name}", item) for name, item in vars(value).items() if name not in ("__dict__", "__weakref__"))
        return
    if kind.__module__.partition(".")[0] in _NOT_USERS and not isinstance(value, _HOLDERS):
        return
    if isinstance(value, torch.jit.ScriptModule):
        yield from ((f".{name}", tensor) for name, tensor in (*value.named_parameters(), *value.named_buffers()))
        return
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", item) for key, item in value.items())
    elif isinstance(value, (list, tuple, deque, set, frozenset)):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, FunctionType):
        yield from ((f".{name}", item) for name, item in vars(value).items())
        yield from ((f"({index})", item) for index, item in enumerate(value.__defaults__ or ()))
    elif isinstance(value, MethodType):
        yield "()", value.__self__
    elif isinstance(value, functools.partial):
        yield from ((f"({index})", item) for index, item in enumerate((*value.args, *value.keywords.values())))
    yield from ((f".{name}", item) for name, item in getattr(value, "__dict__", {}).items())
    slots = [name for each in kind.__mro__ for name in getattr(each, "__slots__", ()) if hasattr(value, name)]
    yield from ((f".{name}", getattr(value, name)) for name in slots if name not in ("__dict__", "__weakref__"))
    yield from (
        (f": {each.__name__}", each) for each in kind.__mro__ if each.__module__.partition(".")[0] not in _NOT_USERS
    )


_NOT_USERS = (sys.stdlib_module_names - {"__main__"}) | {"torch"}
_HOLDERS = (
    nn.Module,
    torch.Tensor,
    dict,
    list,
    tuple,
    deque,
    set,
    frozenset,
    FunctionType,
    MethodType,
    functools.partial,
    SimpleNamespace,
    threading.local,
)


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


@contextmanager
def left_behind() -> Iterator[list[str]]:
    """Proxies and meta tensors made within that are alive at the end, and what holds them."""
    found: list[str] = []
    gc.freeze()  # what was there before is not looked at
    try:
        yield found
        gc.collect()
        for value in gc.get_objects():
            kind = type(value)
            if issubclass(kind, fx.Proxy) or (issubclass(kind, torch.Tensor) and value.is_meta):
                holders = {type(each).__name__ for each in gc.get_referrers(value)}
                found.append(f"{kind.__name__} held by {sorted(holders)}")
    finally:
        gc.unfreeze()


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
