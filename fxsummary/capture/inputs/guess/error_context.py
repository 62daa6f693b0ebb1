"""Describes, as text, what the model's code was doing when it raised; keeps no tensor alive."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

import torch

from fxsummary.capture.inputs.example import Inputs
from fxsummary.capture.source import of_traceback
from fxsummary.capture.torch_internals import AnyConv
from fxsummary.graph.spec import TensorSpec


@dataclass(frozen=True)
class Step:
    """A frame of the model's code.

    Attributes:
        text: the source code that was running.
        absent: names of its variables that are None.
    """

    text: str
    absent: frozenset[str]


@dataclass(frozen=True)
class ErrorContext:
    """An error of forward: its message, and what the model's code was doing.

    Attributes:
        message: the error message.
        steps: the frames of the model's code, the innermost first.
        inputs: the inputs that the tensors in the innermost lines depend on, the nearest first.
        operations: number of operations that ran before the error.
        source: ``file:line`` in the model's code.
        channels: the channels that the innermost convolution got, and those that it expects; None if they are equal.
    """

    message: str = ""
    steps: tuple[Step, ...] = ()
    inputs: tuple[str, ...] = ()
    operations: int = 0
    source: str = ""
    channels: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        """A key that is equal for errors with the same message in the same line."""
        return self.message + "".join([step.text for step in self.steps[:1]])

    @property
    def code(self) -> str:
        """The source code that all frames were running."""
        return "".join([step.text for step in self.steps])


InputsBehind = Callable[[torch.Tensor], Sequence[str]]
"""Returns the inputs that a tensor depends on, the nearest first."""


def context_of(error: BaseException, inputs_behind: InputsBehind | None = None, operations: int = 0) -> ErrorContext:
    """Return the context of an exception that the model's forward raised."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    places = traceback.extract_tb(error.__traceback__)
    own = [
        (frame, _text(place, explains=index == len(frames) - 1))
        for index, (frame, place) in enumerate(zip(frames, places, strict=True))
        if not str(frame.f_globals.get("__name__", "")).startswith(("torch.", "fxsummary."))
    ][::-1]
    steps = [Step(text, frozenset([name for name, v in frame.f_locals.items() if v is None])) for frame, text in own]
    tensors = [tensor for frame, text in own[:MAX_BLAMED] for tensor in _tensors(frame, text)]
    inputs = [name for tensor in tensors for name in inputs_behind(tensor)] if inputs_behind is not None else []
    channels = next(_channels(reversed(frames)), None)
    where, _ = of_traceback(error.__traceback__)
    return ErrorContext(str(error), tuple(steps), tuple(dict.fromkeys(inputs)), operations, where, channels)


MAX_BLAMED = 3
"""Number of innermost frames to search for the tensors that do not fit, and of suspected inputs to change."""


def _tensors(frame: FrameType, text: str) -> Iterator[torch.Tensor]:
    """Yield the tensors named in a line of source code."""
    for name in dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text)):
        value = frame.f_locals.get(name)
        items = value if isinstance(value, (tuple, list)) else [value]
        yield from [item for item in items if isinstance(item, torch.Tensor)]


def _text(place: traceback.FrameSummary, explains: bool) -> str:
    """Return the source code that was running; for the line that raised, also the conditions around it."""
    first = place.lineno or 0
    last = getattr(place, "end_lineno", None) or first  # from Python 3.11 on
    text = "".join([linecache.getline(place.filename, line) for line in range(first, last + 1)])
    return "".join([text, *_conditions(place.filename, first)]) if explains else text


def _conditions(filename: str, line: int) -> Iterator[str]:
    """Yield the ``if`` lines around a line, the innermost first."""
    indent = _indent(linecache.getline(filename, line))
    while indent and line > 1:
        line -= 1
        text = linecache.getline(filename, line)
        if text.strip() and _indent(text) < indent:
            indent = _indent(text)
            if text.lstrip().startswith("def "):
                return
            if text.lstrip().startswith(("if ", "elif ")):
                yield text


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _channels(frames: Iterator[FrameType]) -> Iterator[tuple[int, int]]:
    for frame in frames:
        held = list(frame.f_locals.values())
        items = [item for value in held for item in (value if isinstance(value, tuple) else (value,))]
        for layer in [value for value in held if isinstance(value, AnyConv)]:
            yield from [
                (shape[1], layer.in_channels)
                for shape in map(_shape, items)
                if len(shape) == len(layer.kernel_size) + 2 and shape[1] != layer.in_channels
            ]


def _shape(value: object) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, (torch.Tensor, TensorSpec)) else ()


def blamed(inputs: Inputs, error: ErrorContext) -> list[str]:
    """Return the passed arguments, the likeliest culprits first.

    The order is: arguments that the rejected tensors depend on, arguments named in the lines, all others.
    """
    names = list(inputs.arguments)
    behind = [name for found in error.inputs for name in _arguments_of(found, names)]
    named = [name for step in error.steps for name in names if holds(step.text, name)]
    return list(dict.fromkeys([*behind, *named, *names]))


def _arguments_of(placeholder: str, names: list[str]) -> list[str]:
    """Return the arguments that a placeholder may belong to."""
    return [placeholder] if placeholder in names else [name for name in names if placeholder.startswith(f"{name}_")]


def holds(text: str, name: str) -> bool:
    """Whether a text contains a name as a whole word."""
    return re.search(rf"\b{name}\b", text) is not None
