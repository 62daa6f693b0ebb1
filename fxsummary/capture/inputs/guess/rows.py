"""The kinds of rows in the tables of `fxsummary.capture.inputs.guess.guesses`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

ALWAYS = "always"
"""Pass an argument whenever the part of the input that it belongs to is passed."""


@lru_cache(4096)
def options(text: str) -> tuple[str, ...]:
    """Split alternatives, such as ``"1 text | text"``."""
    return tuple(filter(None, map(str.strip, text.split("|"))))


@dataclass(frozen=True)
class Argument:
    """What to pass for an argument of forward.

    Attributes:
        shapes: alternatives in words of `SIZES`, the likeliest first; in brackets for a list of one tensor.
        dtype: "float" (the dtype of the model), "int", "bool", or "plain" for a value that is not a tensor.
        part: part of the input that it belongs to; a model that takes several parts can do without some of them.
        when: names, one must be a setting of the model or another argument of forward; if none is, the argument
            keeps its default. An argument without a default is always passed.
        first: shapes that come first if the model has a setting or an argument of that name.
        value: the value itself, as a Python expression over the words of `SIZES`.
        fields: rows for the keys of a dict of tensors, or for the places of a tuple.
    """

    shapes: str = ""
    dtype: str = "float"
    part: str = ""
    when: str = ""
    first: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    fields: Mapping[str, Argument] | tuple[Argument, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The shapes to try."""
        return options(self.shapes)

    def with_options(self, *shapes: str) -> Argument:
        """Return the row with other shapes, each once."""
        return replace(self, shapes=" | ".join(dict.fromkeys(filter(None, shapes))))


@dataclass(frozen=True)
class Size:
    """Where to find the size for a word.

    Attributes:
        names: settings that hold it; two names in one alternative for height and width.
        inside: attributes of modules inside the model that hold it, which come next.
        usual: sizes to try after those.
        part: the part of the model whose config is searched first.
        limits: settings that bound the usual sizes.
        dims: number of dimensions; one number is the size of each.
        default: the size if no setting holds it, when there is nothing to try.
        take: "length" or "max" for settings that are lists and whose length or maximum is the size.
    """

    names: str = ""
    usual: tuple[int | tuple[int, ...], ...] = ()
    part: str = ""
    limits: str = ""
    dims: int = 1
    inside: str = ""
    default: int | None = None
    take: str = ""
