"""The time of a forward pass at best: for each operation the longer of computing and of moving its bytes.

Williams, Waterman, Patterson: Roofline, Communications of the ACM 52 (4), 2009.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from fxsummary.errors import InputError
from fxsummary.graph.attributes import NODE, NodeData
from fxsummary.graph.device import Device, device_of, shares_of
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.records import known
from fxsummary.graph.roofline import Cost, Roofline
from fxsummary.graph.spec import leaves
from fxsummary.passes.traffic import Traffic, traffic, weights_read


def roofline(
    graph: ModelGraph,
    device: Device | str = "H100",
    *,
    efficiency: float | tuple[float, float] = 1.0,
    tf32: bool | None = None,
) -> Roofline:
    """Return the time of the forward pass at best on a device; see `ModelGraph.roofline`."""
    found, shares = device_of(device), shares_of(efficiency)
    if not graph.storages or graph.comparison or any(data["multiplicity"] != 1 for _, data in graph.nodes(data=True)):
        raise InputError(
            f"the bytes that {graph.name} moves are unknown, because its shapes are, or it is folded or a comparison: "
            "call roofline() on the graph that fxsummary.graph(model, ...) returns."
        )
    moved = traffic(graph)
    peaks: dict[str, float] = {}
    costs: dict[str, Cost] = {}
    for key, data in graph.nodes(data=True):
        flops = known(data, "flops")
        name = _rate(data, found, tf32)
        if flops:
            peaks[name] = found.peak(name)
        compute, nbytes = flops / (found.peak(name) * shares[0]), moved[key].nbytes
        costs[key] = Cost(flops, nbytes, compute, nbytes / (found.bandwidth * shares[1]))
    unknown = [key for key, data in graph.nodes(data=True) if data["flops"] is None or not moved[key].is_known]
    result = Roofline(
        device=found,
        peaks=peaks,
        efficiency=shares,
        operations=costs,
        compulsory=compulsory(graph, moved),
        unknown=tuple(unknown),
        is_assumed=any(data["assumed"] or data["trust"] == "assumed" for _, data in graph.nodes(data=True)),
        graph=_annotated(graph, costs),
    )
    result.graph.roofline_found = result
    return result


def _rate(data: NodeData, device: Device, tf32: bool | None) -> str:
    """Return the name of the rate that an operation runs at: the dtype of its result, or "tf32"."""
    dtype = next((spec.dtype for spec in leaves(data["outputs"])), "")
    return device.rate_of(dtype, data["kind"] == "convolution" if tf32 is None else tf32)


def compulsory(graph: ModelGraph, moved: Mapping[str, Traffic]) -> int:
    """Return the bytes that any implementation moves: weights that are read, inputs, and new outputs, each once.

    An output under the name of an input is state, such as a cache: only its growth is new.
    """
    given = {name: spec.nbytes for name, spec in graph.inputs.items() if spec is not None}
    returned = graph.output_spec if isinstance(graph.output_spec, dict) else {"": graph.output_spec}
    new = 0
    for name, value in returned.items():
        before = sum(
            nbytes for each, nbytes in given.items() if each == name or each.startswith((f"{name}.", f"{name}_"))
        )
        new += max(sum(spec.nbytes for spec in leaves(value)) - before, 0)
    return sum(weights_read(moved).values()) + sum(_read(graph, given)) + new


def is_part(name: str, whole: str) -> bool:
    """Whether an input is an argument of forward, or a tensor in it."""
    return name == whole or name.startswith((f"{whole}.", f"{whole}_"))


def _read(graph: ModelGraph, given: Mapping[str, int]) -> Iterable[int]:
    """Yield the bytes of the inputs that an operation reads."""
    for key, data in graph.nodes(data=True):
        if data["op"] == "placeholder" and graph.readers(key):
            yield given.get(data["target"], 0)


def _annotated(graph: ModelGraph, costs: Mapping[str, Cost]) -> ModelGraph:
    """Return a copy of the graph with the costs as attributes."""

    def with_costs(key: str, data: NodeData) -> NodeData:
        cost = costs[key]
        if not cost.nbytes and not cost.flops:
            return data
        computing = cost.seconds if cost.is_compute_bound else 0.0
        own = {**data, "moved": cost.nbytes, "seconds": cost.seconds, "compute_seconds": computing}
        return cast(NodeData, {**own, **{name: compute(own) for name, compute in NODE.recomputed.items()}})

    nodes = [(key, with_costs(key, data)) for key, data in graph.nodes(data=True)]
    return graph.derived(nodes, graph.links())
