"""The user's forward hooks on a module that is one operation."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from fxsummary.capture.operations.twins import is_own_hook


@contextmanager
def left_to_run(module: nn.Module, operation: Callable[..., Any]) -> Iterator[None]:
    """Within, a call of the module runs the user's hooks around ``operation``; torch's own are part of that."""
    attributes = vars(module)
    saved = {name: attributes.get(name) for name in ("_forward_hooks", "_forward_pre_hooks", "forward")}
    for name in ("_forward_hooks", "_forward_pre_hooks"):
        attributes[name] = _users(attributes[name])

    def forward(*args: Any, **kwargs: Any) -> Any:
        changed = {name: attributes[name] for name in saved}
        _assign(attributes, saved)
        try:
            return operation(*args, **kwargs)
        finally:
            _assign(attributes, changed)

    attributes["forward"] = forward
    try:
        yield
    finally:
        _assign(attributes, saved)


def _users(hooks: Mapping[int, Any]) -> collections.OrderedDict[int, Any]:
    return collections.OrderedDict((key, hook) for key, hook in hooks.items() if not is_own_hook(hook))


def _assign(attributes: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
