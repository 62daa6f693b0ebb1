"""Format the texts of a picture: shapes, paths, costs, tooltips, headers. `markup` escapes them later."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

from fxsummary.drawing.look import FACTS
from fxsummary.graph.attributes import NODE, NodeData, own_path
from fxsummary.graph.changes import before, describe
from fxsummary.graph.labels import is_batch_norm, is_instance_norm
from fxsummary.graph.modelgraph import ModelGraph, Totals
from fxsummary.graph.records import differing, is_unknown, over_copies
from fxsummary.graph.spec import leaves
from fxsummary.text import numbers as fmt
from fxsummary.text.series import in_one
from fxsummary.views.blocks import UNREAD, Block
from fxsummary.views.costs import in_groups

LONGEST_PATH, LONGEST_LABEL, LONGEST_CONFIG, LONGEST_LITERALS = 22, 40, 48, 28
LONGEST_SHAPE, LONGEST_SHAPES = 40, 24
LONGEST_TIP, MOST_MERGED = 600, 24


@dataclass(slots=True)
class Subject:
    """A graph to draw, with its original.

    Attributes:
        graph: the drawn graph; whole: the captured graph, for tooltips.
        returned: operations whose rows show that the model returns their value.
    """

    graph: ModelGraph
    whole: ModelGraph
    totals: Totals
    show: frozenset[str] = frozenset(FACTS)
    returned: frozenset[str] = frozenset()

    def node(self, key: str) -> NodeData:
        """Return the attributes of an operation."""
        attributes: NodeData = self.graph.nodes[key]
        return attributes

    def share(self, keys: Iterable[str]) -> float | None:
        """Return the share of operations in the model's FLOPs over all copies, from 0 to 1; None if unknown.

        It is 0 if the FLOPs of the whole model are unknown, because the page says so once.
        """
        if self.totals.flops is None:
            return 0.0
        keys = list(keys)
        if any(is_unknown(self.node(key), "flops") for key in keys):
            return None
        return self.known_flops(keys) / self.totals.flops if self.totals.flops else 0.0

    def known_flops(self, keys: Iterable[str]) -> int:
        """Return the known FLOPs of operations over all copies."""
        return sum(over_copies(data, "flops") for data in map(self.node, keys))


def short(text: str, width: int) -> str:
    """Clean a text and cut it in the middle; reads only the ends of a very long text."""
    ends = text if len(text) <= 4 * LONGEST_TIP else text[: 2 * LONGEST_TIP] + text[-2 * LONGEST_TIP :]
    return fmt.shorten(fmt.clean(ends), width)


def shape_of(data: NodeData) -> str:
    """Format the shapes of an operation's result: as ranges if they differ from copy to copy."""
    each = differing(data, "outputs") or (data["outputs"],)
    return fmt.about(in_one([shape_text(outputs) for outputs in each], as_ranges=True), data.get("assumed", False))


def shape_text(outputs: object, assumed: bool = False) -> str:
    """Format the shapes of the tensors in a result, marked if ``assumed``; "" if there are none or they are unknown.

    >>> from fxsummary.graph.spec import TensorSpec
    >>> half = TensorSpec((1, 8, 64, 32), "float32")
    >>> shape_text(half), shape_text((half, half)), shape_text(None)
    ('1×8×64×32', '2 × (1×8×64×32)', '')
    """
    shapes = [fmt.shape(spec.shape) for spec in leaves(outputs)]
    text = ", ".join(shapes)
    if len(shapes) < 2:
        text = short(text, LONGEST_SHAPE)
    elif len(set(shapes)) == 1:
        text = short(f"{len(shapes)} × ({shapes[0]})", LONGEST_SHAPE)
    elif len(text) > LONGEST_SHAPES:
        text = f"{short(shapes[0], LONGEST_SHAPE)}, + {len(shapes) - 1} more"
    return fmt.about(text, assumed)


def span(first: str, last: str) -> str:
    """Format the first and last path of a run.

    >>> span("layers.0", "layers.31"), span("h.10", "h.12"), span("enc.layer_0", "enc.layer_11"), span("a", "")
    ('layers.0 … 31', 'h.10 … 12', 'enc.layer_0 … 11', 'a')
    """
    if not last or first == last:
        return first
    return f"{first} … {last[fmt.common(first, last) :]}"


def closed_inside(data: NodeData) -> int:
    """Return the displayed number of operations in a closed module; 0 for norms, activations and other operations."""
    return 0 if data["kind"] in ("norm", "activation") else int(data.get("closed", 0))


