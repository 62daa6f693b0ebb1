"""Finds the row of `ARGUMENTS` for each argument of a model, and adds the shapes that its first reader accepts."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from fxsummary.capture.inputs.example import forward_signature, required
from fxsummary.capture.inputs.guess.guesses import ANY_SIZE, ARGUMENTS, CHANNEL_WORDS, ENDINGS, IDS, NEEDS, UNKNOWN
from fxsummary.capture.inputs.guess.requirements import Need, field_needs, first_layer, first_needs
from fxsummary.capture.inputs.guess.rows import ALWAYS, Argument, options
from fxsummary.capture.inputs.guess.sizes import Settings, Sizes, dims_of
from fxsummary.capture.results import Trace


class ArgumentRows:
    """Rows for the arguments of one model.

    Attributes:
        needs: the need of each argument's first reader, by argument name.
        required: names of the arguments without a default.

    Args:
        partial: the trace of forward without inputs, as far as it got.
        by_name: whether to use argument names; if not, only the first readers decide what to pass.
    """

    def __init__(self, model: nn.Module, settings: Settings, partial: Trace | None, by_name: bool) -> None:
        self._by_name = by_name
        self._model = model
        self._settings = settings
        self._signature = forward_signature(model).parameters
        self.required = frozenset(required(model))
        self.needs = first_needs(model, partial) if partial is not None else {}
        self._fields = field_needs(model, partial) if partial is not None else {}

    def row(self, name: str, required: bool) -> Argument | None:
        """Return the row of an argument; None if it is unknown."""
        if not self._by_name:
            return self._with_need(None, self.needs.get(name)) if required else None
        row = row_for(name)
        if row is not None:
            first = [shapes for key, shapes in row.first.items() if self._has(key)]
            row = self._with_known_sizes(row.with_options(*options("|".join([*first, row.shapes]))), required)
        if not required:
            return row
        if name in self._fields:
            return Argument(fields={key: self._with_need(row_for(key), n) for key, n in self._fields[name].items()})
        need = self.needs.get(name)
        annotation = self._signature[name].annotation
        is_open = need is None and name != next(iter(self._signature))
        if row is None and (is_open or "list[" in str(annotation)):
            return _by_annotation(annotation)
        return self._with_need(row, need)

    def _has(self, name: str) -> bool:
        """Whether forward has an argument, or the model a setting, with this name."""
        return name in self._signature or any(self._settings.all(name))

    def _with_known_sizes(self, row: Argument, required: bool) -> Argument | None:
        """Keep the shapes with known sizes; if there are none and the argument is required, use `ANY_SIZE`."""
        sizes = Sizes(self._settings)
        known = tuple(filter(sizes.is_known, row.options))
        if not known and required:
            words = [[word if sizes.is_known(word) else ANY_SIZE for word in shape.split()] for shape in row.options]
            known = tuple([" ".join(each) for each in words])
        return row.with_options(*known) if known or not row.shapes else None

    def _with_need(self, row: Argument | None, need: Need | None) -> Argument:
        """Move the shapes that fit the first reader to the front."""
        if row is None:
            row, need = Argument(), need or first_layer(self._model)
        if need is None:
            return row
        if need.kind == "ids":
            return replace(row, dtype="int", shapes=row.shapes or IDS)
        size, sizes = str(need.size), Sizes(self._settings)
        if need.dims:
            shapes = [
                " ".join(size if word in CHANNEL_WORDS and _suits(each, need, sizes) else word for word in each.split())
                for each in row.options
            ]
        else:
            shapes = [*[_with_features(each, size) for each in row.options], *row.options]
        shapes.sort(key=lambda shape: not _suits(shape, need, sizes))
        own = [shape.replace("size", size) for shape in options(NEEDS[need.kind])]
        return row.with_options(*shapes, "1 pictured" if need.kind in ("features", "image2") else "", *own)

    def passed(self) -> dict[str, Argument]:
        """Return the rows of the arguments that forward requires, and of the optional ones that are usually passed."""
        found = {}
        for name, parameter in self._signature.items():
            is_named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            row = self.row(name, name in self.required) if is_named else None
            is_usual = row is not None and (row.when == ALWAYS or any(map(self._has, options(row.when))))
            if row is not None and (is_usual or name in self.required):
                found[name] = row
        return found


def row_for(name: str) -> Argument | None:
    """Return the row for a name or its ending; None if there is none."""
    found = (row for ending, row in ENDINGS.items() if name.endswith(ending))
    return ARGUMENTS[name] if name in ARGUMENTS else next(found, None)


def _by_annotation(annotation: object) -> Argument:
    """Make a row from an annotation, for a name that is not in the tables."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    is_list = "list" in text.lower()
    if "int" in text and "Tensor" not in text:
        return Argument(value="[1]" if is_list else "1", dtype="plain")
    dtype = "int" if "LongTensor" in text or "IntTensor" in text else "bool" if "BoolTensor" in text else "float"
    return Argument(dtype=dtype).with_options(*[f"[{each}]" if is_list else each for each in options(UNKNOWN)])


def _suits(shape: str, need: Need, sizes: Sizes) -> bool:
    words = shape.strip("[]").split()
    if need.dims:
        return sum(map(dims_of, words)) == need.dims + 2
    return bool(words) and sizes.is_known(words[-1]) and sizes.shape(words[-1])[-1] == need.size


def _with_features(shape: str, size: str) -> str:
    """Set the last dimension to this size; return "" if it is spatial."""
    *words, last = shape.split()
    return "" if dims_of(last) > 1 or not words else " ".join([*words, size])
