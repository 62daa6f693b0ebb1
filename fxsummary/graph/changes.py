"""The result of a comparison: changed operations, modules and totals, as frozen records and in words.

In a graph from `fxsummary.diff`, each node has `change`, one of `SIGNS`; `differences`, a tuple of `Difference`; and
`was`, its path in the old model if the path changed. A removed operation has costs of 0; its `differences` hold the
old costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from fxsummary.graph.attributes import NODE, NodeData
from fxsummary.graph.records import ModuleCall, Totals
from fxsummary.graph.spec import leaves
from fxsummary.text import numbers as fmt

if TYPE_CHECKING:
    from fxsummary.graph.modelgraph import ModelGraph

SIGNS = {"added": "+", "removed": "−", "changed": "~", "moved": "→", "same": ""}
"""The sign of each change, so that a change is visible without colour."""
REMOVED = "removed"
BECAME = "⇒"
"""Separates the old value from the new one; not →, which settings contain."""
LONGEST = 60
MANY = 4
"""Number of tensors or inputs from which a text does not list them."""
_SILENT = frozenset({*NODE.sums, "parameter_dtypes"}) - {"parameters"}
"""Attributes that `describe` skips: another difference or the cost columns already show them."""


class Difference(NamedTuple):
    """An attribute whose value changed."""

    attribute: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class ModuleChange:
    """The change of a module call. Counts include everything inside; None if unknown.

    Attributes:
        path: new module path; the old one if the module was removed. "" for the model itself.
        type: class name, with the old one first if it changed: ``BasicBlock ⇒ Bottleneck``.
        change: added, removed, changed, moved or same.
        was: old path if it changed, "" otherwise.
        parameters, flops: before and after.
    """

    path: str
    type: str
    change: str
    was: str = ""
    parameters: tuple[int | None, int | None] = (0, 0)
    flops: tuple[int | None, int | None] = (0, 0)


@dataclass(frozen=True, slots=True)
class Run:
    """A group of siblings of one class whose number changed.

    Attributes:
        path: path of their parent, such as ``encoder.layer``.
        type: their class name.
        before, after: their number before and after.
    """

    path: str
    type: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.before} → {self.after} {self.type}"


class Sides(NamedTuple):
    """The two graphs of a comparison, and the key in its result of each operation of ``before``."""

    before: ModelGraph
    after: ModelGraph
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The results of a comparison that are not stored on nodes.

    Attributes:
        before, after: totals of both models.
        names: how to call both models: their class names, or the names that were given.
        counts: number of operations by change, all of `SIGNS`.
        operations: number of operations before and after.
        modules: every module call, in execution order, the model itself first.
        runs: siblings whose number changed.
        inputs: text of the inputs before and after.
        peaks: bytes of activations at the peak before and after, each with the operation; None if unknown.
        calls: old module calls by new ones, where path or class changed.
        sides: both graphs; None in a comparison that was loaded from a file, which does not hold them.
    """

    before: Totals
    after: Totals
    names: tuple[str, str]
    counts: Mapping[str, int]
    operations: tuple[int, int]
    modules: tuple[ModuleChange, ...] = ()
    runs: tuple[Run, ...] = ()
    inputs: tuple[str, str] = ("", "")
    peaks: tuple[tuple[int, str] | None, tuple[int, str] | None] = (None, None)
    calls: Mapping[ModuleCall, ModuleCall] = field(default_factory=dict)
    sides: Sides | None = field(default=None, compare=False, repr=False)

    def plain(self) -> dict[str, object]:
        """Return the comparison, without its `sides`, as tuples, dicts and plain values."""
        return {
            "totals": tuple(asdict(totals) for totals in (self.before, self.after)),
            "names": self.names,
            "counts": dict(self.counts),
            "operations": self.operations,
            "modules": tuple(astuple(module) for module in self.modules),
            "runs": tuple(astuple(run) for run in self.runs),
            "inputs": self.inputs,
            "peaks": self.peaks,
            "calls": tuple((tuple(new), tuple(old)) for new, old in self.calls.items()),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Comparison:
        """Return the comparison, given the result of `plain`; raises KeyError or TypeError for anything else."""
        before, after = (Totals(**totals) for totals in plain["totals"])
        return cls(
            before,
            after,
            names=plain["names"],
            counts=plain["counts"],
            operations=plain["operations"],
            modules=tuple(ModuleChange(*module) for module in plain["modules"]),
            runs=tuple(Run(*run) for run in plain["runs"]),
            inputs=plain["inputs"],
            peaks=plain.get("peaks", (None, None)),
            calls={ModuleCall(*new): ModuleCall(*old) for new, old in plain["calls"]},
        )

    @property
    def runs_by_path(self) -> dict[str, list[Run]]:
        """The runs by the path of their parent."""
        return {each.path: [run for run in self.runs if run.path == each.path] for each in self.runs}

    @property
    def equal(self) -> bool:
        """Whether every operation and all totals are the same."""
        return self.before == self.after and not any(n for name, n in self.counts.items() if name != "same")


def joined(changes: Iterable[str]) -> str:
    """Return the change of a whole, given the changes of its parts.

    >>> joined(["added", "added"]), joined(["same", "moved"]), joined(["same", "added"]), joined([])
    ('added', 'moved', 'changed', 'same')
    """
    found = set(changes)
    if len(found) < 2:
        return next(iter(found), "same")
    return "moved" if found == {"same", "moved"} else "changed"


def before(data: Mapping[str, Any], attribute: str) -> Any:
    """Return the old value of an attribute; 0 for a cost of an added operation."""
    if data["change"] == "added":
        return 0 if attribute in NODE.sums else None
    now = data.get(attribute, NODE[attribute].default)
    return next((each.before for each in data["differences"] if each.attribute == attribute), now)


def follows(data: NodeData) -> bool:
    """Return whether an operation differs only in values that follow from its inputs: its output shape, its FLOPs."""
    if data["change"] != "changed" or data["op"] == "placeholder":
        return False
    changed = {each.attribute for each in data["differences"]}
    return not changed.isdisjoint(("outputs", "flops")) and NODE.following.issuperset(changed)


def describe(data: NodeData) -> str:
    """Describe an operation and its differences.

    >>> relu = {"op": "call_module", "label": "ReLU", "config": "", "change": "added", "differences": (), "was": ""}
    >>> describe(relu), describe({**relu, "change": "changed", "differences": (Difference("label", "GELU", "ReLU"),)})
    ('ReLU', 'GELU ⇒ ReLU')
    """
    name = {"placeholder": "input", "get_attr": "parameter"}.get(data["op"], data["label"])
    if data["change"] != "changed":
        was = f" (was {data['was']})" if data["was"] and data["change"] == "moved" else ""
        return f"{name} {data['config']}".rstrip() + was
    found = {each.attribute: (each.before, each.after) for each in data["differences"]}
    texts = []
    if "outputs" in found and "config" not in found and "label" not in found:
        texts.append(_results(*found["outputs"]))
    if "arguments" in found and len(found) == 1:
        texts.append(_became(*(f"({text})" for text in found["arguments"])))
    if "inputs" in found:
        one, other = found["inputs"]
        inputs = _became(", ".join(one), ", ".join(other)) if len(one) < MANY else f"{len(one)} other values"
        texts.append(f"reads {inputs}")
    if "parameter_dtypes" in found:
        was, now = (" and ".join(dtype for dtype, _ in pairs) or "none" for pairs in found["parameter_dtypes"])
        texts += [_became(was, now)] if was != now else []
    if "trainable_parameters" in found and "parameters" not in found:
        texts.append("trainable " + _became(*map(fmt.count, found["trainable_parameters"])))
    if not found.keys() - _SILENT and not texts and "buffers" in found:
        texts.append("buffers " + _became(*map(str, found["buffers"])))
    for added in NODE.added:
        if added in found:
            values = (fmt.UNKNOWN if value is None else NODE[added].text(value) for value in found[added])
            texts.append(f"{NODE[added].label} {_became(*values)}")
    if data["was"]:
        texts.append(f"(was {data['was']})")
    return ": ".join(filter(None, (_head(name, data["config"], found), ", ".join(texts))))


def _results(was: Any, now: Any) -> str:
    """Return the tensors before and after; of many, those that differ.

    >>> from fxsummary.graph.spec import TensorSpec
    >>> a, b = TensorSpec((1, 4), "float32"), TensorSpec((1, 8), "float32")
    >>> _results(a, b), _results((a,) * 5, (a, b, a, a, b)), _results((a,) * 5, (a,) * 9)
    ('1×4 float32 ⇒ 1×8 float32', '1×4 float32 ⇒ 1×8 float32 (2 of 5 tensors)', '5 ⇒ 9 tensors')
    """
    one, other = [*leaves(was)], [*leaves(now)]
    if len(one) != len(other) and max(len(one), len(other)) >= MANY:
        return f"{len(one)} {BECAME} {len(other)} tensors"
    if len(one) < MANY:
        return _became(*(", ".join(map(str, each)) or fmt.UNKNOWN for each in (one, other)))
    differing = [(str(a), str(b)) for a, b in zip(one, other, strict=True) if a != b]
    kinds = [_became(*pair) for pair in dict.fromkeys(differing)]
    return f"{fmt.listed(kinds, 2)} ({len(differing)} of {len(one)} tensors)"


def _head(name: str, config: str, found: Mapping[str, tuple[Any, Any]]) -> str:
    settings = found.get("config", (config, config))
    if "label" in found:
        return _became(*(f"{label} {text}".rstrip() for label, text in zip(found["label"], settings, strict=True)))
    if "config" in found:
        return f"{name} {_became(*(text or 'none' for text in settings))}"
    return f"{name} {config}".rstrip()


def _became(was: str, now: str) -> str:
    return f"{fmt.shorten(was, LONGEST)} {BECAME} {fmt.shorten(now, LONGEST)}"
