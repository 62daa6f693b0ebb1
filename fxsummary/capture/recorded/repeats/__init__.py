"""Copies identical blocks: the nodes of a recorded module call are written again for modules like it.

Two calls are alike if they have the same module signature (`signatures`), equal arguments (literals, specs, shared
memory), the same source line, and the same state of autocast and gradients. After `RECORDINGS` calls with the same
`Block.description`, further calls are copied. The last module with a signature is recorded as a check; if it differs,
everything is recorded again without copies (`MismatchError`).

A call is never copied if its nodes may not show all that it does: the module has hooks or shared submodules; an
argument is another object, such as a cache; or the call used values or the number of its block (``layer_idx``),
changed attributes or arguments, drew random numbers in Python, made constants, wrote to tensors that are not its own,
kept a tensor somewhere, or returned memory of its arguments.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import suppress

import torch
from torch import nn

from fxsummary.capture.operations import autocast, memo
from fxsummary.capture.recorded.data_dependence import Demand
from fxsummary.capture.recorded.repeats.block import Block, NotRepeatableError
from fxsummary.capture.recorded.repeats.copy_block import Copy
from fxsummary.capture.recorded.repeats.signatures import Signatures
from fxsummary.capture.recorded.tensor_origins import Tracked
from fxsummary.capture.structures import Args, Kwargs
from fxsummary.capture.subject import Leaf
from fxsummary.capture.torch_internals import without_torch_function

RECORDINGS = 2
"""Number of calls that must have the same description before others are copied."""

_MAX_KEYS = 8
"""Modules that get more kinds of arguments than this are not copied."""

_OFTEN = 3
"""A block inside one that is being learned is learned too only if it occurs more often than this per outer block."""


class MismatchError(BaseException):
    """A block differs from those like it. It passes through the user's ``except Exception``."""


Run = Callable[[nn.Module, Args, Kwargs], object]
_Key = tuple[int, Hashable, Hashable, Hashable]
"""Equal for calls that are alike: module signature, structure of the arguments, their tensors, the surroundings."""


class Replay:
    """Decides which module calls are copied; ``run`` runs a module and records its calls."""

    def __init__(self, demand: Demand, is_leaf: Leaf, run: Run) -> None:
        self._demand = demand
        self._writer = demand.writer
        self._run = run
        self._signatures = Signatures(self._writer.model, is_leaf)
        self._known: dict[Hashable, list[Block]] = {}
        self._refused: set[Hashable] = set()
        self._copied: set[Hashable] = set()
        self._keys: Counter[int] = Counter()
        self._outer = 0
        self.watched = self._signatures.watched

    def call(self, module: nn.Module, path: str, args: Args, kwargs: Kwargs) -> object:
        """Return the result of a module call, from a copy or by running it; raises MismatchError."""
        found = self._lookup(module, args, kwargs)
        if found is not None:
            key, given = found
            known = self._known.get(key, [])
            if len(known) >= RECORDINGS and self._signatures.last[key[0]] != id(module):
                with without_torch_function():
                    copy = Copy(self._writer, known[0], module, path, given)
                    if copy.fits():
                        self._copied.add(key)
                        return copy.write()
            elif self._is_worth_learning(key, known):
                return self._learn((module, args, kwargs), path, key, given)
        return self._run(module, args, kwargs)

    def _lookup(self, module: nn.Module, args: Args, kwargs: Kwargs) -> tuple[_Key, list[Tracked]] | None:
        """Return the key of a call and its tensors; None if such calls are not copied."""
        signature = self._signatures.of(module)
        if signature is None or self._signatures.counts[signature] < RECORDINGS + 2 or signature in self._refused:
            return None
        with suppress(memo.NoKeyError), without_torch_function():  # these questions are not part of forward
            structure, given = self._structure(args, kwargs)
            key = signature, structure, self._tensors(given), self._surroundings()
            return None if key in self._refused else (key, given)
        return None

    def _is_worth_learning(self, key: _Key, known: list[Block]) -> bool:
        count = self._signatures.counts[key[0]]
        if (len(known) >= RECORDINGS and key not in self._copied) or (self._outer and count <= _OFTEN * self._outer):
            return False
        if key not in self._known:
            self._keys[key[0]] += 1
            if self._keys[key[0]] > _MAX_KEYS:
                self._refused.add(key[0])
                return False
        return True

    def _learn(self, call: tuple[nn.Module, Args, Kwargs], path: str, key: _Key, given: list[Tracked]) -> object:
        """Run a module, and keep the block that it recorded."""
        block = Block(self._writer, path, given)
        before = self._counted()
        outer, self._outer = self._outer, self._signatures.counts[key[0]]
        try:
            result = [self._run(*call)]
        finally:
            self._outer = outer
        try:
            if before != self._counted():
                raise NotRepeatableError("values or the number of the block are used")
            with without_torch_function():
                module, args, kwargs = call
                if self._structure(args, kwargs) != (key[1], given) or not self._signatures.is_unchanged(module):
                    raise NotRepeatableError("arguments or attributes were changed")
                block.finish(result)
                known = self._known.setdefault(key, [])
                if known and known[0].description() != block.description():
                    raise NotRepeatableError("it differs from calls like it")
                known.append(block)
        except (NotRepeatableError, memo.NoKeyError):
            if key in self._copied:
                raise MismatchError from None
            self._refused.add(key)
        return result[0]

    def _counted(self) -> object:
        """Return values that change if a block depends on more than its arguments and attributes."""
        numpy_random = sys.modules.get("numpy.random")
        drawn = random.getstate(), numpy_random and numpy_random.get_state()[1].tobytes()
        return self._demand.asked, self._signatures.reads, drawn

    def _surroundings(self) -> Hashable:
        """Return everything that a call depends on besides its module and arguments."""
        gradients = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        return self._writer.source(), autocast.active(self._writer.device), gradients, self._demand.assuming

    def _structure(self, args: Args, kwargs: Kwargs) -> tuple[Hashable, list[Tracked]]:
        """Return a key of the arguments in which all tensors are equal, and the tensors."""
        given: list[Tracked] = []

        def tensor(value: object) -> Hashable:
            tracked = self._writer.tensors.get(value) if type(value) is torch.Tensor else None
            if tracked is None or not tracked.is_ours:
                raise memo.NoKeyError(type(value).__name__)
            given.append(tracked)
            return torch.Tensor

        return memo.key_of((args, kwargs), tensor), given

    def _tensors(self, given: list[Tracked]) -> Hashable:
        """Return a key of the tensors: their specs, and which of them are the same or share memory."""
        first: dict[int, int] = {}
        parts: list[Hashable] = []
        for index, each in enumerate(given):
            node, origin = each.node, each.origin
            if origin is None or len(origin[1]) > 1 or each.version < self._writer.tensors.version(each.storage):
                raise memo.NoKeyError("a tensor was written through another")
            same = [first.setdefault(number, index) for number in (id(each), -each.storage, id(node or origin))]
            place = None if node is not None else origin[1]
            parts.append((each.spec, *same, place, each.assumed, each.tensor.requires_grad))
        return tuple(parts)
