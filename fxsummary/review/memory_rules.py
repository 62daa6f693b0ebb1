"""The lint rules on memory, all of them advice: models that have these patterns are not wrong, but take more memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fxsummary.graph.attributes import own_path
from fxsummary.graph.findings import Finding
from fxsummary.graph.labels import operator_of
from fxsummary.graph.modelgraph import ModelGraph
from fxsummary.graph.spec import TensorSpec, itemsize
from fxsummary.review.lint import rule
from fxsummary.text.numbers import share, size

LEAST_SHARE = 0.1
"""Share of the peak from which memory is worth a finding."""

_FLOATS = ("float16", "bfloat16", "float32", "float64")


@rule("held-values", "A value that nothing reads any more takes memory until Python lets go of it.", is_advice=True)
def held_values(graph: ModelGraph) -> Iterator[Finding]:
    """Values in use at the peak, at least a tenth of it, that Python holds after their last use.

    A local variable lives until it is assigned again or its function returns, and the arguments of a module call until
    the call returns. Assign the new value to the same name, or use ``del``.
    """
    memory = graph.memory
    for each in memory.alive if memory is not None else ():
        if each.is_held and memory is not None and each.nbytes > LEAST_SHARE * memory.peak:
            message = (
                f"{each.name} ({size(each.nbytes)}, {share(each.nbytes, memory.peak)} of the peak) is {each.reason}"
            )
            source = graph.nodes[each.operation]["source"] if each.operation in graph else ""
            remedy = "Assign the next value to the same name, or delete it after its last use."
            yield Finding("held-values", message, each.name, source, remedy=remedy, level="notice")


@rule("float32-islands", "Operations in float32 take twice the memory of a half-precision model.", is_advice=True)
def float32_islands(graph: ModelGraph) -> Iterator[Finding]:
    """Classes of modules that compute in float32 inside of a half-precision model.

    A norm that is written out in float32 makes several tensors of twice the size, and autograd saves some of them. The
    fused operator (``torch.nn.RMSNorm``) computes in float32 too but keeps none. Reported once per class, if its
    results in float32 are more than a tenth of the bytes of all results.
    """
    dtypes = graph.totals.bytes_by_dtype
    if 2 * sum(dtypes.get(name, 0) for name in ("float16", "bfloat16")) <= sum(dtypes.values()):
        return
    wide: dict[str, int] = defaultdict(int)
    first: dict[str, str] = {}
    whole = sum(data["output_bytes"] or 0 for _, data in graph.nodes(data=True))
    for key, data in graph.nodes(data=True):
        if data["dtype"] == "float32" and data["op"].startswith("call_"):
            wide[data["module_type"]] += data["output_bytes"] or 0
            first.setdefault(data["module_type"], key)
    for name, nbytes in wide.items():
        if nbytes > LEAST_SHARE * whole:
            data = graph.nodes[first[name]]
            message = f"{name} computes in float32: {size(nbytes)}, {share(nbytes, whole)} of the bytes of all results"
            remedy = "Use a fused operator, or convert back to the model's dtype earlier."
            yield Finding("float32-islands", message, data["module"], data["source"], remedy=remedy, level="notice")


@rule("wide-residuals", "A sum with a wider operand makes everything after it wider.", is_advice=True)
def wide_residuals(graph: ModelGraph) -> Iterator[Finding]:
    """Sums of tensors of two floating-point dtypes and of the same shape, once per line of code.

    The result has the wider dtype, and so have all residual sums after it: one float32 scale in a bfloat16 model
    doubles the memory of the residual stream.
    """
    lines: set[str] = set()
    for key, data in graph.nodes(data=True):
        result = data["outputs"]
        if operator_of(data["label"]) != "add" or not isinstance(result, TensorSpec) or data["source"] in lines:
            continue
        specs = [spec for each in graph.sources(key) if isinstance(spec := graph.nodes[each]["outputs"], TensorSpec)]
        found = {each.dtype for each in specs if each.shape == result.shape and each.dtype in _FLOATS}
        if len(found) > 1:
            lines.update({data["source"]} - {""})
            dtypes = " and ".join(sorted(found, key=itemsize))
            message = f"{own_path(data) or key} adds {dtypes}, and everything that reads it is {result.dtype}"
            remedy = "Convert the wider operand first."
            yield Finding("wide-residuals", message, data["module"], data["source"], remedy=remedy, level="notice")
