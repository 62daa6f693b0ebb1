"""Export to a Mermaid flowchart, which GitHub renders in Markdown: a subgraph per block, repeats folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from fxsummary.drawing.labels import parameters_text, shape_of
from fxsummary.drawing.look import DIRECTIONS, check_name
from fxsummary.drawing.style import LIGHT, colour_of
from fxsummary.errors import TooLargeError
from fxsummary.graph.attributes import NodeData
from fxsummary.graph.changes import SIGNS, joined
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.pictures import Fold
from fxsummary.text import numbers as fmt
from fxsummary.text.numbers import clean, relative_path, run_name, shorten
from fxsummary.views.blocks import Block, block_tree, run_of
from fxsummary.views.broadcast import cut_broadcasts, original_name
from fxsummary.views.depth import check_depth, limit_depth
from fxsummary.views.dissolve import dissolve
from fxsummary.views.shown import shown

MOST_EDGES = 400
MOST_CHARACTERS = 45_000
"""Below Mermaid's own limits of 500 edges and 50,000 characters, which GitHub uses."""
LONGEST_LINE = 60
MOST_IN_A_BOX = 3
"""Maximum number of operations in a box: a convolution, its norm and its activation."""
DEEPEST = 12

_ARROW = " --> "
_COPIES = re.compile(r' ×\d+("|<br>)')
_SPECIAL = re.compile(r"[^\w ×→…·≥≈+=,./()?-]")
_FRAME = re.compile(r" *subgraph (b\d+)\[")
_SHAPES = {"input": ('(["', '"])'), "output": ('(["', '"])'), "parameter": ('[/"', '"/]')}


def to_mermaid(graph: ModelGraph, *, depth: int | None = None, fold: Fold = "similar", direction: str = "TB") -> str:
    """Return the graph as the source of a Mermaid flowchart; see `ModelGraph.to_mermaid`."""
    check_name("direction", direction, DIRECTIONS)
    depth = check_depth(depth)
    folded = shown(graph, fold=fold)
    nesting = 1 + max((len(stack) for _, stack in folded.nodes(data="module_stack")), default=0)
    deepest = (nesting, *range(min(nesting - 1, DEEPEST), -1, -1))
    wished, remedy = "", ", and no depth fits: render to .svg, which has no limit."
    for level in deepest if depth is None else range(depth, -1, -1):
        source = _source(limit_depth(folded, level), direction)
        wished = wished or source
        if fits(source) and (depth is None or source is wished):
            return source
        if fits(source):
            remedy = f": pass depth={level}, which fits."
            break
    raise TooLargeError(
        f"the flowchart would have {wished.count(_ARROW):,} edges and {len(wished):,} characters, "
        f"and GitHub draws up to {MOST_EDGES} and {MOST_CHARACTERS:,}{remedy}"
    )


def fits(source: str) -> bool:
    """Return whether GitHub renders a flowchart."""
    return len(source) <= MOST_CHARACTERS and source.count(_ARROW) <= MOST_EDGES


def _source(whole: ModelGraph, direction: str) -> str:
    graph = cut_broadcasts(dissolve(whole, lambda block: False))
    root = block_tree(graph)
    boxes = _boxes(root, graph)
    ids = {key: f"n{index}" for index, keys in enumerate(boxes.values()) for key in keys}
    lines = [f"flowchart {direction}", *_blocks(root, graph, boxes, ids)]
    edges = [(ids[source], ids[target]) for source, target in graph.edges]
    lines += [f"  {source}{_ARROW}{target}" for source, target in edges if source != target]
    return "\n".join([*lines, *_legend(lines), *_colours(graph, boxes, ids), *_frames(lines)]) + "\n"


def _legend(lines: list[str]) -> Iterator[str]:
    """Yield a box next to the model that explains the marks on numbers and shapes."""
    boxes = "".join(line for line in lines if _ARROW not in line)
    if marks := fmt.marks_in(boxes, repeated=_COPIES.search(boxes) is not None):
        yield f'  marks["{"<br>".join(f"{mark} {fmt.MARKS[mark]}" for mark in marks)}"]'
        yield "  style marks fill:none,stroke:none"


def _boxes(root: Block, graph: ModelGraph) -> dict[str, list[str]]:
    """Return the operations of each box, by the first: itself, and the norm and activation that alone read it."""
    box_of: dict[str, list[str]] = {}
    for block in root.walk():
        before: str | Block = root
        for item in block.items:
            if isinstance(item, str):
                box = box_of[before] if isinstance(before, str) else []
                if not box or len(box) == MOST_IN_A_BOX or not _goes_on(graph, box[-1], item):
                    box = []
                box.append(item)
                box_of[item] = box
            before = item
    return {key: box_of[key] for key in graph if box_of[key][0] == key}


