"""The lint rules. Each docstring explains why the pattern is a mistake, and which exceptions the rule makes."""

from __future__ import annotations

from collections.abc import Iterator

from fxsummary.graph.findings import Finding
from fxsummary.graph.labels import is_batch_norm, is_instance_norm
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo, ParameterInfo
from fxsummary.graph.spec import leaves
from fxsummary.passes import notes
from fxsummary.review import chain_rules, memory_rules
from fxsummary.review.lint import rule
from fxsummary.review.queries import knows_dataflow, name_of
from fxsummary.text.numbers import count

__all__ = ["chain_rules", "memory_rules"]


@rule("unread-parameters", "A parameter that forward never reads is not trained.")
def unread_parameters(graph: ModelGraph) -> Iterator[Finding]:
    """Parameters that forward never reads.

    They take memory, appear in checkpoints, and have no gradient: ``DistributedDataParallel`` raises unless
    ``find_unused_parameters`` is set. Usually a layer was replaced and the old parameter stayed, or a branch depends on
    an option. A parameter that only train mode or an optional input needs is reported too (wav2vec's
    ``masked_spec_embed``, XLNet's segment embeddings): pass that input, or ignore the finding. `uncalled_modules`
    reports modules that are never called at all. An expert that the router did not choose is not reported if the choice
    was assumed.
    """
    silent, lines = {module.path for module in _uncalled(graph)}, _lines(graph)
    for path, module in graph.modules.items() if knows_dataflow(graph) else ():
        if any(path == each or path.startswith(f"{each}.") for each in silent) or _is_choice(graph, path):
            continue
        for each in module.parameters:
            if not each.buffer and not each.read and each.tied_to is None:
                message = f"{each.name} ({count(each.numel)} parameters) is never read in this forward"
                remedy = "Remove it, or read it in forward."
                yield Finding("unread-parameters", message, each.name, lines.get(path, ""), remedy=remedy)


@rule("uncalled-modules", "A module that forward never calls is not trained.")
def uncalled_modules(graph: ModelGraph) -> Iterator[Finding]:
    """The outermost modules with parameters that forward neither calls nor reads.

    Their parameters are not trained, but take memory and must be in every checkpoint. Usually a layer was left behind.
    Auxiliary heads, such as Inception's, run in train mode only: lint the model in train mode (``--train``), or
    ignore them by path. An expert that the router did not choose is not reported if the choice was assumed.
    """
    lines = _lines(graph)
    for module in _uncalled(graph) if knows_dataflow(graph) else ():
        held = [m for path, m in graph.modules.items() if f"{path}.".startswith(f"{module.path}.")]
        number = sum(p.numel or 0 for m in held for p in m.parameters if not p.buffer and p.tied_to is None)
        message = f"{module.path} ({module.type}, {count(number)} parameters) is never called in this forward"
        remedy = "Remove it, or call it in forward" + ("." if module.training else "; does it run in train mode only?")
        source = lines.get(module.path.rpartition(".")[0], "")
        yield Finding("uncalled-modules", message, module.path, source, remedy=remedy)


@rule("bias-before-norm", "A norm that subtracts the mean cancels the bias before it.")
def bias_before_norm(graph: ModelGraph) -> Iterator[Finding]:
    """A convolution or linear layer with a bias right before a batch or instance norm.

    The norm subtracts the mean of each channel, and the bias with it, so the bias has no effect on the result; the
    norm's own bias replaces it. ``bias=False`` saves the parameters and the addition. torchvision's VGG with batch
    norm keeps such biases so that old checkpoints load. The rule does not apply to group and layer norm, which
    subtract a mean over several channels, nor to frozen norms, which do not subtract the batch mean.
    """
    seen: set[str] = set()
    for key, label in graph.nodes(data="label"):
        if not (is_batch_norm(label) or is_instance_norm(label)) or "frozen" in label.lower():
            continue
        source = graph.only_source(key)
        if source is None or len(graph.readers(source)) != 1:
            continue
        data = graph.nodes[source]
        path, shape = data["target"], data["shape"]
        is_per_channel = data["kind"] == "linear" and (shape is None or len(shape) == 2)  # else it norms other features
        if data["op"] != "call_module" or path in seen or not (is_per_channel or data["kind"] == "convolution"):
            continue
        bias = _own(graph, path, "bias")
        if bias is not None and bias.numel:
            seen.add(path)
            who = f"the {count(bias.numel)} biases of {path}"
            message = f"{who} are redundant: in training, {label} subtracts the mean that they shift"
            yield Finding("bias-before-norm", message, path, data["source"], remedy="Pass bias=False.")


