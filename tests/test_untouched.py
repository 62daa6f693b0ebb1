"""Places where a forward keeps a tensor: each holds afterwards what it held before."""

from __future__ import annotations

import functools
import random
import threading
import weakref
from array import array
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from io import StringIO
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
import untouched
from torch import nn

import fxsummary
import zoo.keeping
from fxsummary.errors import ForwardError

X = torch.ones(2, 3)
every_way = pytest.mark.parametrize("trace", ["auto", "record"])


class Keeps(nn.Module):
    """A linear layer whose output `keep` puts somewhere."""

    def __init__(self, keep: Callable[[Any, torch.Tensor], Any], place: Any = None) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.place = place
        self.keep = keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fc(x)
        self.keep(self, y)
        return y * 2


class Plain:
    kept: Any = None


class Slotted:
    __slots__ = ("kept", "other")

    def __init__(self) -> None:
        self.other = 1


@dataclass
class Data:
    kept: Any = None


class Dict(dict):  # type: ignore[type-arg]
    pass


class WithProperty:
    def __init__(self) -> None:
        self._kept = [None]

    @property
    def kept(self) -> Any:
        return self._kept[0]

    @kept.setter
    def kept(self, value: Any) -> None:
        self._kept[0] = value


def set_kept(self: Any, y: torch.Tensor) -> None:
    self.place.kept = y


def set_item(self: Any, y: torch.Tensor) -> None:
    self.place["kept"] = y


def append(self: Any, y: torch.Tensor) -> None:
    self.place.append(y)


def keep_in_default(self: Any, y: torch.Tensor, kept: list[Any] = []) -> None:  # noqa: B006 (that is the point)
    kept.append(y)


def keep_on_function(self: Any, y: torch.Tensor) -> None:
    keep_on_function.kept = y  # type: ignore[attr-defined]


INSIDE: dict[str, Callable[[], Keeps]] = {
    "object": lambda: Keeps(set_kept, Plain()),
    "slots": lambda: Keeps(set_kept, Slotted()),
    "dataclass": lambda: Keeps(set_kept, Data()),
    "property": lambda: Keeps(set_kept, WithProperty()),
    "namespace": lambda: Keeps(set_kept, SimpleNamespace()),
    "thread local": lambda: Keeps(set_kept, threading.local()),
    "dict": lambda: Keeps(set_item, {}),
    "dict subclass": lambda: Keeps(set_item, Dict(other=1)),
    "ordered dict": lambda: Keeps(set_item, OrderedDict()),
    "nested dict": lambda: Keeps(lambda self, y: self.place["a"]["b"].update(kept=y), {"a": {"b": {}}}),
    "default dict": lambda: Keeps(lambda self, y: self.place["new"].append(y), defaultdict(list)),
    "weak keys": lambda: Keeps(lambda self, y: self.place.update({self.fc: y}), weakref.WeakKeyDictionary()),
    "list": lambda: Keeps(append, []),
    "list in a list": lambda: Keeps(lambda self, y: self.place[0].__setitem__(0, y), [[None]]),
    "list in a tuple": lambda: Keeps(lambda self, y: self.place[0].append(y), ([],)),
    "deque": lambda: Keeps(append, deque([1], maxlen=1)),
    "set": lambda: Keeps(lambda self, y: self.place.add(y), set()),
    "module in a list": lambda: Keeps(lambda self, y: setattr(self.place[0], "kept", y), [nn.Linear(2, 2)]),
    "parameter": lambda: Keeps(lambda self, y: setattr(self.fc.weight, "kept", y)),
    "class": lambda: Keeps(lambda self, y: setattr(type(self), "kept", y)),
    "class of an object": lambda: Keeps(lambda self, y: setattr(type(self.place), "kept", y), Plain()),
    "default of a function": lambda: Keeps(keep_in_default),
    "function": lambda: Keeps(keep_on_function),
    "partial": lambda: Keeps(functools.partial(lambda kept, self, y: kept.append(y), [])),
    "bound method": lambda: Keeps(lambda self, y: self.place(y), [].append),
}
"""Places that can be reached from the model."""


