"""Build a scene from blocks and operations: chains become tables of rows, sums become signs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from fxsummary.drawing import labels
from fxsummary.drawing.labels import LONGEST_LABEL, Subject, closed_inside, parameters_text, shape_of, short, span
from fxsummary.drawing.names import LONGEST, NAME, RETURNED, end_of, unique
from fxsummary.drawing.scene import Form, Group, Item, Row, Scene
from fxsummary.drawing.style import colour_of
from fxsummary.graph.attributes import NodeData, own_path
from fxsummary.graph.changes import BECAME, joined
from fxsummary.graph.labels import CONCATENATIONS, JOINS, base, is_batch_norm, is_instance_norm, operator_of
from fxsummary.graph.records import Repeat
from fxsummary.layout import Edge
from fxsummary.text.numbers import clean, common, relative_path
from fxsummary.views.blocks import UNREAD, Block, run_of
from fxsummary.views.carried import Carried, carried_values
from fxsummary.views.ghosts import are_ghosts
from fxsummary.views.idioms.routing import COMBINE, DISPATCH
from fxsummary.views.merger import uncounted

MOST_CARDS = 16
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "truediv": "÷"}


class Composer:
    """Builds the scene of a subject: rows, then groups, then the edges between items.

    Args:
        edges: edges to draw; all edges of the subject's graph if None.
        cards: whether operations are cards; chips: whether cards and signs have chips.
    """

    def __init__(
        self,
        subject: Subject,
        edges: Iterable[tuple[str, str]] | None = None,
        *,
        cards: bool = False,
        chips: bool = True,
    ) -> None:
        self.subject = subject
        self.nodes: dict[str, NodeData] = dict(subject.graph.nodes(data=True))
        self.cards, self.chips = cards, chips
        self.dataflow = subject.graph.captured_by != "modules"
        self.edges = [(source, target) for source, target, _ in subject.graph.links()] if edges is None else edges
        self.before: dict[str, list[str]] = {}
        self.after: dict[str, list[str]] = {}
        self.named: dict[str, list[str]] = {}
        self.names: dict[str, str] = {}
        self.carried = [*carried_values(subject.graph, subject.whole)]
        self._cut = {each.source for each in self.carried}, {each.reader for each in self.carried}
        self._name_stand_ins()
        for source, target in self.edges:
            self.before.setdefault(target, []).append(source)
            self.after.setdefault(source, []).append(target)

    def _name_stand_ins(self) -> None:
        """Take the edges from stand-ins out: their readers get a chip with the name of the value."""
        taken: dict[str, str] = {}
        kept = []
        for source, target in self.edges:
            data = self.nodes[source]
            if data["op"] != "stand_in":
                kept.append((source, target))
                continue
            value = data["stands_for"]
            if value not in self.names:
                name = end_of(own_path(self.nodes[value])) or str(self.nodes[value]["label"])
                self.names[value] = unique(short(name, LONGEST), taken)
            self.named.setdefault(target, []).append(self.names[value])
        self.edges = kept

    def scene(self, root: Block, base: str = "") -> Scene:
        """Return the groups and items of all blocks, with paths relative to ``base``."""
        page, item_of = Group("page"), dict[str, Item]()
        pending: list[tuple[Block, Group, int, str]] = [(root, page, 1, base)]
        while pending:
            block, group, times, base = pending.pop()
            items = self._items(block, times)
            for item in items.values():
                item_of |= dict.fromkeys(item.keys, item)
                for row in item.rows:
                    self._finish(row, base)
                item.shape = item.rows[-1].shape
            for number, entry in enumerate(block.items):
                if isinstance(entry, Block):
                    inner = self._group(entry, base, times, f"{group.key}/{number}", group.level + 1)
                    group.children.append(inner)
                    below = entry.path
                    if entry.is_pattern:  # the parent of its copies
                        parts = entry.path.split(".")
                        below = max(base, ".".join(parts[: common(parts, entry.last.split("."))]), key=len)
                    pending.append((entry, inner, times * entry.repeat, below))
                elif entry in items:
                    group.children.append(items[entry])
        ends = [Edge(item_of[source].key, item_of[target].key) for source, target in self.edges]
        scene = Scene(page, [edge for edge in dict.fromkeys(ends) if edge.source != edge.target], self.dataflow)
        scene.loops = _loops(self.carried, {key: item.key for key, item in item_of.items()})
        scene.named = sum(map(len, self.named.values()))
        scene.edges = scene.edges if self.dataflow else [*_in_order(scene)]
        scene.largest = max((row.share or 0.0 for row in scene.rows()), default=0.0)
        return scene

    def table_rows(self, block: Block) -> int:
        """Return the number of rows of a block that is one table; 0 for other blocks."""
        if any(block.blocks()):
            return 0
        times = min((self.nodes[key]["multiplicity"] for key in block.operations()), default=1)
        first, *others = self._items(block, times).values() or [None]
        return len(first.rows) if first and first.form == "stack" and not others else 0

    def _group(self, block: Block, base: str, times: int, key: str, level: int) -> Group:
        title = span(relative_path(block.path, base), relative_path(block.last, base))
        types = " · ".join(dict.fromkeys(block.type.split(" · "))) + block.again
        facts, tips = labels.facts_of(self.subject, block, times), [span(block.path, block.last), types]
        path, change = "" if block.is_pattern else block.path, self._change(block.operations())
        ghost = are_ghosts(self.nodes[each] for each in block.operations())
        title, types = short(title, LONGEST_LABEL), short(types, LONGEST_LABEL)
        return Group(
            key, title, types, facts, block.repeat, level, tips, path, change=change, unit=block.unit, ghost=ghost
        )

    def _change(self, keys: Iterable[str]) -> str:
        nodes = [node for key in keys if (node := self.subject.node(key))["op"] != "stand_in"]
        return joined(node["change"] for node in nodes) if nodes and "change" in nodes[0] else ""

    def _items(self, block: Block, times: int) -> dict[str, Item]:
        """Return the items of a block by their first operation; chains share an item. Texts are set later."""
        item_of: dict[str, Item] = {}
        items: dict[str, Item] = {}
        last: Item | None = None
        for key in block.items:
            if isinstance(key, Block):
                last = None
                continue
            if self.nodes[key]["op"] == "stand_in":
                continue
            form, before = self.form(key), self.before.get(key, [])
            alone = len(before) == 1 and len(self.after[before[0]]) == 1
            alone = alone and before[0] not in self._cut[0] and key not in self._cut[1]
            item = last if not self.dataflow else item_of.get(before[0]) if alone else None
            row = self._row(key, times)
            if item is None or not self._joins(item, form, row):
                item = items[key] = Item(key, form, [row])
            item_of[key] = last = item
        return items

    def form(self, key: str) -> Form:
        """Return the form in which an operation is drawn."""
        data = self.nodes[key]
        if data["op"] in ("placeholder", "output"):
            return "terminal"
        if data["op"] in ("get_attr", UNREAD):
            return "parameter"
        slots = sum([len(edge["slots"]) for edge in self.subject.graph.sources(key).values()])
        if sign_of(data["label"]) and slots == 2 and data["op"] != "call_module":
            return "sign"
        if slots >= 2 and _join(data["label"]):
            return "concat"
        return "card" if self.cards else "stack"

    def _joins(self, above: Item, form: Form, row: Row) -> bool:
        """Add an operation to the item of the operation that it reads, if it fits there."""
        first, key = above.rows[0], row.keys[0]
        if above.form == "sign":  # which has no room for a number of parameters
            chip = row.kind == "activation" and self.nodes[key]["parameters"] == 0 and form in ("stack", "card")
            return chip and self.chips and row.repeat == len(first.keys) == 1 and self._fuses(above, key)
        if above.form == "concat" and form == "stack" and (row.repeat, first.repeat) == (1, 1):
            above.form, above.joins = "stack", True
            above.rows.append(row)
            return True
        if above.form != form or form not in ("stack", "card") or (row.repeat, first.repeat) != (1, 1):
            return False
        if form == "card":
            return self.chips and self._fuses(above, key)
        if not self._fuses(above, key):
            above.rows.append(row)
        return True

    def _fuses(self, above: Item, key: str) -> bool:
        """Make a norm or activation a chip of the row above it, if that is its convolution or sum."""
        host = above.rows[-1]
        data, main = self.nodes[key], self.nodes[host.keys[0]]
        if above.form != "sign":
            kinds, label = [self.nodes[k]["kind"] for k in host.keys], data["label"]
            if main["kind"] not in ("convolution", "linear") or data["outputs"] is None or closed_inside(data):
                return False
            if data["shape"] != main["shape"] or data["kind"] in kinds or "activation" in kinds:
                return False
            can_be_folded = data["kind"] == "norm" and (is_batch_norm(label) or is_instance_norm(label))
            if data["kind"] != "activation" and not can_be_folded:
                return False
        if data.get("change") != main.get("change"):
            return False
        host.keys.append(key)
        host.chips.append((labels.chip_text(data), colour_of(data["kind"])))
        return True

    def _row(self, key: str, times: int) -> Row:
        """Return the row of an operation without its texts, which `_finish` sets."""
        data = self.nodes[key]
        kind = colour_of("parameter" if data["op"] == "get_attr" else data["kind"])
        repeat = max(1, data["multiplicity"] // times)
        graph = self.subject.graph
        run: Repeat | None = graph.graph.get("repeats", {}).get(key) or run_of(graph, data)
        unit, ghost = run.unit if run else "", data.get("ghost", False)
        return Row([key], kind, repeat=repeat, unit=unit, ghost=ghost)

    def _finish(self, row: Row, base: str) -> None:
        """Set the texts and costs of a row, once its chips are known."""
        nodes = [self.nodes[key] for key in row.keys]
        data = nodes[0]
        row.shape = shape_of(data)
        row.path = self._path(data, base)
        if joins := _join(data["label"]):
            row.label = joins
        else:
            pill = f"{row.path if data['op'] == 'get_attr' else data['label']} {data['config']}".rstrip()
            names = {"get_attr": pill, UNREAD: pill, "placeholder": data["target"]}
            row.label = short(str(names.get(data["op"], data["label"])), LONGEST_LABEL)
            longest = labels.LONGEST_CONFIG if data["op"] == "call_module" else labels.LONGEST_LITERALS
            inside = ", ".join(filter(None, (f"{closed_inside(data)} ops", data.get("shared", ""))))
            row.config = short(inside if closed_inside(data) else uncounted(data), longest)
        row.chips += [RETURNED for key in row.keys if key in self.subject.returned]
        row.chips += [(name, NAME) for key in row.keys for name in self.named.get(key, ())]
        made = [self.names[key] for key in row.keys if key in self.names]
        row.chips += [(name, NAME) for name in made if name not in (row.label, end_of(row.path))]
        row.change = self._change(row.keys)
        row.parameters = " + ".join(filter(None, (parameters_text([node], node["multiplicity"]) for node in nodes)))
        if row.change:
            row.parameters = labels.changed_parameters(nodes) or row.parameters
            found = next((each for each in data["differences"] if each.attribute == "config"), None)
            both = f"{found.before} {BECAME} {found.after}" if found and found.before and found.after else ""
            row.config = clean(both) if 0 < len(both) <= labels.LONGEST_CONFIG else row.config
        row.share = self.subject.share(row.keys)
        edges = self.subject.graph.sources(row.keys[0]).values()
        differs = any("outputs" in node.get("each_copy", ()) for node in nodes)
        row.same_shape = not differs and {edge.get("shape") for edge in edges} == {nodes[-1]["shape"]}

    def _path(self, data: NodeData, base: str) -> str:
        """Return the path relative to the enclosing frame; for a closed run, the first and the last path."""
        own = data["module"] if data["parameters"] and data["module"] != base else ""
        path = relative_path(own_path(data) or own, base)
        if run := run_of(self.subject.graph, data):
            path = span(path, relative_path(run.last, base))
        return short(path, labels.LONGEST_PATH)


def _loops(carried: Iterable[Carried], item_of: dict[str, str]) -> dict[Edge, str]:
    """Return the ends of the values that steps carry, each with the first shape and the number of further values."""
    shapes: dict[Edge, list[str]] = {}
    for each in carried:
        edge = Edge(item_of[each.source], item_of[each.reader])
        shapes.setdefault(edge, []).append(labels.shape_text(each.outputs))
    return {edge: f"{found[0]} +{len(found) - 1}" if len(found) > 1 else found[0] for edge, found in shapes.items()}


def _join(label: str) -> str:
    """Return the text for what joins values: a concatenation, a stack, or experts; "" for other operations."""
    name = base(label)
    return "concat" if name in CONCATENATIONS else name if name in (*JOINS, DISPATCH, COMBINE) else ""


def sign_of(label: str) -> str:
    """Return the sign of a sum or product, "" for other operations.

    >>> sign_of("add"), sign_of("iadd"), sign_of("mul_"), sign_of("addmm")
    ('+', '+', '×', '')
    """
    return SIGNS.get(operator_of(label), "")


def _in_order(scene: Scene) -> Iterator[Edge]:
    """Return edges that stack items without dataflow."""
    for group in (scene.root, *scene.groups()):
        inside = [[child] if isinstance(child, Item) else list(child.walk()) for child in group.children]
        known = [keys for each in inside if (keys := [item.key for item in each if isinstance(item, Item)])]
        yield from (Edge(a[-1], b[0]) for a, b in pairwise(known))
