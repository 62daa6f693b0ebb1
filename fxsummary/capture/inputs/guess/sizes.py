"""Looks up the words of `SIZES` in a model's settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

from torch import nn

from fxsummary.capture.inputs.guess import guesses
from fxsummary.capture.inputs.guess.guesses import DIMENSIONS, PARTS, SIZES
from fxsummary.capture.inputs.guess.rows import Size, options
from fxsummary.capture.module_index import modules_of
from fxsummary.errors import UnknownNameError

Shape = tuple[int, ...]


# --- settings --------------------------------------------------------------------------------------


class Settings:
    """Attributes of a model, its config and nested configs, by name.

    Attributes:
        modules: the attributes of each module inside the model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._holders = list(_holders(model))
        self._ranked: dict[str, list[Any]] = {}
        self.modules = [vars(module) for module in modules_of(model)]

    def all(self, names: str, part: str = "") -> Iterator[Any]:
        """Yield the values of alternative settings, starting with the configs of this part of the model."""
        if part not in self._ranked:
            self._ranked[part] = [holder for _, holder in sorted(self._holders, key=lambda held: _rank(held[0], part))]
        for holder in self._ranked[part]:
            for name in options(names):
                values = [_attribute(holder, each) for each in name.split()]
                if None not in values:
                    yield values[0] if len(values) == 1 else values

    def first(self, names: str, part: str = "") -> Any:
        """Return the first value that is set, or None."""
        return next(self.all(names, part), None)


def _rank(path: str, part: str) -> int:
    if any(word in path for word in PARTS.get(part, ())):
        return 0
    if not path:
        return 1
    return 3 if any(word in path for words in PARTS.values() for word in words) else 2


def _holders(model: nn.Module) -> Iterator[tuple[str, Any]]:
    config = getattr(model, "config", None)
    if config is not None and not isinstance(config, nn.Module):
        yield from _configs("", config)
    yield "", model
    for name in ("default_cfg", "pretrained_cfg"):
        if getattr(model, name, None) is not None:
            yield "", getattr(model, name)


def _configs(path: str, config: object, depth: int = 0) -> Iterator[tuple[str, Any]]:
    yield path, config
    items = config if isinstance(config, Mapping) else getattr(config, "__dict__", {})
    for name, value in list(items.items()) if depth < 3 else ():
        is_config = isinstance(value, Mapping) or hasattr(value, "to_dict")
        if is_config and isinstance(name, str) and name.endswith(("config", "cfg")):
            yield from _configs(f"{path}.{name}", value, depth + 1)


def _attribute(holder: object, name: str) -> Any:
    if isinstance(holder, nn.Module) and name not in vars(holder) and not hasattr(type(holder), name):
        return None  # the class may look it up in its config (a separate holder) with a warning
    try:
        return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    except Exception:  # raised by a property of the user's class
        return None


# --- sizes -----------------------------------------------------------------------------------------


def found_sizes(row: Size, settings: Settings) -> list[Shape]:
    """Return the possible sizes for a row of `SIZES`, the likeliest first."""
    values = [*settings.all(row.names, row.part)]
    for name in options(row.inside):
        values += [each[name] for each in settings.modules if name in each]
    if row.take:
        lists = [value for value in values if isinstance(value, (tuple, list))]
        values = [len(value) if row.take == "length" else max(value, default=None) for value in lists]
    found = [size for size in [_size(value, row.dims) for value in values] if size is not None]
    if row.default is not None:
        return [*found, (row.default,)][:1]
    limits = [settings.first(name, row.part) for name in options(row.limits)]
    limit = min((each for each in limits if type(each) is int and each > 0), default=None)
    usual = [each if isinstance(each, tuple) else (min(each, limit or each),) * row.dims for each in row.usual]
    return list(dict.fromkeys([*found, *usual]))


def _size(value: Any, dims: int) -> Shape | None:
    """Read the value of a setting as sizes; None if it is not a size."""
    if isinstance(value, Mapping):
        value = [value[key] for key in ("height", "width") if key in value] or list(value.values())[:1]
    if isinstance(value, (tuple, list)) and len(value) >= dims:
        value = tuple(value[-dims:])
    elif type(value) is int and dims < 3:
        value = (value,) * dims
    good = isinstance(value, tuple) and len(value) == dims and all(type(v) is int and 0 < v < 2**20 for v in value)
    return value if good else None


class Sizes:
    """One size for each word.

    Args:
        choices: sizes to use for some words; the others get the likeliest.
    """

    def __init__(self, settings: Settings, choices: Mapping[str, Shape] | None = None) -> None:
        self._settings = settings
        self._choices = choices or {}

    def __getitem__(self, word: str) -> Shape:
        """Return the sizes of a word, or raise KeyError if they are unknown."""
        if word.isdigit():
            return (int(word),)
        if word in self._choices:
            return self._choices[word]
        row = SIZES.get(word)
        if row is None:
            raise UnknownNameError(f"a shape contains the word {word!r}, which is not in {guesses.__name__}.SIZES")
        if isinstance(row, Size):
            sizes = found_sizes(row, self._settings)
            if not sizes:
                raise KeyError(word)
            return sizes[0]
        value = self.value(row)
        return tuple(value) if isinstance(value, list) else (value,)

    def value(self, expression: str) -> Any:
        """Compute an expression of the tables, or raise KeyError if one of its sizes is unknown."""
        code = _compiled(expression)
        sizes = {name: self[name] for name in code.co_names if name in SIZES}
        numbers = {name: size[0] if len(size) == 1 else size for name, size in sizes.items()}
        return eval(code, {"__builtins__": {}, "max": max, "range": range}, numbers)

    def shape(self, words: str) -> Shape:
        """Return a shape as numbers, or raise KeyError if one of its sizes is unknown."""
        return tuple([size for word in words.strip("[]").split() for size in self[word]])

    def is_known(self, words: str) -> bool:
        """Whether the size of each word of a shape is known."""
        try:
            self.shape(words)
        except KeyError:
            return False
        return True

    def dimension(self, name: str, likely: Collection[str]) -> int:
        """Return the size of a dimension from a variable name; 1 if it is unknown.

        Args:
            likely: words in the shapes that the tensor may have.
        """
        if name.isdigit():
            return int(name)
        found = next((words for pattern, words in DIMENSIONS if re.search(pattern, name.lower())), "")
        for word in sorted(options(found), key=lambda word: word.partition("[")[0] not in likely):
            if self.is_known(word.partition("[")[0]):
                return int(self.value(word))
        return 1


@lru_cache(1024)
def _compiled(expression: str) -> CodeType:
    return compile(expression, "<guesses>", "eval")


def words_of(shape: str) -> Iterator[str]:
    """Yield the words of a shape that are looked up in settings; computed words are replaced by their words."""
    for word in shape.strip("[]").split():
        row = SIZES.get(word)
        if isinstance(row, str):
            for name in _compiled(row).co_names:
                yield from words_of(name)
        elif row is not None:
            yield word


def dims_of(word: str) -> int:
    """Return the number of dimensions of a word."""
    row = SIZES.get(word)
    return row.dims if isinstance(row, Size) else 1
