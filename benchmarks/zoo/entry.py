"""What an entry of the zoo is."""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

for _variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DIFFUSERS_OFFLINE"):
    os.environ[_variable] = "1"  # nothing is ever downloaded
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

_libraries: list[torch.library.Library] = []
"""A Library must stay alive for its operators to stay defined."""


def _compiled_part_loads() -> bool:
    spec = importlib.util.find_spec("torchvision")
    libraries = [] if spec is None or spec.origin is None else list(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)


def define_torchvision_operators() -> None:
    """Define the two operators that torchvision wants at import, for wheels whose compiled part does not load."""
    if _libraries or _compiled_part_loads() or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


@dataclass(frozen=True)
class Example:
    """The inputs of one forward call, as real tensors."""

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
    """A model of the zoo.

    Attributes:
        name: ``family/model``, unique.
        factory: makes the model on the CPU.
        inputs: makes the inputs of forward.
        library: the distribution that the model is from, "" for our own.
    """

    name: str
    factory: Callable[[], nn.Module]
    inputs: Callable[[], Example]
    library: str = ""

    @property
    def family(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]

    def model(self) -> nn.Module:
        """A new model in eval mode, with the same weights each time."""
        define_torchvision_operators()
        torch.manual_seed(0)
        return self.factory().eval()

    def example(self) -> Example:
        """New inputs, the same values each time."""
        torch.manual_seed(1)
        return self.inputs()

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
    if inspect.isfunction(value) and value.__module__.startswith("benchmarks"):
        return inspect.getsource(value) + str([definition(cell.cell_contents) for cell in value.__closure__ or ()])
    if isinstance(value, type) or callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)
