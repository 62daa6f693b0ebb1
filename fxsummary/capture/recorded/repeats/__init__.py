"""Block replay: a module like one whose call was recorded is not run again, its nodes are copied.

Two calls are alike if their modules have the same signature (`signatures`) and their arguments the same key:
literals, specs, which tensors share memory, whether they have nodes yet; and if they are made from the same
line of source with autocast and gradients in the same state. After `RECORDINGS` calls that wrote the same
(`Template.does_as`), further ones are copied; the last module of each signature is recorded again, and where
it then did otherwise, the recording is made anew without replay (`MismatchError`).

Never replayed is what a template cannot tell: modules with hooks or shared submodules, arguments that are
other objects (caches), calls that went by values or by the number of their block (``layer_idx``), that
changed attributes or arguments, drew random numbers in Python, made constants, wrote into tensors that are
not their own, kept a tensor somewhere, or returned memory of their arguments.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations import autocast
from fxsummary.capture.recorded.data_dependence import Demand
from fxsummary.capture.recorded.graph_builder import Writer
from fxsummary.capture.recorded.repeats.copy_block import Copy
from fxsummary.capture.recorded.repeats.read_block import Block, NotRepeatableError
from fxsummary.capture.recorded.repeats.signatures import Signatures
from fxsummary.capture.recorded.repeats.template import Template
from fxsummary.capture.recorded.tensor_origins import Tracked
from fxsummary.capture.structures import ATOMS
from fxsummary.capture.torch_internals import without_torch_function

RECORDINGS = 2
"""How many calls are recorded and must have written the same before others are copied."""

_MAX_KEYS = 8
"""Arguments in more ways than this: the block is left alone."""

_OFTEN = 3
"""A block in one that is being learnt is learnt itself only if there are more of it than this for each of those."""


class MismatchError(BaseException):
    """A block did otherwise than those like it; it passes through the user's ``except Exception``."""


