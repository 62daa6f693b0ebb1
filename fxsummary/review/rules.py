"""The lint rules: each docstring says why something is a mistake, and what the rule leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fxsummary.graph.attributes import own_path
from fxsummary.graph.findings import Finding
from fxsummary.graph.labels import DROPOUTS, IDENTITIES, VIEWS, base, is_batch_norm, is_instance_norm, writes
from fxsummary.graph.modelgraph import ModelGraph, ModuleInfo, ParameterInfo
from fxsummary.graph.spec import leaves
from fxsummary.passes import notes
from fxsummary.review.lint import RULES, Rule
from fxsummary.text.numbers import count

Find = Callable[[ModelGraph], Iterator[Finding]]


def rule(name: str, reason: str, *, is_advice: bool = False) -> Callable[[Find], Find]:
    """Register a function as the rule ``name``; for the others see `fxsummary.review.lint.Rule`."""

    def register(find: Find) -> Find:
        RULES.register(name, Rule(name, find, reason, is_advice))
        return find

    return register


@rule("unread-parameters", "A parameter that forward never reads is not trained.")
def unread_parameters(graph: ModelGraph) -> Iterator[Finding]:
    """Parameters that forward never reads.

    They take memory, appear in checkpoints, and have no gradient: ``DistributedDataParallel`` stops at them unless
    ``find_unused_parameters`` is set. Usually a layer was replaced and the old parameter stayed, or a branch depends on
    an option. One that only train mode or an optional input needs is reported, too (wav2vec's ``masked_spec_embed``,
    XLNet's segment embeddings): give that input, or ignore it. Modules that are never called at all are told by
    `uncalled_modules`. An expert that the example did not choose is not reported: which one is chosen was assumed.
    """
    silent = {module.path for module in _uncalled(graph)}
    for path, module in graph.modules.items() if _knows_dataflow(graph) else ():
        if any(path == each or path.startswith(f"{each}.") for each in silent) or _is_choice(graph, path):
            continue
        for each in module.parameters:
            if not each.buffer and not each.read and each.tied_to is None:
                message = f"{each.name} ({count(each.numel)} parameters) is never read in this forward"
                remedy = "Remove it, or read it in forward."
                yield Finding("unread-parameters", message, each.name, remedy=remedy)


@rule("uncalled-modules", "A module that forward never calls is not trained.")
def uncalled_modules(graph: ModelGraph) -> Iterator[Finding]:
    """Modules with parameters that forward never calls, and of which it reads nothing; the outermost of them.

    Their parameters are not trained, but take memory and must be in every checkpoint. Usually a layer was left behind.
    Auxiliary heads, such as that of Inception, run in train mode only: look at the model in train mode
    (``--train``), or ignore them by their path. An expert that the example did not choose is not reported.
    """
    for module in _uncalled(graph) if _knows_dataflow(graph) else ():
        held = [m for path, m in graph.modules.items() if f"{path}.".startswith(f"{module.path}.")]
        number = sum(p.numel or 0 for m in held for p in m.parameters if not p.buffer and p.tied_to is None)
        message = f"{module.path} ({module.type}, {count(number)} parameters) is never called in this forward"
        remedy = "Remove it, or call it in forward" + ("." if module.training else "; does it run in train mode only?")
        yield Finding("uncalled-modules", message, module.path, remedy=remedy)


@rule("dead-operations", "Work whose result nothing reads is done for nothing.")
def dead_operations(graph: ModelGraph) -> Iterator[Finding]:
    """Operations that cost something and whose result nothing reads; the last of each chain that leads nowhere.

    A matrix product, a convolution or a module with parameters whose result goes nowhere is work for nothing: usually a
    ``return`` forgot it, or a variable was overwritten. Only what has FLOPs or parameters is reported. Sizes,
    views, masks and positions that are computed and then not needed cost next to nothing; libraries leave such in
    their models on purpose, so that one forward serves several configurations.
    """
    if not _knows_dataflow(graph) or not any(op == "output" for _, op in graph.nodes(data="op")):
        return
    costly = {key for key, data in graph.nodes(data=True) if data["flops"] or data["parameters"]}
    dead: set[str] = set()
    for key in reversed(list(graph)):
        data, readers = graph.nodes[key], graph.readers(key)
        if data["op"] in ("output", "placeholder") or writes(data["label"]) or not dead.issuperset(readers):
            continue
        dead.add(key)
        if data["op"] != "get_attr" and key in costly and costly.isdisjoint(readers):
            name = _name_of(graph, key)
            message = f"nothing reads the result of {name} ({data['label']})"
            yield Finding("dead-operations", message, name, data["source"], remedy="Remove it, or use its result.")


@rule("bias-before-norm", "A norm that subtracts the mean takes away the bias before it.")
def bias_before_norm(graph: ModelGraph) -> Iterator[Finding]:
    """A convolution or linear layer with a bias right before a batch or instance norm.

    The norm subtracts the mean of each channel, and with it the bias, which therefore has no effect on the result;
    the norm's own bias takes its place. ``bias=False`` saves the parameters and the addition. torchvision's VGG with
    batch norm has such biases, kept so that old checkpoints load. Group and layer norm subtract a mean over several
    channels, before which a bias has an effect; a frozen norm subtracts none.
    """
    seen: set[str] = set()
    for key, label in graph.nodes(data="label"):
        if not (is_batch_norm(label) or is_instance_norm(label)) or "frozen" in label.lower():
            continue
        source = next(iter(graph.sources(key)), "") if len(graph.sources(key)) == 1 else ""
        if not source or len(graph.readers(source)) != 1:
            continue
        data = graph.nodes[source]
        path, shape = data["target"], data["shape"]
        is_per_channel = data["kind"] == "linear" and (shape is None or len(shape) == 2)  # not of other features
        if data["op"] != "call_module" or path in seen or not (is_per_channel or data["kind"] == "convolution"):
            continue
        bias = _own(graph, path, "bias")
        if bias is not None and bias.numel:
            seen.add(path)
            who = f"the {count(bias.numel)} biases of {path}"
            message = f"{who} are redundant: in training, {label} subtracts the mean that they shift"
            yield Finding("bias-before-norm", message, path, data["source"], remedy="Pass bias=False.")


@rule("double-activation", "An activation of an activation does nothing, or harm.")
def double_activation(graph: ModelGraph) -> Iterator[Finding]:
    """An activation right after an activation.

    ``relu(relu(x))`` is ``relu(x)``; ``log_softmax(softmax(x))`` and ``sigmoid(sigmoid(x))`` run and train, but badly:
    a classical slip is a softmax in front of another head that has one of its own. Between them only what changes
    no value is looked through (views, dropout). ``tanh(softplus(x))`` is part of Mish and meant.
    """
    seen: set[tuple[str, str]] = set()
    for key, data in graph.nodes(data=True):
        first = _activation_before(graph, key) if data["kind"] == "activation" else None
        if first is None:
            continue
        before = graph.nodes[first]
        labels = before["label"].lower().rstrip("_"), data["label"].lower().rstrip("_")
        names = _name_of(graph, first), _name_of(graph, key)
        if labels not in _MEANT and names not in seen:
            seen.add(names)
            message = f"{data['label']} ({names[1]}) follows {before['label']} ({names[0]})"
            yield Finding("double-activation", message, names[1], data["source"], remedy="Remove one of them.")


_PASSED = DROPOUTS | IDENTITIES | VIEWS
_MEANT = frozenset({("softplus", "tanh"), ("logsigmoid", "softplus")})


def _activation_before(graph: ModelGraph, key: str) -> str | None:
    while len(graph.sources(key)) == 1:
        (key,) = graph.sources(key)
        data = graph.nodes[key]
        if data["kind"] == "activation":
            return key
        if base(data["label"]) not in _PASSED:
            return None
    return None


@rule("active-dropout", "Dropout in eval mode makes results random.")
def active_dropout(graph: ModelGraph) -> Iterator[Finding]:
    """Dropout that is active while the model is in eval mode.

    ``F.dropout(x)`` drops by default, also in eval mode: it must be told ``training=self.training``. Results then
    differ from call to call, and are worse than they need to be. A model in train mode is not reported: there dropout
    is meant.
    """
    root = graph.modules.get("")
    if graph.captured_by == "modules" or root is None or root.training:
        return
    for key in notes.active_dropout(graph):
        data, name = graph.nodes[key], _name_of(graph, key)
        message = f"{data['label']} ({name}) is active, though the model is in eval mode"
        is_module = data["op"] == "call_module"
        remedy = "Call model.eval() on all of it." if is_module else "Pass training=self.training."
        yield Finding("active-dropout", message, name, data["source"], remedy=remedy)


@rule("float64", "float64 is slow on accelerators, and spreads.")
def float64(graph: ModelGraph) -> Iterator[Finding]:
    """Operations that turn to float64 in a model of another precision: where it comes from, once for a line of code.

    float64 is slow on accelerators, some have none, and it spreads to what is computed from it. It comes from numpy
    arrays, from ``torch.tensor`` of numpy scalars and from ``.double()``. A model whose parameters or inputs are
    float64 means it.
    """
    dtypes, remedy = graph.totals.bytes_by_dtype, "Make it the dtype of the model, such as with .to(x.dtype)."
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
        name = _name_of(graph, key)
        message = f"{data['label']} ({name}) makes {data['dtype']} of other dtypes"
        message = f"the constant {name} is {data['dtype']}" if data["op"] == "get_attr" else message
        yield Finding("float64", message, name, data["source"], remedy=remedy)


_WIDE = frozenset({"float64", "complex128"})


@rule("untied-weights", "Embedding and output layer may be meant to be one.", is_advice=True)
def untied_weights(graph: ModelGraph) -> Iterator[Finding]:
    """An embedding and an output layer of the same shape that are not tied (advice).

    Language models up to a few billion parameters often share these two, which saves a large part of them; a tie that
    was meant is lost by assigning a new weight, by ``copy.deepcopy`` of a part, or by building the head after tying. A
    graph does not tell what was meant, and large models (Llama) leave them apart on purpose: so this is advice.
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
            remedy = f"If they are meant to be one, tie them: it saves {count(head.numel)} parameters."
            yield Finding("untied-weights", message, head.name, remedy=remedy)


@rule("channel-multiples", "Tensor cores work on multiples of 8 channels.", is_advice=True)
def channel_multiples(graph: ModelGraph) -> Iterator[Finding]:
    """Channel counts that are not multiples of 8 (advice).

    Tensor cores work on tiles of 8 (float16) or more; a width of 100 costs as much as 104. Many good models go against
    it (GoogLeNet, EfficientNet's squeeze layers), so this is advice. What the task gives is not looked at: the channels
    of the inputs and of the outputs (3 colours, 1,000 classes), depthwise convolutions, and widths below 16.
    """
    outputs = [data["shape"] for _, data in graph.nodes(data=True) if data["op"] == "output" and data["shape"]]
    given = {size for shape in outputs for size in shape}
    for _, data in graph.nodes(data=True):
        if data["op"] != "call_module" or data["kind"] not in ("convolution", "linear"):
            continue
        weight = _own(graph, data["target"], "weight")
        shape = weight.spec.shape if weight is not None and weight.spec is not None else ()
        if not shape or "Transpose" in data["label"] or (len(shape) > 2 and shape[1] == 1):
            continue  # the weight has the output channels first, but for transposed convolutions
        width = shape[0]
        if width >= 16 and width % 8 and width not in given:
            message = f"{data['target']} ({data['label']}) has {width} output channels, no multiple of 8"
            remedy = f"Consider {8 * -(-width // 8)}: matrix units of GPUs work on multiples of 8."
            yield Finding("channel-multiples", message, data["target"], data["source"], remedy=remedy, level="notice")


# --- what several rules ask of a graph -----------------------------------------------------------


def _knows_dataflow(graph: ModelGraph) -> bool:
    """Whether the graph has all of forward, so that what is not in it is not done."""
    return graph.captured_by != "modules" and not graph.is_partial


def _uncalled(graph: ModelGraph) -> Iterator[ModuleInfo]:
    """The outermost modules with parameters that forward never calls, but for those that were not chosen."""
    return (module for module in notes.never_called(graph) if not _is_choice(graph, module.path))


def _is_choice(graph: ModelGraph, path: str) -> bool:
    """Whether a module is one of several numbered siblings among which forward chooses by an assumed value."""
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
    """The parameter of a module under a name of its own."""
    module = graph.modules.get(path)
    return next((p for p in module.parameters if p.name == f"{path}.{name}"), None) if module else None


def _name_of(graph: ModelGraph, key: str) -> str:
    """The path of the module or parameter of an operation, or its key."""
    return own_path(graph.nodes[key]) or key