@rule("active-dropout", "Dropout in eval mode makes results random.")
def active_dropout(graph: ModelGraph) -> Iterator[Finding]:
    """Dropout that is active while the model is in eval mode.

    ``F.dropout(x)`` is active by default, even in eval mode, unless you pass ``training=self.training``. Results then
    differ from call to call, and are worse than necessary. Models in train mode are not reported, because dropout
    belongs there.
    """
    root = graph.modules.get("")
    if graph.captured_by == "modules" or root is None or root.training:
        return
    for key in notes.active_dropout(graph):
        data, name = graph.nodes[key], name_of(graph, key)
        message = f"{data['label']} ({name}) is active although the model is in eval mode"
        is_module = data["op"] == "call_module"
        remedy = "Call eval() on the whole model." if is_module else "Pass training=self.training."
        yield Finding("active-dropout", message, name, data["source"], remedy=remedy)


@rule("float64", "float64 is slow on accelerators, and spreads to later operations.")
def float64(graph: ModelGraph) -> Iterator[Finding]:
    """Operations that introduce float64 into a model of another precision, once per line of code.

    float64 is slow or missing on accelerators, and it spreads to everything computed from it. It comes from NumPy
    arrays, from ``torch.tensor`` of NumPy scalars and from ``.double()``. Models with float64 parameters or inputs are
    not reported, because they use it on purpose.
    """
    dtypes, remedy = graph.totals.bytes_by_dtype, "Convert it to the model's dtype, for example with .to(x.dtype)."
    wide = {key: any(each.dtype in _WIDE for each in leaves(out)) for key, out in graph.nodes(data="outputs")}
    wide_inputs = any(wide[key] for key, op in graph.nodes(data="op") if op == "placeholder")
    if wide_inputs or 2 * dtypes.get("float64", 0) > sum(dtypes.values()):
        return
    for each in (each for module in graph.modules.values() for each in module.parameters):
        if each.spec is not None and each.spec.dtype in _WIDE and each.tied_to is None:
            what = "buffer" if each.buffer else "parameter"
            yield Finding("float64", f"the {what} {each.name} is {each.spec.dtype}", each.name, remedy=remedy)
    lines: set[str] = set()
    for key, data in graph.nodes(data=True):
        if data["reads"] or not wide[key] or data["source"] in lines or any(map(wide.get, graph.sources(key))):
            continue
        lines.update({data["source"]} - {""})
        name = name_of(graph, key)
        message = f"{data['label']} ({name}) returns {data['dtype']} for inputs of other dtypes"
        message = f"the constant {name} is {data['dtype']}" if data["op"] == "get_attr" else message
        yield Finding("float64", message, name, data["source"], remedy=remedy)


_WIDE = frozenset({"float64", "complex128"})


