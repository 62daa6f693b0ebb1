"""Symbols of operations and blocks: numbers that only those with equal contents share."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from itertools import zip_longest
from operator import itemgetter
from typing import Any

from fxsummary.graph.attributes import NODE, NodeData
from fxsummary.graph.labels import is_drop
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import of_each_copy
from fxsummary.graph.spec import TensorSpec, map_structure

RATES = ("config", "arguments")
"""Drop rates do not count, because blocks that differ only in them have the same architecture."""
FIRST_READ = ("parameters", "trainable_parameters", "parameter_bytes", "parameter_dtypes", "buffers", "buffer_bytes")
"""Costs of the tensors that an operation is the first to read; all tensors that it reads count instead."""

DIGITS = re.compile(r"\d+")
NUMBER = re.compile(r"(?<![\w.])-?\d{1,18}(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")
_settings = itemgetter(*RATES)
_others = itemgetter(*[name for name in NODE.folding if NODE[name].always and name not in (*RATES, "outputs")])

Known = tuple[int, tuple[float, ...]]
"""The symbol of an operation and the numbers that it leaves out."""


class Symbols:
    """The symbols of a graph.

    Numbers of operations without FLOPs are left out, because they may count up or change from copy to copy. The symbol
    `similar` to one also leaves out all sizes.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self._graph = graph
        self._numbers: dict[Hashable, int] = {}
        self._operations: dict[Hashable, Known] = {}
        self._contents: dict[int, NodeData | tuple[Hashable, ...]] = {}
        self._similar: dict[int, int] = {}
        self._tensors = {
            each.name: (each.spec and (each.spec.shape, each.spec.dtype), each.trainable)
            for module in graph.modules.values()
            for each in module.parameters
        }

    def intern(self, value: Hashable) -> int:
        """Return a number that only equal values share."""
        return self._numbers.setdefault(value, len(self._numbers))

    # --- operations ------------------------------------------------------------------------------

    def of_operation(self, key: str, data: NodeData) -> Known:
        """Return the symbol of an operation and the numbers that it leaves out; the same object if all is equal."""
        if data["op"] in ("placeholder", "output"):
            return self.intern((key, "is one of a kind")), ()
        outputs = data["outputs"]
        result = outputs if isinstance(outputs, TensorSpec) else id(outputs)
        found: Hashable = result, data["label"], _settings(data), _others(data), self._read(data)
        if "change" in data or "each_copy" in data or NODE.added:
            found = key
        known = self._operations.get(found)
        if known is None:
            known = self._operations[found] = self._symbol(data)
            self._contents.setdefault(known[0], data)
        return known

    def _read(self, data: NodeData) -> tuple[Hashable, ...]:
        """Return shape and dtype of the parameters and buffers that an operation reads."""
        return tuple([self._tensors.get(name) for name in data["reads"]]) if data["reads"] else ()

    def _symbol(self, data: NodeData) -> Known:
        ignored = () if "change" in data or not data["reads"] else FIRST_READ
        each_copy = {
            name: _of_one_run(values) for name, values in data.get("each_copy", {}).items() if name not in ignored
        }
        settings = (
            [] if is_drop(data["label"]) else [each_copy.pop(name, of_each_copy(data, name)[:1]) for name in RATES]
        )
        numbers: list[float] = []
        if data["op"] in ("call_function", "call_method") and data["flops"] == 0:
            numbers = [number for each in zip_longest(*settings, fillvalue="") for number in numbers_of(*each)]
            settings = [(NUMBER.sub("#", texts[0]),) for texts in settings]
        alike = [*identity_of(data, (*ignored, *RATES, "each_copy", "multiplicity")), *settings, *each_copy.items()]
        if "change" in data:
            kept = [each for each in data["differences"] if each.attribute not in RATES or not is_drop(data["label"])]
            alike += [data["change"], *map(hashable, kept)]
        return self.intern((*alike, self._read(data))), tuple(numbers)

    def are_numbered(self, one: str, other: str) -> bool:
        """Return whether two operations are inputs of the model whose names differ in numbers only."""
        nodes = [self._graph.data(key) for key in (one, other)]
        if any(data["op"] != "placeholder" for data in nodes):
            return False
        names = {(DIGITS.sub("#", data["target"]), hashable(data["outputs"])) for data in nodes}
        return len(names) == 1

    # --- blocks ----------------------------------------------------------------------------------

    def of_block(self, contents: tuple[Hashable, ...]) -> int:
        """Return the symbol of a block: class, result, then for each item its symbol and where it reads from."""
        symbol = self.intern(contents)
        self._contents[symbol] = contents
        return symbol

    def of_run(self, symbol: int, copies: int) -> int:
        """Return the symbol of several copies of an operation or a block; the graph has the first one."""
        return self.of_block(("run", copies, symbol, ())) if copies > 1 else symbol

    # --- structure -------------------------------------------------------------------------------

    def similar(self, symbol: int) -> int:
        """Return a number that only symbols of the same structure share: equal but for sizes."""
        pending = [symbol] if symbol not in self._similar else []
        while pending:
            contents = self._contents.get(pending[-1])
            inner = contents[2::2] if isinstance(contents, tuple) else ()
            unknown = [each for each in inner if isinstance(each, int) and each not in self._similar]
            if unknown:
                pending += unknown
            else:
                last = pending.pop()
                self._similar[last] = last if contents is None else self.intern(self._structure(contents))
        return self._similar[symbol]

    def _structure(self, contents: NodeData | tuple[Hashable, ...]) -> Hashable:
        if isinstance(contents, tuple):
            type_, result, *items = contents
            inside = [self._similar[each] if isinstance(each, int) else each for each in items]
            return "similar", type_, _ranks(result), tuple(inside)
        texts = [of_each_copy(contents, name)[0] for name in RATES if not is_drop(contents["label"])]
        settings = [NUMBER.sub("#", text) for text in texts]
        kept = [contents.get(name) for name in ("op", "label", "packed", "trust", "assumed", "change", "ghost")]
        flops = contents["flops"] and "some"
        at_least = hashable(contents.get("at_least"))
        return ("similar", *settings, *kept, flops, at_least, _ranks(self._read(contents)), _ranks(contents["outputs"]))


