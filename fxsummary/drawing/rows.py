"""From parts and operations to a scene: chains become tables of rows, sums become signs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from fxsummary.changes import joined
from fxsummary.drawing.labels import (
    LONGEST_CONFIG,
    LONGEST_LABEL,
    LONGEST_LITERALS,
    LONGEST_PATH,
    Subject,
    changed_config,
    changed_parameters,
    chip_text,
    closed_inside,
    facts_of,
    parameters_text,
    path_of,
    relative,
    shape_text,
    short,
    span,
    tips_of,
)
from fxsummary.drawing.parts import Part
from fxsummary.drawing.scene import Form, Group, Item, Row, Scene
from fxsummary.drawing.style import colour_of
from fxsummary.layout import Edge

MOST_CARDS = 16
RETURNED = ("→ output", "reshape")
"""The chip of a value that the model returns, where no edge shows it."""
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "truediv": "÷"}
_JOINS = dict.fromkeys(("cat", "concat", "concatenate"), "concat") | {n: n for n in ("stack", "hstack", "vstack")}


class Composer:
    """Makes the scene of a subject: rows, then groups, then the edges between items; tooltips only if ``tips``."""

    def __init__(
        self,
        subject: Subject,
        edges: Iterable[tuple[str, str]],
        *,
        cards: bool = False,
        chips: bool | None = None,
        dataflow: bool = True,
        tips: bool = True,
    ) -> None:
        self.subject = subject
        self.tips = tips
        self.cards = cards
        self.chips = not cards if chips is None else chips
        self.dataflow = dataflow
        self.edges = list(edges)
        self.before: dict[str, list[str]] = {}
        self.after: dict[str, list[str]] = {}
        for source, target in self.edges:
            self.before.setdefault(target, []).append(source)
            self.after.setdefault(source, []).append(target)
        self.item_of: dict[str, Item] = {}

    def scene(self, root: Part) -> Scene:
        """Groups and items of all parts."""
        page = Group("page")
        pending: list[tuple[Part, Group, int]] = [(root, page, 1)]
        while pending:
            part, group, times = pending.pop()
            group.children = [*self._items(part, times)]
            for child in group.children:
                if isinstance(child, Item):
                    self.item_of.update(dict.fromkeys(child.keys, child))
            self._insert_groups(part, group, times, pending)
        scene = Scene(page, [], self.dataflow)
        scene.edges = self._joined() if self.dataflow else _in_order(page)
        shares = [row.share or 0.0 for item in scene.items() for row in item.rows]
        scene.largest = max(shares, default=0.0)
        return scene

    def table_rows(self, part: Part) -> int:
        """Number of rows of a part that is one table; 0 for others."""
        if part.parts():
            return 0
        times = min((self.subject.node(key)["multiplicity"] for key in part.operations()), default=1)
        items = self._rough_items(part, times)
        return len(items[0].rows) if len(items) == 1 and items[0].form == "stack" else 0

    def _insert_groups(self, part: Part, group: Group, times: int, pending: list[tuple[Part, Group, int]]) -> None:
        """Put the inner groups among the items, in execution order."""
        items = {child.rows[0].keys[0]: child for child in group.children if isinstance(child, Item)}
        children: list[Group | Item] = []
        for number, entry in enumerate(part.items):
            if isinstance(entry, Part):
                inner = self._group(entry, part, times, f"{group.key}/{number}", group.level + 1)
                children.append(inner)
                pending.append((entry, inner, times * entry.repeat))
            elif entry in items:
                children.append(items[entry])
        group.children = children

    def _group(self, part: Part, parent: Part, times: int, key: str, level: int) -> Group:
        title = span(relative(part.path, parent.base), relative(part.last, parent.base))
        return Group(
            key,
            short(title, LONGEST_LABEL),
            short(part.type, LONGEST_LABEL),
            facts_of(self.subject, part, times),
            part.repeat,
            level,
            [span(part.path, part.last), part.type],
            part.path if part.base == part.path else "",
            change=self._change(part.operations()),
        )

    def _change(self, keys: Iterable[str]) -> str:
        """In a comparison, the change of some operations together."""
        nodes = [self.subject.node(key) for key in keys if key not in self.subject.tags]
        return joined(node["change"] for node in nodes) if nodes and "change" in nodes[0] else ""

    def _items(self, part: Part, times: int) -> list[Item]:
        """The operations of a part as items; chains share one."""
        items = self._rough_items(part, times)
        for item in items:
            for row in item.rows:
                self._finish(row)
        return items

    def _rough_items(self, part: Part, times: int) -> list[Item]:
        """Items without the texts that depend on their chips."""
        item_of: dict[str, Item] = {}
        items: list[Item] = []
        last: Item | None = None
        for key in part.items:
            if isinstance(key, Part):
                last = None
                continue
            form = self.form(key)
            source = self._only_source(key)
            above = item_of.get(source) if source is not None else None
            if not self.dataflow:
                above = last
            row = self._row(key, part, times)
            if above is not None and self._joins(above, form, row, key):
                if not self._fuses(above, key, row):
                    above.rows.append(row)
                item = above
            elif above is not None and self._is_chip_of(above, form, row, key):
                item = above
            else:
                item = Item(key, form, [row])
                items.append(item)
            item_of[key] = last = item
        return items

    def form(self, key: str) -> Form:
        """How an operation is drawn."""
        if key in self.subject.tags:
            return "parameter"
        data = self.subject.node(key)
        if data["op"] in ("placeholder", "output"):
            return "terminal"
        if data["op"] == "get_attr":
            return "parameter"
        slots = sum(len(edge["slots"]) for _, _, edge in self.subject.graph.in_edges(key, data=True))
        if _sign(data["label"]) and slots == 2 and data["op"] != "call_module":
            return "sign"
        if data["label"] in _JOINS and slots >= 2:
            return "concat"
        return "card" if self.cards else "stack"

    def _only_source(self, key: str) -> str | None:
        """The operation that this one alone reads and that is read by this one alone."""
        before = self.before.get(key, [])
        return before[0] if len(before) == 1 and len(self.after[before[0]]) == 1 else None

    def _joins(self, above: Item, form: Form, row: Row, key: str) -> bool:
        """Whether an operation goes into the item of the one that it reads."""
        if above.form == "sign":
            chip = row.kind == "activation" and form in ("stack", "card") and row.repeat == 1
            return chip and len(above.rows[0].keys) == 1 and self.chips
        return above.form == form == "stack" and row.repeat == 1 and above.rows[0].repeat == 1

    def _is_chip_of(self, above: Item, form: Form, row: Row, key: str) -> bool:
        """Make a norm or activation a chip of the card above it, where cards have chips."""
        single = row.repeat == 1 and above.rows[0].repeat == 1
        return self.chips and above.form == form == "card" and single and self._fuses(above, key, row)

    def _fuses(self, above: Item, key: str, row: Row) -> bool:
        """Make a norm or activation a chip of the row above it, if that is its convolution or sum."""
        host = above.rows[-1]
        data, main = self.subject.node(key), self.subject.node(host.keys[0])
        if data.get("change") != main.get("change"):
            return False
        kinds = [self.subject.node(k)["kind"] for k in host.keys]
        if above.form != "sign":
            if main["kind"] not in ("convolution", "linear") or data["outputs"] is None or closed_inside(data):
                return False
            if data["shape"] != main["shape"] or data["kind"] in kinds or "activation" in kinds:
                return False
            is_chip = data["kind"] == "activation" or (data["kind"] == "norm" and _is_batch_norm(data["label"]))
            if not is_chip:
                return False
        host.keys.append(key)
        host.chips.append((chip_text(data), colour_of(data["kind"])))
        return True

    def _row(self, key: str, part: Part, times: int) -> Row:
        """Texts of an operation; those that depend on chips come in `_finish`."""
        if key in self.subject.tags:
            source = self.subject.node(self.subject.tags[key])
            name = relative(path_of(source), part.base) or source["label"]
            shape = shape_text(source["outputs"])
            return Row([key], "parameter", short(name, LONGEST_PATH), shape=shape, tips=["the value of", name])
        data = self.subject.node(key)
        path = self._path(data, part)
        label = path if data["op"] == "get_attr" else data["target"] if data["op"] == "placeholder" else data["label"]
        config = f"{inside} ops" if (inside := closed_inside(data)) else data["config"]
        longest = LONGEST_CONFIG if data["op"] == "call_module" else LONGEST_LITERALS
        if data["label"] in _JOINS:
            label, config = _JOINS[data["label"]], ""
        return Row(
            [key],
            colour_of("parameter" if data["op"] == "get_attr" else data["kind"]),
            short(str(label), LONGEST_LABEL),
            short(config, longest),
            path,
            shape_text(data["outputs"]),
            repeat=max(1, data["multiplicity"] // times),
        )

    def _path(self, data: dict[str, Any], part: Part) -> str:
        """Path from the frame around it; first and last for a closed run."""
        own = data["module"] if data["parameters"] and data["module"] != part.base else ""
        path = relative(path_of(data) or own, part.base)
        repeat = self.subject.repeats.get(data["module_stack"][-1]) if data.get("closed") else None
        if repeat is not None and repeat.period == 1:
            path = span(path, relative(repeat.last, part.base))
        return short(path, LONGEST_PATH)

    def _finish(self, row: Row) -> None:
        if row.keys[0] in self.subject.tags:
            return
        nodes = [self.subject.node(key) for key in row.keys]
        row.chips += [RETURNED for key in row.keys if key in self.subject.returned]
        row.change = self._change(row.keys)
        row.parameters = parameters_text(node["parameters"] for node in nodes)
        if row.change:
            row.parameters = changed_parameters(nodes) or row.parameters
            row.config = changed_config(nodes[0]) or row.config
        row.share = self.subject.share(row.keys)
        for number, key in enumerate(row.keys if self.tips else ()):
            row.tips += [*([""] if number else []), *tips_of(self.subject, key)]
        inputs = {edge.get("shape") for _, _, edge in self.subject.graph.in_edges(row.keys[0], data=True)}
        row.same_shape = inputs == {nodes[-1]["shape"]}

    def _joined(self) -> list[Edge]:
        edges: dict[Edge, None] = {}
        for source, target in self.edges:
            a, b = self.item_of[source].key, self.item_of[target].key
            if a != b:
                edges[Edge(a, b)] = None
        return list(edges)


_BATCH_NORMS = frozenset({"batch_norm", "BatchNormAct2d"})


def _is_batch_norm(label: str) -> bool:
    """Whether a norm is one that is folded into the convolution before it.

    >>> _is_batch_norm("FrozenBatchNorm2d"), _is_batch_norm("InstanceNorm1d"), _is_batch_norm("LayerNorm")
    (True, True, False)
    """
    return label in _BATCH_NORMS or label.rstrip("123d").endswith(("BatchNorm", "InstanceNorm"))


def _sign(label: str) -> str:
    """The sign of a sum or product, "" for other operations.

    >>> _sign("add"), _sign("iadd"), _sign("mul_"), _sign("addmm")
    ('+', '+', '×', '')
    """
    name = label.rstrip("_")
    return SIGNS.get(name) or (SIGNS.get(name[1:], "") if name.startswith("i") else "")


def sign_of(label: str) -> str:
    """The sign in the circle of an operation."""
    return _sign(label)


def _in_order(page: Group) -> list[Edge]:
    """Edges that put items without dataflow below each other."""
    edges: list[Edge] = []
    groups = [page, *(child for child in page.walk() if isinstance(child, Group))]
    for group in groups:
        known = [ends for child in group.children if (ends := _ends(child))]
        edges += [Edge(a[-1], b[0]) for a, b in pairwise(known)]
    return edges


def _ends(child: Group | Item) -> list[str]:
    """Keys of the items in a group or of an item, in order."""
    if isinstance(child, Item):
        return [child.key]
    return [inner.key for inner in child.walk() if isinstance(inner, Item)]