@rule("untied-weights", "The embedding and the output layer may be meant to share one weight.", is_advice=True)
def untied_weights(graph: ModelGraph) -> Iterator[Finding]:
    """An embedding and an output layer of the same shape that are not tied (advice).

    Language models up to a few billion parameters often share these two, which saves many parameters. An intended tie
    is lost if you assign a new weight, ``copy.deepcopy`` a part, or build the head after tying. This is advice, because
    a graph does not show the intention, and large models (Llama) keep them separate on purpose.
    """

    def weights(kind: str) -> list[ParameterInfo]:
        own = [m.parameters for m in graph.modules.values() if m.type == kind and m.called]
        return [w for held in own for w in [p for p in held if p.name.endswith("weight")][:1] if w.spec]

    embeddings = weights("Embedding")
    tied = {each.tied_to for module in graph.modules.values() for each in module.parameters}
    for head in weights("Linear"):
        twin = next((w for w in embeddings if w.spec and head.spec and w.spec.shape == head.spec.shape), None)
        if twin and head.tied_to is None and head.name not in tied and head.read:
            message = f"{head.name} and {twin.name} have the same shape, and are not tied"
            remedy = f"If they should share one weight, tie them: this saves {count(head.numel)} parameters."
            yield Finding("untied-weights", message, head.name, remedy=remedy)


@rule("channel-multiples", "Tensor cores work on multiples of 8 channels.", is_advice=True)
def channel_multiples(graph: ModelGraph) -> Iterator[Finding]:
    """Channel counts that are not multiples of 8 (advice).

    Tensor cores work on tiles of 8 (float16) or more; a width of 100 costs as much as 104. This is advice, because many
    good models have other widths (GoogLeNet, EfficientNet's squeeze layers). The rule ignores widths that the task
    dictates (input channels, output classes), depthwise convolutions, and widths below 16.
    """
    outputs = [data["shape"] for _, data in graph.nodes(data=True) if data["op"] == "output" and data["shape"]]
    given = {size for shape in outputs for size in shape}
    for _, data in graph.nodes(data=True):
        if data["op"] != "call_module" or data["kind"] not in ("convolution", "linear"):
            continue
        weight = _own(graph, data["target"], "weight")
        shape = weight.spec.shape if weight is not None and weight.spec is not None else ()
        if not shape or "Transpose" in data["label"] or (len(shape) > 2 and shape[1] == 1):
            continue  # the output channels come first, except in transposed convolutions
        width = shape[0]
        if width >= 16 and width % 8 and width not in given:
            message = f"{data['target']} ({data['label']}) has {width} output channels, not a multiple of 8"
            remedy = f"Consider {8 * -(-width // 8)}: matrix units of GPUs work on multiples of 8."
            yield Finding("channel-multiples", message, data["target"], data["source"], remedy=remedy, level="notice")


def _lines(graph: ModelGraph) -> dict[str, str]:
    """Return the first known line of each module's forward, and for a module that is one operation that of its call."""
    found: dict[str, str] = {}
    for _, data in graph.nodes(data=True):
        path = data["module"]
        places = (path, path.rpartition(".")[0]) if data["op"] == "call_module" else (path,)
        for place in places if data["source"] else ():
            found.setdefault(place, data["source"])
    return found


def _uncalled(graph: ModelGraph) -> Iterator[ModuleInfo]:
    """Return the outermost modules with parameters that forward never calls, except experts that were not chosen."""
    return (module for module in notes.never_called(graph) if not _is_choice(graph, module.path))


def _is_choice(graph: ModelGraph, path: str) -> bool:
    """Return whether a module is one of several numbered siblings, among which forward chooses by an assumed value."""
    if not any(assumed for _, assumed in graph.nodes(data="assumed")):
        return False
    parts = path.split(".")
    for at in (at for at, part in enumerate(parts) if part.isdigit()):
        own, holder = graph.modules.get(".".join(parts[: at + 1])), graph.modules.get(".".join(parts[:at]))
        siblings = [] if own is None or holder is None or own.called else [graph.modules[p] for p in holder.children]
        if any(each.called and own is not None and each.type == own.type for each in siblings):
            return True
    return False


def _own(graph: ModelGraph, path: str, name: str) -> ParameterInfo | None:
    module = graph.modules.get(path)
    return next((p for p in module.parameters if p.name == f"{path}.{name}"), None) if module else None
