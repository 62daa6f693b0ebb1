"""What a capture says about itself: why it ended early, what was not run, and why inputs were refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import fx, nn

from fxsummary.capture.inputs.example import Inputs, describe
from fxsummary.capture.module_index import submodule
from fxsummary.capture.nodes import SOURCE, STACK
from fxsummary.capture.operations.propagate import OperationError
from fxsummary.capture.source import at
from fxsummary.errors import InputError


def of_stop(reason: str, source: str) -> str:
    """Say where a recording ended, and what to do."""
    remedy = "" if any(text in reason for text in _WITH_REMEDY) else f". {_REMEDY}"
    return f"recording stopped{at(source)}: {reason.rstrip('.')}; what follows is not shown{remedy}"


_REMEDY = (
    "Pass other inputs, with real data if forward depends on values, or name the module in leaf= to show it as one "
    "operation"
)

_WITH_REMEDY = ("nested tensors", "fake impl")
"""Reasons to stop that say themselves what to do."""


def of_trace(hooks: Sequence[str], stopped: Sequence[tuple[fx.Node, str]]) -> Iterator[str]:
    """Say which hooks were not run, and after which operation shapes are not known."""
    if hooks:
        yield f"forward hooks were not run, so what they change is not shown: on {_some(hooks)}"
    for node, reason in stopped[:1]:
        more = len(stopped) - 1
        others = f" ({more} more such operation{'s' * (more > 1)})" if more else ""
        yield f"shapes are not known after {node.name}{at(node.meta.get(SOURCE, ''))}: {reason}{others}"


def error_of(error: OperationError, model: nn.Module, inputs: Inputs | None) -> InputError:
    """Return the error that says which operation refuses the inputs."""
    node = error.node
    stack = node.meta.get(STACK) or {}
    path, _ = next(reversed(stack.values())) if stack else ("", type(model))
    what = f"{path!r} ({submodule(model, path)})" if node.op == "call_module" and path else f"{node.name}"
    given = describe(inputs) if inputs else "none"
    shapes = ", ".join(str(spec) for spec in error.arguments if hasattr(spec, "shape"))
    return InputError(
        f"the inputs do not fit {type(model).__name__}: {what} refuses {shapes or 'its arguments'}: "
        f"{str(error.__cause__).strip()}\n"
        f"  in {path or 'the model itself'}{at(node.meta.get(SOURCE, ''))}, with inputs {given}.\n"
        "  Pass inputs whose number, shape and dtype the model accepts.",
        module=path,
        source=node.meta.get(SOURCE, ""),
    )


def _some(names: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(name or "the model itself" for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