def numbers_in(text: str) -> list[float]:
    """Return the integers and the floats in settings.

    >>> numbers_in("%, 3, -0.5, eps=1e-05, conv2")
    [3, -0.5, 1e-05]
    """
    return [float(number) if {*number} & {*".e"} else int(number) for number in NUMBER.findall(text)]


def numbers_of(config: str, arguments: str) -> list[float]:
    """Return the numbers in the settings of an operation; a configuration writes floats without a fraction.

    >>> numbers_of("2", "2.0, %"), numbers_of("4 × 8", "%, 1, 32, 4, 8")
    ([2.0, 2.0], [4, 8, 1, 32, 4, 8])
    """
    given = numbers_in(arguments)
    floats = {number for number in given if isinstance(number, float)} - {*filter(_is_int, given)}
    return [*(float(number) if number in floats else number for number in numbers_in(config)), *given]


def _is_int(number: float) -> bool:
    return isinstance(number, int)


def _of_one_run(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values without their repetitions, which come from runs around.

    >>> _of_one_run((0, 1, 0, 1)), _of_one_run((0, 1, 0))
    ((0, 1), (0, 1, 0))
    """
    found = [hashable(value) for value in values]
    lengths = (length for length in range(1, len(found) + 1) if len(found) % length == 0)
    return tuple(next(found[:length] for length in lengths if found[:length] * (len(found) // length) == found))


def _ranks(value: object) -> Hashable:
    """Return a structure with rank and dtype in place of specs, ranks of shapes, and no integers."""

    def rank(each: object) -> object:
        if isinstance(each, TensorSpec):
            return len(each.shape), each.dtype
        return "#" if type(each) is int else each

    return hashable(map_structure(rank, value))


def identity_of(data: NodeData, ignored: Sequence[str] = ()) -> tuple[Hashable, ...]:
    """Return what identical operations share, except inputs, drop rates, strides, devices and ``ignored``."""
    ignored = (*ignored, *RATES) if is_drop(data["label"]) else ignored
    return tuple([hashable(data.get(name)) for name in NODE.folding if name not in ignored])


def hashable(value: object) -> Hashable:
    """Return a value with lists and dicts as tuples, and specs without strides and devices."""
    if isinstance(value, TensorSpec):
        return value.shape, value.dtype
    if isinstance(value, (list, tuple)):
        return tuple([hashable(item) for item in value])
    if isinstance(value, dict):
        return tuple([(key, hashable(item)) for key, item in value.items()])
    return value if isinstance(value, Hashable) else repr(value)