def parameters_text(nodes: Iterable[NodeData], copies: int = 1, unit: str = "") -> str:
    """Format the parameters of operations over all their copies, for one of ``copies`` enclosing ones; "" for none.

    If the enclosing copies differ, it is the sum over them, with Σ.

    >>> one, other = {"parameters": 9408, "multiplicity": 1}, {"parameters": None, "multiplicity": 3}
    >>> parameters_text([one]), parameters_text([]), parameters_text([one, other], unit=" params")
    ('9.41 k', '', '≥ 9.41 k params')
    """
    nodes = list(nodes)
    numbers = [sum(of_one) for of_one in zip(*(in_groups(node, "parameters", copies) for node in nodes), strict=True)]
    number = min(numbers, default=0)
    if any(is_unknown(node, "parameters") for node in nodes):
        return f"≥ {fmt.parameters(number)}{unit}" if number else f"{fmt.UNKNOWN}{unit}"
    if number != max(numbers, default=0):
        return f"Σ {fmt.parameters(sum(numbers))}{unit}"
    return fmt.parameters(number) + unit if number else ""


def changed_parameters(nodes: Iterable[NodeData]) -> str:
    """Format the change in parameters of operations in a comparison; "" if there is none."""
    pairs = [(before(node, "parameters"), node["parameters"]) for node in nodes]
    was, now = (None if None in side else sum(side) for side in zip(*pairs, strict=True))
    return fmt.delta(was, now, fmt.parameters)


def chip_text(data: NodeData) -> str:
    """Return the short name of a norm or activation in the row of its convolution."""
    label = data["label"]
    if is_batch_norm(label):
        return "BN·Act" if label.lower().rstrip("123d").endswith("act") else "BN"
    return "IN" if is_instance_norm(label) else short(label.removesuffix("Activation"), 16)


def facts_of(subject: Subject, block: Block, times: int) -> str:
    """Return the text on the right of a header; ``times`` is the number of copies of the enclosing frames."""
    data = [subject.node(key) for key in block.operations()] if "parameters" in subject.show else []
    one = parameters_text(data, times * block.repeat)
    compared = subject.graph.comparison
    runs = () if compared is None else compared.runs_by_path.get(block.path, ())
    texts = [f"{run.before} → {run.after}" for run in runs]
    if one and block.repeat > 1 and not one.startswith("Σ"):
        texts.append(f"{one} × {block.repeat} = {parameters_text(data, times)} params")
    elif one:
        texts.append(f"{one} params")
    keys = list(block.operations()) if "flops" in subject.show else []
    share, assumed = subject.share(keys), any(subject.node(key)["trust"] == "assumed" for key in keys)
    if share is None:  # some FLOPs are unknown
        least = subject.known_flops(keys)
        texts.append(fmt.flops(least or None, lower_bound=bool(least), assumed=assumed))
    elif share >= 0.005:
        texts.append(fmt.about(f"{100 * share:.0f} % FLOPs", assumed))
    return " · ".join(texts)


def tips_of(subject: Subject, key: str) -> list[str]:
    """Return the lines of an operation's tooltip: call, path, shapes, costs of one copy and of all, source."""
    data = subject.node(key)
    merged = data.get("absorbed", ())
    lines = [call_text(subject, absorbed) for absorbed in merged[:MOST_MERGED]]
    lines += [f"… and {len(merged) - MOST_MERGED:,} more"] if len(merged) > MOST_MERGED else []
    lines.append(call_text(subject, key))
    if data.get("change", "same") != "same":
        lines.append(data["change"] if data["change"] != "changed" else f"changed: {describe(data)}")
    if data.get("closed"):
        lines.append(f"closed: {data['closed']} operations inside")
    if path := own_path(data) or data["module"]:
        lines.append(f"path: {path}")
    for source, edge in list(subject.graph.sources(key).items())[:4]:
        if (shape := edge.get("shape")) is not None:
            lines.append(f"input: {subject.node(source).get('stands_for', source)} {fmt.shape(shape)}")
    if outputs := [fmt.about(str(spec), data["assumed"]) for spec in leaves(data["outputs"])]:
        lines.append(f"output: {', '.join(outputs[:8])}{' …' if len(outputs) > 8 else ''}")
    for name in NODE.tips:
        if text := NODE.tip(name, data):
            share = subject.share([key]) if name == "flops" else 0.0
            lines.append(f"{NODE[name].label}: {text}" + (f" ({100 * share:.1f} %)" if share else ""))
    return [short(line, LONGEST_TIP) for line in lines]


_SLOT = re.compile("%%|%")
"""Matches a literal percent sign, or the slot of a value, in `arguments`."""


def call_text(subject: Subject, key: str) -> str:
    """Format the call, such as ``Conv2d(%relu) 64→128, 3×3``, with input names from the captured graph."""
    known = key in subject.whole
    graph = subject.whole if known else subject.graph
    data = graph.nodes[key]
    if data["op"] in ("placeholder", "get_attr"):
        return f"{data['op']} {data['target']}"
    if data["op"] == UNREAD:
        return f"{data['label']}: {data['config']}"
    edges = graph.sources(key).items()
    names = {slot: graph.nodes[source].get("stands_for", source) for source, edge in edges for slot in edge["slots"]}
    slots = count()
    filled = _SLOT.sub(lambda m: "%" if m[0] == "%%" else f"%{names.get(next(slots), '')}", data["arguments"])
    config = f"  {data['config']}" if data["op"] == "call_module" and data["config"] else ""
    return f"{data['label']}({filled}){config}"
