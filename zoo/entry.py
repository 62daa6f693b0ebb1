"""What an entry of the zoo is."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from zoo.operators import define_torchvision_operators

for _variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DIFFUSERS_OFFLINE"):
    os.environ[_variable] = "1"  # nothing is ever downloaded
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


@dataclass(frozen=True)
class Example:
    """The inputs of one forward call."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def given(*args: Any, **kwargs: Any) -> Example:
    """The inputs as they would be written in a call.

    >>> given(1, mask=2)
    Example(args=(1,), kwargs={'mask': 2})
    """
    return Example(args, kwargs)


@dataclass(frozen=True)
class Entry:
    """A model of the zoo and what is to be said of it.

    Attributes:
        name: how tests are called; of published models ``family/model``.
        factory: makes the model; the same one each time.
        inputs: makes the inputs of forward.
        library: the distribution that the model is from, "" for our own.
        captured_by: what `ModelGraph.captured_by` must be.
        notes: regular expressions; for each there must be a note that it is found in.
        flops: a number derived by hand, where `FlopCounterMode` has a hole; "counter" where it is right;
            "unknown" where no number can be stood behind.
        lower_bound: whether `flops` is a lower bound, because a part has an unknown cost.
        unread: how many parameters forward never reads.
        packed: whether it holds weights that ``parameters()`` does not list.
        real: a published model, built on the meta device.
        train: whether it is meant to be looked at in train mode.
    """

    name: str
    factory: Callable[[], nn.Module]
    inputs: Callable[[], Example]
    library: str = ""
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
        define_torchvision_operators()
        torch.manual_seed(0)
        return self.factory().train(self.train)

    def example(self) -> Example:
        """New inputs, the same values each time."""
        torch.manual_seed(1)
        return self.inputs()

    @property
    def has_dataflow(self) -> bool:
        return self.captured_by != "modules"

    @property
    def family(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]

    def definition(self) -> str:
        """Text that changes when the entry does."""
        return f"{self.name} {definition(self.factory)} {definition(self.inputs)}"


def definition(value: Any) -> str:
    """What a value is, as text without addresses: partials by their parts, functions by their source.

    >>> definition(partial(dict, a=(1, 2)))
    "partial(builtins.dict, , a=['1', '2'])"
    """
    if isinstance(value, partial):
        arguments = ", ".join(map(definition, value.args))
        keywords = ", ".join(f"{name}={definition(item)}" for name, item in value.keywords.items())
        return f"partial({definition(value.func)}, {arguments}, {keywords})"
    if isinstance(value, Mapping):
        return str({name: definition(item) for name, item in value.items()})
    if isinstance(value, (list, tuple)):
        return str([definition(item) for item in value])
    if inspect.isfunction(value) and value.__module__.startswith("zoo"):
        return inspect.getsource(value) + str([definition(cell.cell_contents) for cell in value.__closure__ or ()])
    if isinstance(value, type) or callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)
