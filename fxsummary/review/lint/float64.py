"""Operations that turn to float64 in a model of another precision.

float64 is slow on accelerators, some have none, and it spreads to what is computed from it. It comes from numpy arrays,
from ``torch.tensor`` of numpy scalars and from ``.double()``. A model whose parameters or inputs are float64 means it.
"""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import leaves
from fxsummary.review.lint.facts import name_of
from fxsummary.review.lint.rule import Rule

_WIDE = frozenset({"float64", "complex128"})


def find(graph: ModelGraph) -> Iterator[Finding]:
    """Where float64 comes from: parameters, then operations that read none; one finding for each line of code."""
    dtypes = graph.totals.bytes_by_dtype
    wide_inputs = any(_is_wide(data["outputs"]) for _, data in graph.nodes(data=True) if data["op"] == "placeholder")
    if wide_inputs or 2 * dtypes.get("float64", 0) > sum(dtypes.values()):
        return
    for module in graph.modules.values():
        for each in module.parameters:
            if each.spec is not None and each.spec.dtype in _WIDE and each.tied_to is None:
                what = "buffer" if each.buffer else "parameter"
                yield Finding("float64", f"the {what} {each.name} is {each.spec.dtype}", each.name, remedy=REMEDY)
    lines: set[str] = set()
    for key, data in graph.nodes(data=True):
        if data["reads"] or not _is_wide(data["outputs"]) or data["source"] in lines:
            continue
        if any(_is_wide(graph.nodes[source]["outputs"]) for source in graph.sources(key)):
            continue
        lines.update({data["source"]} - {""})
        message = f"{data['label']} ({name_of(graph, key)}) makes {data['dtype']} of other dtypes"
        if data["op"] == "get_attr":
            message = f"the constant {name_of(graph, key)} is {data['dtype']}"
        yield Finding("float64", message, name_of(graph, key), data["source"], remedy=REMEDY)


def _is_wide(outputs: object) -> bool:
    return any(spec.dtype in _WIDE for spec in leaves(outputs))


REMEDY = "Make it the dtype of the model, such as with .to(x.dtype)."
RULE = Rule("float64", find, "float64 is slow on accelerators, and spreads.")
