"""Texts of the notes and errors of a capture: where it ended, which hooks did not run, which inputs do not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import torch
from torch import fx, nn

from fxsummary.capture.inputs.example import Inputs, describe, is_shape
from fxsummary.capture.module_index import submodule
from fxsummary.capture.nodes import SOURCE, STACK
from fxsummary.capture.operations.propagate import OperationError
from fxsummary.capture.source import at
from fxsummary.errors import FxsummaryError, InputError


def of_stop(reason: str, source: str) -> str:
    """Return the note that says where and why a recording ended, and what to do."""
    remedy = "" if any(text in reason for text in _WITH_REMEDY) else f". {_REMEDY}"
    return f"recording stopped{at(source)}: {reason.rstrip('.')}; the rest of forward is not shown{remedy}"


_REMEDY = (
    "Pass other inputs, with real data if forward depends on values, or name the module in leaf= to show it as one "
    "operation"
)

_WITH_REMEDY = ("nested tensors", "fake impl", "an import failed", "does not run here")
"""Words of reasons that already contain a remedy, or for which other inputs are none."""


def of_trace(hooks: Sequence[str], stopped: Sequence[tuple[fx.Node, str]]) -> Iterator[str]:
    """Yield the notes that say which hooks were not run, and after which operation shapes are unknown."""
    if hooks:
        shown, more = ", ".join(name or "the model itself" for name in hooks[:5]), len(hooks) - 5
        others = f" and {more} more" if more > 0 else ""
        yield f"forward hooks were not run, so their effect is not shown: on {shown}{others}"
    for node, reason in stopped[:1]:
        more = len(stopped) - 1
        others = f" ({more} more such operation{'s' * (more > 1)})" if more else ""
        yield f"shapes are unknown after {node.name}{at(node.meta.get(SOURCE, ''))}: {reason}{others}"


def error_of(error: OperationError, model: nn.Module, inputs: Inputs | None) -> InputError:
    """Return the error that says which operation rejects the inputs."""
    node = error.node
    stack = node.meta.get(STACK) or {}
    path, _ = next(reversed(stack.values())) if stack else ("", type(model))
    what = f"{path!r} ({submodule(model, path)})" if node.op == "call_module" and path else f"{node.name}"
    given = describe(inputs) if inputs else "none"
    shapes = ", ".join(str(spec) for spec in error.arguments if hasattr(spec, "shape"))
    return InputError(
        f"the inputs do not fit {type(model).__name__}: {what} rejects {shapes or 'its arguments'}: "
        f"{str(error.__cause__).strip()}\n"
        f"  in {path or 'the model itself'}{at(node.meta.get(SOURCE, ''))}, with inputs {given}.\n"
        "  Pass inputs whose number, shape and dtype the model accepts.",
        module=path,
        source=node.meta.get(SOURCE, ""),
    )


# --- inputs that do not fit ------------------------------------------------------------------------


def add_hints(error: FxsummaryError, args: Sequence[object]) -> None:
    """Add hints about common mistakes to the message of an error."""
    error.args = ("\n  ".join([str(error), *_hints(args, str(error))]),)


def _hints(args: Sequence[object], message: str) -> Iterator[str]:
    from fxsummary.capture.inputs.guess.guesses import NEEDS_INTEGERS

    if args and all(map(is_shape, args)) and all(args):
        yield f"Did you mean input_shape={args[0] if len(args) == 1 else list(args)}?"
    elif len(args) == 1 and isinstance(args[0], (list, tuple)) and set(map(type, args[0])) == {torch.Tensor}:
        yield f"The input is a {type(args[0]).__name__} of tensors. To pass them as inputs of forward, write *inputs."
    if re.search(NEEDS_INTEGERS, message):
        yield (
            "Indices are integers: pass an int64 tensor, or the dtype with a shape, "
            'such as input_dtype="int64" or 2x12:int64.'
        )
