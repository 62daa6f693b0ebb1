"""References in place of the contents of a block: ``= layers.0``, or ``like layer1 but with downsample``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from fxsummary.graph.attributes import own_path
from fxsummary.graph.records import differing
from fxsummary.text.numbers import common, listed, relative_path
from fxsummary.views.fold.items import Item, Items
from fxsummary.views.fold.similar import agreeing

MOST_DIFFERENT = 2
"""Number of differences that a row can say."""
LEAST_ALIKE = 0.6
"""Share of the items in two blocks that must be of the same structure."""
LEAST_ROWS = 4
"""Number of rows from which a block is not shown again, and what it has more is not left out."""
MOST_COMPARED = 8
"""Number of earlier blocks of the same class that a block is compared with."""
MOST_ITEMS = 100
"""Number of items in a block up to which they are compared one by one."""


@dataclass
class References:
    """What to show in place of the contents of blocks, by identity.

    Attributes:
        same: for blocks with the same operations and shapes as one that is shown before.
        like: for blocks that differ little from one of the same class.
    """

    same: dict[int, str] = field(default_factory=dict)
    like: dict[int, str] = field(default_factory=dict)


def references(items: Items, *, like: bool) -> References:
    """Return the references to blocks that are shown before, also to those that differ if ``like``."""
    found = References()
    seen: dict[int, Item] = {}
    classes: dict[str, list[Item]] = {}
    pending = list(reversed(items.root.items))
    while pending:
        item = pending.pop()
        block = item.block
        if block is not None and not block.is_pattern and item.rows > LEAST_ROWS:
            before = seen.setdefault(item.symbol, item)
            earlier = classes.setdefault(block.type, [])
            if before is not item:
                found.same[id(block)] = _same(items, before, item)
                continue
            if like and not _is_similar_run(items, item) and (text := _like(items, earlier[-MOST_COMPARED:], item)):
                found.like[id(block)] = text
                del seen[item.symbol]
                continue
            earlier.append(item)
        pending.extend(reversed(item.items))
    return found


def _is_similar_run(items: Items, item: Item) -> bool:
    """Return whether an item represents copies of other sizes, whose ranges a reference would hide."""
    keys = items.keys[item.start : item.end] if items.copies(item) > 1 else []
    return any(differing(items.graph.data(key), "outputs") for key in keys)


def _same(items: Items, before: Item, item: Item) -> str:
    """Return the reference to a block with the same contents, and which masks, tables or numbers are others."""
    pairs = [(old, new) for old, new in zip(before.reads, item.reads, strict=True) if items.is_free(new)]
    others = [new for old, new in pairs if not items.is_free(old) or items.content(old) != items.content(new)]
    names = dict.fromkeys(map(items.label, others))
    texts = [*names, *["numbers"] * (before.numbers != item.numbers)]
    inputs = "".join(f", {text}" for text in _other_inputs(items, before, item))
    return f"= {_name_of(before, item)}" + (f", other {', '.join(texts)}" if texts else "") + inputs


def _like(items: Items, earlier: Sequence[Item], item: Item) -> str:
    """Return the reference to the block of the same class that differs least; "" if all differ too much."""
    found = [(each, but) for each in earlier if (but := differences(items, each, item)) is not None]
    if not found:
        return ""
    before, least = min(found, key=lambda pair: len(pair[1]))
    inputs = [f"with {text}" for text in _other_inputs(items, before, item)]
    texts = _joined([*least, *_other_values(items, before, item), *inputs])
    return f"like {_name_of(before, item)}" + (f" but {' and '.join(texts)}" if texts else "")


def _joined(texts: Sequence[str]) -> list[str]:
    """Return differences with those of one kind in one text.

    >>> _joined(["another conv2", "×3 inside", "another skip"])
    ['another conv2, skip', '×3 inside']
    """
    kinds: dict[str, list[str]] = {}
    for text in texts:
        kind, _, name = text.partition(" ")
        kinds.setdefault(kind, []).append(name)
    return [f"{kind} {', '.join(names)}" for kind, names in kinds.items()]


def _other_values(items: Items, before: Item, item: Item) -> Iterator[str]:
    """Yield the masks, tables and similar values that a block reads and another does not."""
    old, new = (
        [(items.label(value), items.content(value)) for value in block.reads if items.is_free(value)]
        for block in (before, item)
    )
    contents, labels = set(old), {label for label, _ in old}
    for label in dict.fromkeys(value[0] for value in new if value not in contents):
        yield f"another {label}" if label in labels else f"with {label}"


def _other_inputs(items: Items, before: Item, item: Item) -> list[str]:
    """Return the number of values that a block reads, apart from masks and tables, if another one reads more or fewer.

    A cross-attention reads two, a self-attention one.
    """
    old, new = (len({value for value in block.reads if not items.is_free(value)}) for block in (before, item))
    return [f"{new} input{'s' * (new != 1)}"] if old != new else []


def _name_of(before: Item, item: Item) -> str:
    """Return the path of a block as seen from another: as a sibling, or from where it differs."""
    if before.path == item.path and before.call is not None:
        return f"call {before.call.call + 1}"
    if before.path.startswith(f"{item.parent}." if item.parent else ""):
        return relative_path(before.path, item.parent)
    parts = before.path.split(".")
    return ".".join(parts[max(common(parts, item.path.split(".")) - 1, 0) :])


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
    old, new = ([each for each in block.items for _ in range(items.copies(each))] for block in (before, item))
    if max(len(old), len(new)) > MOST_ITEMS:
        return None
    one, other = ([similar(each.symbol) for each in members] for members in (old, new))
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if one == other or matcher.ratio() < LEAST_ALIKE:
        return None
    changes = [(change, old[start:end], new[begin:until]) for change, start, end, begin, until in matcher.get_opcodes()]
    if _takes_apart(changes):
        return None
    found: list[str] = []
    for change, was, now in changes:
        if change == "equal":
            found += [text for pair in zip(was, now, strict=True) for text in _inside(items, *pair)]
            continue
        inner = differences(items, was[0], now[0]) if _are_of_one_class(was, now) else None
        if inner is not None:
            found += [f"{_names(items, item, now)} {text}" for text in inner]
            continue
        if sum(each.rows for each in now) > LEAST_ROWS:  # which would not be seen anywhere
            return None
        without, added = _names(items, before, was), _names(items, item, now)
        if without == added:
            found.append(f"another {added}{_other_setting(items, was, now)}")
        else:
            found += [f"without {without}"] * bool(was) + [f"with {added}"] * bool(now)
    return list(dict.fromkeys(found))


def _other_setting(items: Items, was: Sequence[Item], now: Sequence[Item]) -> str:
    """Return the named setting in which two operations differ, such as " (is_causal=True)"; "" unless there is one."""
    if len(was) != 1 or len(now) != 1 or was[0].block is not None or now[0].block is not None:
        return ""
    nodes = [items.graph.data(each.key) for each in (was[0], now[0])]
    old, new = ({*f"{data['config']}, {data['arguments']}".split(", ")} for data in nodes)
    names = {setting.partition("=")[0] for setting in old ^ new}
    if len(names) != 1 or not all("=" in setting for setting in old ^ new):
        return ""
    return f" ({min(new - old, default='')})" if new - old else f" (without {min(old - new)})"


def _are_of_one_class(was: Sequence[Item], now: Sequence[Item]) -> bool:
    blocks = [each.block for each in (*was, *now) if each.block is not None]
    return len(was) == len(now) == 1 and len(blocks) == 2 and blocks[0].type == blocks[1].type


def _takes_apart(changes: Sequence[tuple[str, Sequence[Item], Sequence[Item]]]) -> bool:
    """Return whether some copies of a run are alike in both blocks and others are not."""
    alike = {id(each) for change, was, now in changes if change == "equal" for each in (*was, *now)}
    return any(id(each) in alike for change, was, now in changes if change != "equal" for each in (*was, *now))


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
    inner = list(zip(before.walk(), item.walk(), strict=True))[1:]
    counts = [(items.copies(old), items.copies(new)) for old, new in inner]
    found = [f"×{now} inside" for was, now in counts if was != now]
    places = zip(range(before.start, before.end), range(item.start, item.end), strict=True)
    settings = [
        items.graph.nodes[items.keys[pair[1]]]["label"] for pair in places if agreeing(items, pair, may_count=False) < 2
    ]
    return found + [f"other settings of {listed(list(dict.fromkeys(settings)), 1)}"] * bool(settings)
