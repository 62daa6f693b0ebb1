"""What the model's code was doing when it raised: enough to find inputs that fit, and nothing that holds a tensor."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import nn

from fxsummary.spec import TensorSpec


@dataclass(frozen=True)
class Step:
    """A frame of the model's code.

    Attributes:
        text: the source that it was running.
        absent: names of its variables that are None.
    """

    text: str
    absent: frozenset[str]


@dataclass(frozen=True)
class Scene:
    """Where an exception was raised.

    Attributes:
        steps: the frames of the model's code, the innermost first.
        channels: those that the innermost convolution got, and those that it takes; None if they agree.
    """

    steps: tuple[Step, ...] = ()
    channels: tuple[int, int] | None = None


def scene_of(error: BaseException) -> Scene:
    """The scene of an exception that left the model's forward."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    places = traceback.extract_tb(error.__traceback__)
    steps = [
        Step(_text(place), frozenset([name for name, value in frame.f_locals.items() if value is None]))
        for frame, place in zip(frames, places, strict=True)
        if not str(frame.f_globals.get("__name__", "")).startswith(("torch.", "fxsummary."))
    ]
    return Scene(tuple(reversed(steps)), next(_channels(reversed(frames)), None))


def _text(place: traceback.FrameSummary) -> str:
    first = place.lineno or 0
    last = getattr(place, "end_lineno", None) or first  # from Python 3.11 on
    return "".join([linecache.getline(place.filename, line) for line in range(first, last + 1)])


def _channels(frames: Iterator[FrameType]) -> Iterator[tuple[int, int]]:
    for frame in frames:
        held = list(frame.f_locals.values())
        items = [item for value in held for item in (value if isinstance(value, tuple) else (value,))]
        for layer in [value for value in held if isinstance(value, nn.modules.conv._ConvNd)]:
            yield from [
                (shape[1], layer.in_channels)
                for shape in map(_shape, items)
                if len(shape) == len(layer.kernel_size) + 2 and shape[1] != layer.in_channels
            ]


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, (torch.Tensor, TensorSpec)) else ()