@every_way
@pytest.mark.parametrize("place", INSIDE)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_a_model_holds_is_as_it_was(place: str, trace: str, device: str) -> None:
    model = INSIDE[place]()
    before = untouched.of_model(model)
    with untouched.left_behind() as left:
        graph, again = (fxsummary.graph(model, X.to(device), trace=trace) for _ in range(2))
    assert left == []
    assert untouched.differences(before, untouched.of_model(model)) == []
    assert graph.totals.flops == 36
    assert list(graph.nodes(data=True)) == list(again.nodes(data=True))
    assert model(X).isfinite().all()


def counted(array: Any) -> float:
    array[0] += 1
    return float(array[0])


STATES: dict[str, tuple[Callable[[], Any], Callable[[Any], float]]] = {
    "array of numpy": (lambda: numpy.zeros((2, 3)).reshape(6), counted),
    "generator of numpy": (lambda: numpy.random.default_rng(0), lambda place: float(place.random())),
    "random state of numpy": (lambda: numpy.random.RandomState(0), lambda place: float(place.rand())),
    "generator of torch": (
        lambda: torch.Generator().manual_seed(3), lambda place: torch.rand((), generator=place).item()
    ),
    "generator of Python": (lambda: random.Random(0), lambda place: place.random()),
    "bytes": (lambda: bytearray(2), counted),
    "array": (lambda: array("i", [0]), counted),
    "buffer": (lambda: StringIO("a"), lambda place: float(place.write("bc") + len(place.getvalue()))),
    "iterator of a list": (lambda: iter([1, 2, 3]), lambda place: float(next(place))),
    "iterator of a range": (lambda: iter(range(1, 9)), lambda place: float(next(place))),
}  # fmt: skip
"""Objects with a state, and a step that changes it."""


@every_way
@pytest.mark.parametrize("name", STATES)
def test_states_are_as_they_were(name: str, trace: str) -> None:
    make, step = STATES[name]
    model = Keeps(lambda self, y: setattr(self, "scale", step(self.place[0])), [make()])
    graph, again = (fxsummary.graph(model, X, trace=trace) for _ in range(2))
    assert graph.to_json() == again.to_json()
    assert step(model.place[0]) == step(make())


GLOBAL: dict[str, Any] = {"other": 1}
NAME: Any = None
OBJECT = Plain()
VARIABLE: ContextVar[Any] = ContextVar("VARIABLE", default=None)


def rebind(self: Any, y: torch.Tensor) -> None:
    global NAME
    NAME = y


def in_closure() -> Keeps:
    kept, items = None, []

    def keep(self: Any, y: torch.Tensor) -> Any:
        nonlocal kept
        items.append(kept)
        kept = y
        return kept

    return Keeps(keep)


@functools.lru_cache
def doubled(y: torch.Tensor) -> torch.Tensor:
    return y * 2


@functools.lru_cache
def positions(length: int) -> torch.Tensor:
    return torch.arange(length) * 1.0


OUTSIDE: dict[str, Callable[[], Keeps]] = {
    "global dict": lambda: Keeps(lambda self, y: GLOBAL.update(kept={"nested": [y]})),
    "global name": lambda: Keeps(rebind),
    "global object": lambda: Keeps(lambda self, y: setattr(OBJECT, "kept", y)),
    "class named in code": lambda: Keeps(lambda self, y: setattr(Data, "kept", y)),
    "closure": in_closure,
    "context variable": lambda: Keeps(lambda self, y: VARIABLE.set(y)),
    "cache by tensor": lambda: Keeps(lambda self, y: doubled(y)),
    "cache by length": lambda: Keeps(lambda self, y: positions(y.shape[-1])),
    "another module": lambda: Keeps(lambda self, y: zoo.keeping.append(y)),
    "name in another module": lambda: Keeps(lambda self, y: zoo.keeping.rebind(y)),
}
"""Places that the model's code reaches, but not the model."""


