"""Open more blocks of a picture where the page has room: those with most of the cost, and those with a structure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import inf
from typing import NamedTuple

from fxsummary.drawing.compose import Picture
from fxsummary.drawing.fitting import Fitting
from fxsummary.drawing.structure import hidden_structures, structures
from fxsummary.drawing.unseen import closed_kinds
from fxsummary.views.blocks import Block, block_tree

ROUNDS = 2
MOST_KINDS = 6
"""Maximum number of kinds of blocks that are opened in a level."""
STRUCTURE = 1.0
"""Value of an open class of modules with a structure, in units of page cost."""


class Opened(NamedTuple):
    """A picture with the modules of some levels open, and with blocks opened beyond them.

    Attributes:
        depth: number of levels; paths: of the blocks.
        too_many: the fewest rows of a picture with more blocks that was far too high.
    """

    picture: Picture
    depth: int
    paths: frozenset[str] = frozenset()
    too_many: float = inf


def filled(fitting: Fitting, best: Opened) -> Opened:
    """Open blocks with a large share of the FLOPs, then others, level by level."""
    for costly in (True, False):
        for level in range(best.depth, best.depth + ROUNDS):
            for paths, flops in closed_kinds(fitting.folded, best.picture, level)[:MOST_KINDS]:
                if (flops >= fitting.least_flops) == costly:
                    best = _with_kind(fitting, best, paths)
    return best


def _with_kind(fitting: Fitting, best: Opened, paths: Sequence[str]) -> Opened:
    """Open the blocks of a kind if they fit; if not, the first one with its siblings, if that shows a class.

    If these do not fit either, those with the same operations as another one stay closed.
    """
    siblings, depth, first = fitting.siblings, best.depth, paths[0]
    every = frozenset[str]().union(*[siblings.alike(path, depth) for path in paths])
    found = _with(fitting, best, every)
    if fitting.hides_much(best.picture) or _is_new(fitting, best.picture, first):
        for fewer in (siblings.alike(first, depth), siblings.distinct(first, depth)):
            if found.paths == best.paths and fewer < every:
                found = _with(fitting, found, fewer)
    return found


def _is_new(fitting: Fitting, picture: Picture, path: str) -> bool:
    """Return whether no block is open that has the class and the number of operations of a closed one."""
    kinds = {data["target"]: (data["label"], data["closed"]) for data in picture.closed_nodes()}
    blocks = [fitting.closing.closed.get(block.call) for block in block_tree(picture.graph).walk()]
    return all((data["label"], data["closed"]) != kinds.get(path) for data in blocks if data is not None)


def _with(fitting: Fitting, best: Opened, blocks: frozenset[str]) -> Opened:
    """Return the picture with more blocks open, if it fits and says more; one with too many rows is not laid out."""
    paths = best.paths | blocks
    picture = fitting.attempt(fitting.closed(best.depth, paths), best.too_many) if paths != best.paths else None
    if picture is None:
        return best
    page = fitting.page(picture)
    if not page.fits:
        return best._replace(too_many=picture.rows) if page.is_far_too_high else best
    is_better = fitting.value(picture) > fitting.value(best.picture)
    return best._replace(picture=picture, paths=paths) if is_better else best


def with_structures(fitting: Fitting, best: Opened) -> Opened:
    """Open modules with a structure that a picture does not show, in place of others where there is no room.

    A picture with a shape that people draw, such as a U, needs no other structure.
    """
    page = fitting.page(best.picture)
    if not page.fits or page.shaped:
        return best
    found = best
    for chain in islice(hidden_structures(fitting.folded, best.picture, fitting.least_flops), MOST_KINDS):
        found = _with_chain(fitting, found, chain)
    if found is best:
        return best
    found = filled(fitting, found)
    return found if _shows_more(fitting, found.picture, best.picture) else best


def _with_chain(fitting: Fitting, best: Opened, chain: Sequence[Block]) -> Opened:
    """Return a picture with the last of nested blocks open, with as much as possible around it, if that fits."""
    siblings = fitting.siblings
    starts = [(best.depth, best.paths), *((depth, frozenset[str]()) for depth in range(best.depth, 0, -1))]
    modules = [block.path for block in chain[1:] if not block.is_pattern]
    for depth, opened in starts:
        for which in (siblings.alike, siblings.distinct):
            paths = opened.union(*[which(path, depth) for path in modules])
            picture = fitting.attempt(fitting.closed(depth, paths))
            if picture is not None and fitting.page(picture).fits:
                has_more = structures(best.picture) < structures(picture)
                return Opened(picture, depth, paths) if has_more else best
    return best


def _shows_more(fitting: Fitting, picture: Picture, other: Picture) -> bool:
    """Return whether a picture has all structures of another one, and more that make up for what it leaves out."""
    more, known = structures(picture), structures(other)
    return known < more and fitting.value(picture) + STRUCTURE * len(more - known) > fitting.value(other)
