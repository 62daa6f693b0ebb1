"""The user's forward hooks on a module that is one operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from fxsummary.capture.operations.twins import is_own_hook


def with_hooks(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], operation: Callable[..., object]
) -> object:
    """Run the user's hooks of a module around ``operation``; torch's own are part of that."""
    for key, hook in list(module._forward_pre_hooks.items()):
        if is_own_hook(hook):
            continue
        if key in module._forward_pre_hooks_with_kwargs:
            args, kwargs = hook(module, args, kwargs) or (args, kwargs)
        else:
            found = hook(module, args)
            args = args if found is None else found if isinstance(found, tuple) else (found,)
    value = operation(*args, **kwargs)
    for key, hook in list(module._forward_hooks.items()):
        if not is_own_hook(hook):
            named = (kwargs,) if key in module._forward_hooks_with_kwargs else ()
            found = hook(module, args, *named, value)
            value = value if found is None else found
    return value
