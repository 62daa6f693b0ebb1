"""Row types of the tables in `fxsummary.capture.inputs.guess.guesses`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

ALWAYS = "always"
"""Pass an argument whenever its part of the input is passed."""


@lru_cache(4096)
def options(text: str) -> tuple[str, ...]:
    """Split alternatives, such as ``"1 text | text"``."""
    return tuple(filter(None, map(str.strip, text.split("|"))))


@dataclass(frozen=True)
class Argument:
    """The shapes, dtype or value to pass for an argument of forward.

    Attributes:
        shapes: alternatives in words of `SIZES`, the likeliest first; in brackets for a list of one tensor.
        dtype: "float" (the dtype of the model), "int", "bool", or "plain" for a value that is not a tensor.
        part: the part of the input that the argument belongs to; a model with several parts may not need all of them.
        when: names of settings or arguments; if the model has none of them, the argument keeps its default. An
            argument without a default is always passed.
        first: shapes to try first if the model has a setting or an argument with that name.
        value: the value, as a Python expression over the words of `SIZES`.
        fields: rows for the keys of a dict of tensors, or for the items of a tuple.
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
    """The places to look for the size of a word.

    Attributes:
        names: settings with the size; two names in one alternative mean height and width.
        inside: attributes of submodules with the size; these come next.
        usual: sizes to try after those.
        part: the part of the model whose config is searched first.
        limits: settings that bound the usual sizes.
        dims: number of dimensions; a single number is the size of each.
        default: the only size to use if no setting has one.
        take: "length" or "max" if the size is the length or maximum of a setting that is a list.
    """

    names: str = ""
    usual: tuple[int | tuple[int, ...], ...] = ()
    part: str = ""
    limits: str = ""
    dims: int = 1
    inside: str = ""
    default: int | None = None
    take: str = ""