def _goes_on(graph: ModelGraph, first: str, second: str) -> bool:
    """Return whether an operation can join the box of the operation before it, such as an activation."""
    one, other = graph.nodes[first], graph.nodes[second]
    alone = len(graph.readers(first)) == 1 and graph.only_source(second) == first
    alike = one["multiplicity"] == other["multiplicity"] and not one.get("closed")
    return alone and alike and one["kind"] not in _SHAPES and other["kind"] in ("norm", "activation")


def _blocks(root: Block, graph: ModelGraph, boxes: Mapping[str, list[str]], ids: Mapping[str, str]) -> Iterator[str]:
    """Yield the nodes in nested subgraphs, one per block; with an explicit stack, because blocks can nest deeply."""
    opened: list[tuple[Iterator[str | Block], str, int]] = [(iter(root.items), "", 1)]
    number = 0
    while opened:
        items, path, copies = opened[-1]
        indent = "  " * min(len(opened), DEEPEST)
        item = next(items, None)
        if item is None:
            opened.pop()
            if opened:
                yield f"{indent[2:]}end"
        elif isinstance(item, Block):
            name = f"{shorten(item.name_from(path), LONGEST_LINE)} {item.type}{item.again}"
            yield f'{indent}subgraph b{number}["{escaped(name)}{item.copied}"]'
            number += 1
            opened.append((iter(item.items), item.path if item.call else path, item.copies))
        elif item in boxes:
            left, right = _SHAPES.get(_kind(graph.nodes[item]), ('["', '"]'))
            yield f"{indent}{ids[item]}{left}{_label(graph, boxes[item], path, copies)}{right}"


def _label(graph: ModelGraph, keys: list[str], parent: str, copies: int) -> str:
    """Return names and settings of the operations in a box, then its output shape and parameters.

    Args:
        parent, copies: path of the enclosing block, and the number of blocks that it represents.
    """
    operations = [graph.nodes[key] for key in keys]
    lines = [_name(graph, data, parent) for data in operations]
    if sign := SIGNS.get(joined(data.get("change", "same") for data in operations)):
        lines[0] = f"{sign} {lines[0]}"
    lines.insert(1, operations[0]["config"])
    lines.append(shape_of(operations[-1]))
    lines.append(parameters_text(operations, operations[0]["multiplicity"], " parameters"))
    repeat = operations[0]["multiplicity"] // copies if operations[0]["op"] != "stand_in" else 1
    lines = [escaped(line) for line in lines if line]
    run = graph.graph.get("repeats", {}).get(keys[0]) or run_of(graph, operations[0])
    copied = f" ×{repeat} {run.unit if run else ''}".rstrip() if repeat > 1 else ""
    return "<br>".join([lines[0] + copied, *lines[1:]])


def _name(graph: ModelGraph, data: NodeData, parent: str) -> str:
    if data["op"] == "stand_in":
        return original_name(graph, data, parent)
    if data["op"] not in ("call_module", "get_attr"):
        return str(data["label"])
    path = relative_path(data["target"], parent)
    if run := run_of(graph, data):
        path = run_name(path, relative_path(run.last, parent))
    return path if data["op"] == "get_attr" else f"{path} {data['label']}".strip()


def _kind(data: NodeData) -> str:
    """Return the kind that decides an operation's shape and colour; a stand-in looks like a parameter."""
    return "parameter" if data["op"] == "stand_in" else str(data["kind"])


def _colours(graph: ModelGraph, boxes: Iterable[str], ids: Mapping[str, str]) -> Iterator[str]:
    kinds: dict[str, list[str]] = {}
    for key in boxes:
        kinds.setdefault(colour_of(_kind(graph.nodes[key])), []).append(ids[key])
    for kind, members in sorted(kinds.items()):
        fill, stroke = LIGHT.kinds[kind]
        text = LIGHT.terminal_text if kind == "terminal" else LIGHT.text
        yield f"  classDef {kind} fill:{fill},stroke:{stroke},color:{text}"
        yield f"  class {','.join(members)} {kind}"


def _frames(lines: list[str]) -> Iterator[str]:
    """Yield the colour of the subgraphs: translucent, so that each is darker than the one around it.

    Mermaid colours their titles and the lines inside by the page's scheme, so the page must show through.
    """
    if frames := [found[1] for line in lines if (found := _FRAME.match(line))]:
        yield f"  classDef frame fill:{LIGHT.edge}0f,stroke:{LIGHT.edge}80"
        yield f"  class {','.join(frames)} frame"


def escaped(text: str) -> str:
    """Escape a text for a quoted Mermaid label: special characters become character codes.

    >>> escaped('a"b#c'), escaped("%%{init}")
    ('a#34;b#35;c', '#37;#37;#123;init#125;')
    """
    literal = clean(text).replace("\\", "∖").replace("$$", "$ $")  # which would be line breaks and formulas
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", shorten(literal, LONGEST_LINE))