def outside() -> Any:
    kept = zoo.keeping
    return dict(GLOBAL), NAME, OBJECT.kept, Data.kept, VARIABLE.get(), list(kept.LIST), kept.NAME


@every_way
@pytest.mark.parametrize("place", OUTSIDE)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_no_proxy_and_no_meta_tensor_stays_outside_of_the_model(place: str, trace: str, device: str) -> None:
    model, before = OUTSIDE[place](), outside()
    with untouched.left_behind() as left:
        graph, again = (fxsummary.graph(model, X.to(device), trace=trace) for _ in range(2))
    assert left == []
    assert outside() == before
    assert graph.totals.flops == 36
    assert list(graph.nodes(data=True)) == list(again.nodes(data=True))
    assert graph.notes == ()
    doubled.cache_clear()
    assert model(X).isfinite().all() and torch.equal(positions(3), torch.arange(3) * 1.0)
    GLOBAL.pop("kept", None)
    zoo.keeping.forget()
    globals().update(NAME=None)
    OBJECT.kept = Data.kept = None


def keep_everywhere_then(error: type[BaseException]) -> Keeps:
    def keep(self: Any, y: torch.Tensor) -> None:
        self.place.kept = y
        GLOBAL["kept"] = y
        rebind(self, y)
        doubled(y)
        zoo.keeping.append(y)
        raise error("stop")

    return Keeps(keep, Plain())


@every_way
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_forward_that_raises_leaves_nothing(error: type[BaseException], trace: str) -> None:
    model, outside_before = keep_everywhere_then(error), outside()
    before = untouched.of_model(model)
    with untouched.left_behind() as left:
        try:
            fxsummary.graph(model, X, trace=trace)
        except (ForwardError, KeyboardInterrupt) as raised:
            assert isinstance(raised, KeyboardInterrupt) == (error is KeyboardInterrupt)
        else:
            pytest.fail("it did not raise")
    assert left == []
    assert untouched.differences(before, untouched.of_model(model)) == []
    assert outside() == outside_before


def test_other_changes_to_globals_stay() -> None:
    """Another thread may make them at the same time."""
    GLOBAL["calls"] = 0

    class CountsCalls(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            GLOBAL["calls"] += 1
            return x

    fxsummary.graph(CountsCalls(), X)
    assert GLOBAL.pop("calls") == 1


class Locked(OrderedDict):  # type: ignore[type-arg]
    """A result that does not let go of its items, as those of some libraries."""

    def __delitem__(self, key: Any) -> None:
        raise TypeError("no item can be deleted")


WEAKLY_KEPT: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


@every_way
def test_a_container_that_forbids_deleting_does_not_stand_in_the_way(trace: str) -> None:
    model = Keeps(lambda self, y: WEAKLY_KEPT.update({self.fc: Locked(y=y)}))
    with untouched.left_behind() as left:
        assert fxsummary.graph(model, X.to("meta"), trace=trace).totals.flops == 36
    assert left == []


def test_hooks_leave_nothing_behind() -> None:
    model, shapes = Keeps(lambda self, y: None), []
    model.fc.register_forward_hook(lambda module, args, result: shapes.append(result.shape))
    model.register_forward_hook(lambda module, args, result: GLOBAL.update(hook=result.shape))
    fxsummary.graph(model, X, trace="record")
    assert (shapes, "hook" in GLOBAL) == ([], False)


class Counts(nn.Module):
    """Writes into a tensor of its own that is no buffer, while tracing would run that for real."""

    def __init__(self) -> None:
        super().__init__()
        self.state = SimpleNamespace(calls=torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.state.calls += 1
        made = torch.zeros(3)
        made.add_(1)
        return x + made


@every_way
def test_tensors_in_objects_keep_their_values(trace: str) -> None:
    model = Counts()
    graph = fxsummary.graph(model, X, trace=trace)
    assert model.state.calls.item() == 0
    assert graph.output_spec.shape == (2, 3)