class _NoKeyError(Exception):
    """An argument that cannot be compared."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a module.

    Attributes:
        signature: of the module.
        structure: of the arguments, without what their tensors are.
        key: what it has in common with calls that are like it.
        given: the tensors among the arguments.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    signature: int
    structure: Hashable
    key: Hashable
    given: list[Tracked]


class Replay:
    """Decides which calls of modules are copied.

    Args:
        is_leaf: whether a module, at a path, is one operation.
    """

    def __init__(
        self, model: nn.Module, is_leaf: Callable[[nn.Module, str], bool], writer: Writer, demand: Demand, device: str
    ) -> None:
        self._signatures = Signatures(model, is_leaf)
        self._writer = writer
        self._demand = demand
        self._device = device
        self._templates: dict[Hashable, list[Template]] = {}
        self._refused: set[Hashable] = set()
        self._copied: set[Hashable] = set()
        self._keys: Counter[int] = Counter()
        self._outer = 0

    def call(
        self, module: nn.Module, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[..., Any]
    ) -> Any:
        """What the call of a module returns: copied, or from ``run`` and recorded.

        Raises:
            MismatchError: what was copied before is not what this call does.
        """
        call = self._lookup(module, args, kwargs)
        known = self._templates.get(call.key, []) if call else []
        if call is not None and len(known) >= RECORDINGS and not self._signatures.is_last(module, call.signature):
            for result in self._copy(call, path, known[0]):
                return result
        elif call is not None and self._is_worth_learning(call, known):
            return self._learn_from(call, path, run)
        return run(module, args, kwargs)

    def _lookup(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call | None:
        """What tells the call from others; None where nothing does, or calls like it are not copied."""
        signature = self._signatures.of(module)
        if signature is None or self._signatures.count(signature) < RECORDINGS + 2 or signature in self._refused:
            return None
        given: list[Tracked] = []
        with suppress(_NoKeyError), without_torch_function():  # what is asked here is not part of forward
            structure = self._structure((args, kwargs), given)
            key = signature, structure, self._tensors(given), self._surroundings()
            return None if key in self._refused else _Call(module, args, kwargs, signature, structure, key, given)
        return None

    def _copy(self, call: _Call, path: str, template: Template) -> list[Any]:
        """What the call returns, in a list; nothing where the template does not fit."""
        with without_torch_function():
            copy = Copy(self._writer, template, call.module, path, call.given)
            if not copy.fits():
                return []
            self._copied.add(call.key)
            return [copy.write()]

    def _is_worth_learning(self, call: _Call, known: Sequence[Template]) -> bool:
        count = self._signatures.count(call.signature)
        if len(known) >= RECORDINGS and call.key not in self._copied:
            return False
        if self._outer and count <= _OFTEN * self._outer:
            return False
        if call.key not in self._templates:
            self._keys[call.signature] += 1
            if self._keys[call.signature] > _MAX_KEYS:
                self._refused.add(call.signature)
                return False
        return True

    def _learn_from(self, call: _Call, path: str, run: Callable[..., Any]) -> Any:
        """Run the call, and keep what it wrote as a template."""
        block = Block(self._writer, path, call.given)
        before = self._demand.asked, _random_state()
        outer, self._outer = self._outer, self._signatures.count(call.signature)
        try:
            with self._signatures.watched(call.module) as numbers_read:
                result = [run(call.module, call.args, call.kwargs)]
        finally:
            self._outer = outer
        try:
            if numbers_read or before != (self._demand.asked, _random_state()):
                raise NotRepeatableError("values, or the number of a block")
            with without_torch_function():
                self._check_unchanged(call)
                self._learn(call.key, block.template(result))
        except (NotRepeatableError, _NoKeyError):
            self._refuse(call.key)
        return result[0]

    def _check_unchanged(self, call: _Call) -> None:
        after: list[Tracked] = []
        if self._structure((call.args, call.kwargs), after) != call.structure or after != call.given:
            raise NotRepeatableError("arguments were changed")
        if not self._signatures.is_unchanged(call.module):
            raise NotRepeatableError("attributes were changed")

    def close(self) -> None:
        """The recording is done."""
        self._signatures.close()

    def _learn(self, key: Hashable, template: Template) -> None:
        known = self._templates.setdefault(key, [])
        if known and not known[0].does_as(template):
            self._refuse(key)
        elif len(known) < RECORDINGS:
            known.append(template)

    def _refuse(self, key: Hashable) -> None:
        if key in self._copied:
            raise MismatchError
        self._refused.add(key)

    def _surroundings(self) -> Hashable:
        """What a call depends on besides its module and arguments."""
        return (
            self._writer.source(),
            autocast.active(self._device),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            self._demand.assuming,
        )

    def _structure(self, value: Any, given: list[Tracked]) -> Hashable:
        """Arguments without what their tensors are, which are added to ``given``."""
        kind = type(value)
        if kind in ATOMS:
            return kind, value
        if kind is torch.Tensor:
            tracked = self._writer.tensors.get(value)
            if tracked is None or not tracked.is_ours:
                raise _NoKeyError
            given.append(tracked)
            return kind
        if kind in (tuple, list):
            return kind, tuple([self._structure(item, given) for item in value])
        if kind is dict:
            return kind, tuple([(name, self._structure(item, given)) for name, item in value.items()])
        if kind is slice:
            return kind, self._structure((value.start, value.stop, value.step), given)
        if kind in _FUNCTIONS:
            return value  # type: ignore[no-any-return]
        raise _NoKeyError

    def _tensors(self, given: list[Tracked]) -> Hashable:
        """What the tensors are, and which of them are the same or share memory."""
        first: dict[int, int] = {}
        parts: list[Hashable] = []
        for index, each in enumerate(given):
            node, origin = each.node_if_made, each.origin
            if origin is None or len(origin[1]) > 1 or each.version < self._writer.versions.get(each.storage, 0):
                raise _NoKeyError
            same = [first.setdefault(number, index) for number in (id(each), each.storage, id(node or origin))]
            place = None if node is not None else origin[1]
            parts.append((each.spec, *same, place, each.assumed, each.tensor.requires_grad))
        return tuple(parts)


_FUNCTIONS = (FunctionType, BuiltinFunctionType, type)


def _random_state() -> Any:
    numpy_random = sys.modules.get("numpy.random")
    return random.getstate(), numpy_random and numpy_random.get_state()[1].tobytes()
