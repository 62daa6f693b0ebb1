"""Say how a block differs from one that is shown before: ``like layer1 but with downsample``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from fxsummary.graph.attributes import own_path
from fxsummary.text.numbers import listed, relative_path
from fxsummary.views.fold.items import Item, Items
from fxsummary.views.fold.similar import agreeing

MOST_DIFFERENT = 2
"""Number of differences that a row can say."""
LEAST_ALIKE = 0.6
"""Share of the items in two blocks that must be of the same structure."""
LEAST_ROWS = 4
"""Number of rows from which a block is not shown again, and what it has more is not left out."""
MOST_ITEMS = 100
"""Number of items in a block up to which they are compared one by one."""


def differences(items: Items, before: Item, item: Item) -> list[str] | None:
    """Return how a block differs from one of the same class, apart from sizes; None if that is too much to say."""
    similar = items.symbols.similar
    if similar(before.symbol) == similar(item.symbol):
        found: list[str] | None = _inside(items, before, item)
    else:
        found = _in_the_items(items, before, item)
    return None if found is None or len(found) > MOST_DIFFERENT else found


def _in_the_items(items: Items, before: Item, item: Item) -> list[str] | None:
    """Return what a block has more or less than another; None if that is much or only the connections differ."""
    similar = items.symbols.similar
    one, other = ([similar(each.symbol) for each in block.items] for block in (before, item))
    if one == other or max(len(one), len(other)) > MOST_ITEMS:
        return None
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.ratio() < LEAST_ALIKE:
        return None
    found: list[str] = []
    for change, start, end, begin, until in matcher.get_opcodes():
        old, new = before.items[start:end], item.items[begin:until]
        if change == "equal":
            for was, now in zip(old, new, strict=True):
                found += _inside(items, was, now)
            continue
        if sum(each.rows for each in new) > LEAST_ROWS:  # which would not be seen anywhere
            return None
        without, added = _names(items, before, old), _names(items, item, new)
        if without == added:
            found.append(f"another {added}")
        else:
            found += [f"without {without}"] * bool(old) + [f"with {added}"] * bool(new)
    return found


def _names(items: Items, block: Item, members: Sequence[Item]) -> str:
    """Return what some items of a block are called: modules by path, unless that is a number, functions by label."""
    names = []
    for each in members:
        data = items.graph.nodes[each.key]
        path = relative_path(each.path if each.block else own_path(data), block.path)
        names.append(path if path and not path.isdigit() else each.block.type if each.block else data["label"])
    return listed(list(dict.fromkeys(names)), MOST_DIFFERENT)


def _inside(items: Items, before: Item, item: Item) -> list[str]:
    """Return the numbers of copies and the settings, apart from sizes, in which two blocks of one structure differ."""
    counts = zip(_copies(items, before), _copies(items, item), strict=True)
    found = [f"×{now} inside" for was, now in counts if was != now]
    places = zip(range(before.start, before.end), range(item.start, item.end), strict=True)
    settings = [
        items.graph.nodes[items.keys[pair[1]]]["label"] for pair in places if agreeing(items, pair, may_count=False) < 2
    ]
    return found + [f"other settings of {listed(list(dict.fromkeys(settings)), 1)}"] * bool(settings)


def _copies(items: Items, item: Item) -> Iterator[int]:
    """Yield the number of copies of each item inside."""
    repeats = items.graph.graph.get("repeats", {})
    pending = list(item.items)
    for each in pending:  # grows
        run = repeats.get(each.call or each.key)
        yield 1 if run is None else run.count
        pending.extend(each.items)
