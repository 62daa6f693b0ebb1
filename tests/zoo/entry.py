"""What a zoo entry is, and the registry they are kept in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Example:
    """The inputs of one forward call."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def given(*args: Any, **kwargs: Any) -> Example:
    """The inputs as they would be written in a call."""
    return Example(args, kwargs)


@dataclass(frozen=True)
class Entry:
    """A model of the zoo and what is to be said of it.

    Attributes:
        name: how tests are called.
        factory: makes the model; the same one each time.
        inputs: makes the inputs of forward.
        captured_by: what `ModelGraph.captured_by` must be.
        notes: regular expressions; for each there must be a note that it is found in.
        flops: a number derived by hand, where `FlopCounterMode` has a hole; "counter" where it is right;
            "unknown" where no number can be stood behind.
        lower_bound: whether `flops` is a lower bound, because a part has an unknown cost.
        unread: how many parameters forward never reads.
        packed: whether it holds weights of a size that is not known.
        real: a published model, built on the meta device.
        train: whether it is meant to be looked at in train mode.
    """

    name: str
    factory: Callable[[], nn.Module]
    inputs: Callable[[], Example]
    captured_by: str = "symbolic"
    notes: tuple[str, ...] = ()
    flops: int | str = "counter"
    lower_bound: bool = False
    unread: int = 0
    packed: bool = False
    real: bool = False
    train: bool = False

    def model(self) -> nn.Module:
        """A new model with the same weights each time."""
        torch.manual_seed(0)
        return self.factory().train(self.train)

    @property
    def has_dataflow(self) -> bool:
        return self.captured_by != "modules"
