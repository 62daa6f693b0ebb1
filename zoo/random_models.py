"""Models made at random: nested, repeated, shared and tied modules, in forms that nobody would think of.

The same seed makes the same model. `RandomModel` takes one input of `SHAPE`.
"""

from __future__ import annotations

from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 8
SHAPE = (2, 3, WIDTH)
_LEAVES: tuple[Any, ...] = (
    lambda: nn.Linear(WIDTH, WIDTH), lambda: nn.Linear(WIDTH, WIDTH, bias=False), lambda: nn.LayerNorm(WIDTH),
    lambda: nn.RMSNorm(WIDTH), nn.ReLU, nn.GELU, lambda: nn.Dropout(0.1), nn.Identity,
)  # fmt: skip


class Block(nn.Module):
    """A block of up to four steps; each calls a module, a run of modules or functions.

    Args:
        depth: how deep further blocks may lie in it.
        shared: modules of the model that blocks may call again.
    """

    def __init__(self, random: Random, depth: int, shared: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps = [self._step(random, depth, shared) for _ in range(random.randrange(1, 5))]
        linear = [part for part in self.parts if isinstance(part, nn.Linear)]
        if len(linear) > 1 and random.random() < 0.3:
            linear[0].weight = linear[1].weight
        if random.random() < 0.1:
            self.unused = nn.Linear(WIDTH, WIDTH)
        if random.random() < 0.1:
            self.unread = nn.Parameter(torch.ones(3))
        self.is_residual, self.has_two_results = random.random() < 0.4, random.random() < 0.15

    def _step(self, random: Random, depth: int, shared: list[nn.Module]) -> Any:
        kind = random.random()
        if kind < 0.2 and depth:
            return self._run(random, depth, shared)
        if kind < 0.35 and depth:
            return self._call(Block(random, depth - 1, shared), random.random() < 0.5)
        if kind < 0.5 and shared:
            return self._call(random.choice(shared), False)
        if kind < 0.6:
            weight = nn.Parameter(torch.ones(WIDTH, WIDTH))
            setattr(self, name := f"weight{len(list(self.parameters(recurse=False)))}", weight)
            return lambda self, x, _: F.linear(x, getattr(self, name))
        if kind < 0.75:
            return _FUNCTIONS[random.randrange(len(_FUNCTIONS))]
        part = _LEAVES[random.randrange(len(_LEAVES))]()
        if random.random() < 0.15:
            shared.append(part)
        return self._call(part, random.random() < 0.5)

    def _call(self, part: nn.Module, is_added: bool) -> Any:
        number = len(self.parts)
        self.parts.append(part)

        def call(self: Block, x: Tensor, others: Tensor) -> Tensor:
            y = _first(self.parts[number](x))
            return x + y if is_added else y

        return call

    def _run(self, random: Random, depth: int, shared: list[nn.Module]) -> Any:
        """Blocks one after the other, most of them alike; some are called twice, or read something else too."""
        seeds = [random.random() for _ in range(random.randrange(1, 3))]
        blocks = [Block(Random(seeds[i % len(seeds)]), depth - 1, shared) for i in range(random.randrange(2, 6))]
        if random.random() < 0.2:
            blocks.insert(random.randrange(len(blocks)), blocks[0])
        number, style = len(self.parts), random.randrange(4)
        self.parts.append(nn.ModuleList(blocks))

        def run(self: Block, x: Tensor, others: Tensor) -> Tensor:
            kept = x
            for place, block in enumerate(self.parts[number]):
                y = _first(block(x, others) if style == 1 else block(kept if style == 3 else x))
                kept = y + kept if style == 2 or (style == 3 and place % 2) else kept
                x = y
            return x + kept if style > 1 else x

        return run

    def forward(self, x: Tensor, others: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        y = x if others is None else x * others
        for step in self.steps:
            y = step(self, y, others)
        if self.is_residual:
            y = x + y
        return (y, y.mean(-1)) if self.has_two_results else y


def _first(result: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    return result[0] if isinstance(result, tuple) else result


def _gated(_: Block, x: Tensor, others: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a.sigmoid() * b, a], -1)


def _turned(_: Block, x: Tensor, others: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([b, a], -1)


def _written(_: Block, x: Tensor, others: Tensor) -> Tensor:
    y = x * 2
    y.view(-1).add_(1)
    torch.relu_(y)
    return y + x


_FUNCTIONS: tuple[Any, ...] = (_gated, _turned, _written)


class RandomModel(nn.Module):
    """A random block with a head."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.body = Block(Random(seed), 3, [])
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(_first(self.body(x, x.sum(-1, keepdim=True))))
