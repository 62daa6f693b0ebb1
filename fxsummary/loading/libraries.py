"""Libraries that list their own models: ``timm:resnet50`` names one model, ``timm:resnet*`` many.

What is known of a library is its own public functions: one that lists names, one that makes a model without weights,
and where the model says which input it expects. Register others by an entry point in the group
``fxsummary.libraries``, or with ``LIBRARIES.register(name, Library(...))``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import metadata
from typing import Any

from fxsummary.errors import InputError
from fxsummary.support.registry import Registry, hint

GROUP = "fxsummary.libraries"
"""Group of the entry points; each loads a `Library`, and its name is the prefix of the models."""
_WILD = frozenset("*?[")


def _no_shape(model: Any) -> None:
    return None


@dataclass(frozen=True)
class Library:
    """A library that lists its models.

    Attributes:
        names: returns the names of all models.
        build: makes a model from its name and keyword arguments, without downloading weights.
        input_shape: returns the input shape that a model expects by default; None to infer it.
    """

    names: Callable[[], Iterable[str]]
    build: Callable[..., Any]
    input_shape: Callable[[Any], Sequence[int] | Mapping[str, Sequence[int]] | None] = _no_shape


LIBRARIES: Registry[Library] = Registry("library of models")
"""Libraries by the prefix of their models."""


def _timm_names() -> Sequence[str]:
    import timm

    names: list[str] = timm.list_models()
    return names


def _timm_build(name: str, **arguments: Any) -> Any:
    import timm

    return timm.create_model(name, **{"pretrained": False, **arguments})


def _timm_shape(model: Any) -> Sequence[int] | None:
    size = getattr(model, "pretrained_cfg", {}).get("input_size")
    return (1, *size) if size else None


def _torchvision_names() -> Sequence[str]:
    from torchvision import models

    names: list[str] = models.list_models()
    return names


def _torchvision_build(name: str, **arguments: Any) -> Any:
    from torchvision import models

    options = inspect.signature(models.get_model_builder(name)).parameters
    no_weights = {option: None for option in options if option.startswith("weights")}
    return models.get_model(name, **{**no_weights, **arguments})


LIBRARIES.register("timm", Library(_timm_names, _timm_build, _timm_shape))
LIBRARIES.register("torchvision", Library(_torchvision_names, _torchvision_build))


@cache
def _load_entry_points() -> None:
    for each in metadata.entry_points(group=GROUP):
        LIBRARIES.register(each.name, each.load())


@cache
def names_of(library: Library) -> tuple[str, ...]:
    """Return the names of a library's models in its own order; imports the library."""
    return tuple(library.names())


def library_of(model: str) -> tuple[str, Library] | None:
    """Return the prefix of a model such as ``timm:resnet50`` and the library that it names; None if it names none."""
    _load_entry_points()
    prefix = model.partition(":")[0]
    library = LIBRARIES.get(prefix)
    return None if library is None else (prefix, library)


def provide(prefix: str, library: Library) -> None:
    """Register a library under a prefix, whatever was there: a worker gets the libraries of who sent it work."""
    if LIBRARIES.get(prefix) != library:
        if prefix in LIBRARIES:
            LIBRARIES.unregister(prefix)
        LIBRARIES.register(prefix, library)


def find(model: str) -> tuple[Library, str] | None:
    """Return the library that lists a model such as ``timm:resnet50``, and the name there; None if none does."""
    named, name = library_of(model), model.partition(":")[2]
    return (named[1], name) if named and name in names_of(named[1]) else None


def expand(name: str) -> list[str]:
    """Return the models that a name with wildcards (``*``, ``?``, ``[ab]``) describes; one without names one model.

    Raises:
        InputError: the name has wildcards, but its library does not list its models, or none fits.

    >>> expand("models.py:CNN")
    ['models.py:CNN']
    """
    _load_entry_points()
    prefix, _, pattern = name.partition(":")
    if not _WILD.intersection(pattern):
        return [name]
    if prefix not in LIBRARIES:
        raise InputError(f"{name!r}: {prefix!r} does not list its models. {hint(prefix, LIBRARIES)}Known: "
                         f"{', '.join(LIBRARIES)}. Name each model, or register the library.")  # fmt: skip
    found = [f"{prefix}:{each}" for each in names_of(LIBRARIES[prefix]) if fnmatchcase(each, pattern)]
    if not found:
        raise InputError(f"{name!r}: no model of {prefix} fits this pattern.")
    return found
