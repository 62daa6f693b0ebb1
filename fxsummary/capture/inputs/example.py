"""Example inputs as specs: only the shape, dtype and device of a tensor matter."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import nn

from fxsummary.capture.module_index import device_of, tensors_of
from fxsummary.capture.operations.twins import dtype_name, materialize, spec_of
from fxsummary.capture.structures import Args, Kwargs
from fxsummary.errors import InputError
from fxsummary.graph.spec import TensorSpec, contiguous, map_structure
from fxsummary.text.numbers import shape

T = TypeVar("T")
NamedLeaf = Callable[[str, Any], object]
"""Maps the name and value of an argument, or of an item inside it, to a new value."""


@dataclass(frozen=True)
class Inputs:
    """The arguments of one forward call, with `TensorSpec` for each tensor.

    Attributes:
        arguments: parameter name of forward -> value; a ``*args`` parameter has a tuple, ``**kwargs`` a dict.
        values: data of some tensors, by their name in `placeholder_names`, for a forward that depends on values.
        given: the arguments with the user's tensors; None if the inputs were not given.
        keywords: names of the arguments passed by keyword, because a wrapper of forward may treat these differently.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, torch.Tensor] = field(default_factory=dict)
    given: Mapping[str, Any] | None = None
    keywords: frozenset[str] = frozenset()

    def passing(self, arguments: Mapping[str, Any], device: str | None = None) -> Inputs:
        """Return the inputs with some arguments replaced or added.

        Args:
            arguments: as in `arguments`, or a tensor with data that matters.
            device: the device of the specs of such tensors.
        """
        values = {name: value for name, value in self.values.items() if name not in arguments}
        data = {name: value for name, value in arguments.items() if isinstance(value, torch.Tensor)}
        specs = {name: spec_of(value, device) for name, value in data.items()}
        given = {**self.arguments, **arguments, **specs}
        return replace(self, arguments=given, values={**values, **data}, given=None)

    def split(self, signature: inspect.Signature, arguments: Mapping[str, object]) -> tuple[Args, Kwargs]:
        """Split arguments into positional and keyword arguments, as the user passed them.

        Args:
            arguments: values by parameter name, as in `arguments`.
        """
        others = {name: value for name, value in arguments.items() if name not in self.keywords}
        bound = inspect.BoundArguments(signature, OrderedDict(others))
        return bound.args, bound.kwargs | {name: arguments[name] for name in arguments if name in self.keywords}

    def map(
        self, function: NamedLeaf, signature: inspect.Signature, arguments: Mapping[str, Any] | None = None
    ) -> tuple[Args, Kwargs]:
        """Return positional and keyword arguments, with ``function`` applied to each name and value in them."""
        mapped = {}
        for name, value in (self.arguments if arguments is None else arguments).items():
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                mapped[name] = {key: map_named(function, key, item) for key, item in value.items()}
            else:
                mapped[name] = map_named(function, name, value)
        return self.split(signature, mapped)

    def on_meta(self, function: Callable[..., T], signature: inspect.Signature) -> T:
        """Call ``function`` with meta tensors."""
        args, kwargs = self.map(lambda _, v: materialize(v) if isinstance(v, TensorSpec) else v, signature)
        return function(*args, **kwargs)


def forward_signature(model: nn.Module) -> inspect.Signature:
    """Return the signature of the model's forward, without ``self``."""
    forward: Any = model.forward
    return _of_schema(forward.schema) if isinstance(forward, torch.ScriptMethod) else inspect.signature(forward)


def _of_schema(schema: Any) -> inspect.Signature:
    """Return the signature of a method compiled by TorchScript."""
    return inspect.Signature(
        [
            inspect.Parameter(
                argument.name if argument.name.isidentifier() else f"input_{place}",
                inspect.Parameter.KEYWORD_ONLY if argument.kwarg_only else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=argument.default_value if argument.has_default_value() else inspect.Parameter.empty,
            )
            for place, argument in enumerate(schema.arguments[1:])
        ]
    )


def bind(model: nn.Module, args: Sequence[object], kwargs: Mapping[str, object]) -> Inputs:
    """Bind example inputs to forward's parameters.

    Raises:
        InputError: forward does not take them.
    """
    signature = forward_signature(model)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        given = [f"{len(args)} positional"] if args else []
        given += [f"{name}=" for name in kwargs]
        takes = ", ".join(map(str, signature.parameters.values()))
        raise InputError(
            f"forward of {type(model).__name__} takes ({takes}), but the inputs given are "
            f"{', '.join(given)}: {error}. Pass positional inputs after the model, and named ones in kwargs=."
        ) from error
    specs = {name: map_structure(_to_spec, value) for name, value in bound.arguments.items()}
    return Inputs(specs, given=dict(bound.arguments), keywords=frozenset(kwargs))


def from_shapes(model: nn.Module, shapes: object, dtypes: Mapping[str, object]) -> Inputs:
    """Make inputs of the given shapes, in the order of forward's parameters, or by name.

    Args:
        shapes: one shape, a sequence of shapes, or shapes by parameter name.
        dtypes: dtypes by name, as `dtypes_by_name` returns them; None means float32.

    Raises:
        InputError: a shape or dtype is invalid, or forward does not take that many inputs.
    """
    device = model_device(model)
    specs = {
        name: contiguous(tuple(shape), _dtype_name(dtype or "float32"), device)
        for (name, dtype), shape in zip(dtypes.items(), _each_shape(shapes), strict=True)
    }
    return bind(model, (), specs) if isinstance(shapes, Mapping) else bind(model, list(specs.values()), {})


def dtypes_by_name(model: nn.Module, shapes: object, dtypes: object) -> dict[str, Any]:
    """Return the given dtype of each shape by input name; None if it is not given.

    Args:
        shapes: as for `from_shapes`.
        dtypes: one dtype for all, one for each shape, or some by name; None for a missing one.

    Raises:
        InputError: a shape is invalid, or the number of dtypes differs from the number of shapes.
    """
    count = len(_each_shape(shapes))
    parameters = [*forward_signature(model).parameters]
    names = list(shapes) if isinstance(shapes, Mapping) else [*parameters, *map(str, range(count))][:count]
    if isinstance(dtypes, Mapping):
        unknown = [name for name in dtypes if name not in names]
        if unknown:
            raise InputError(f"input_dtype names {', '.join(unknown)}, but input_shape has no such shape.")
        return {name: dtypes.get(name) for name in names}
    given = list(dtypes) if isinstance(dtypes, (list, tuple)) else [dtypes] * count
    if len(given) != count:
        raise InputError(f"input_dtype has {len(given)} dtypes for {count} shapes; pass one per shape.")
    return dict(zip(names, given, strict=True))


def _each_shape(shapes: object) -> list[Any]:
    if isinstance(shapes, Mapping):
        each = list(shapes.values())
    else:
        each = [shapes] if is_shape(shapes) or not isinstance(shapes, (list, tuple)) else list(shapes)
    if not each or not all(map(is_shape, each)):
        raise InputError(
            f"input_shape={shapes!r} is neither a shape such as (1, 3, 224, 224), nor a list or a dict of shapes; "
            "sizes must be integers of 0 or more."
        )
    return each


def required(model: nn.Module) -> list[str]:
    """Return the names of forward's parameters without a default."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = forward_signature(model).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def model_device(model: nn.Module) -> str:
    """Return the device of the first parameter or buffer, "cpu" if there is none."""
    return device_of(tensors_of(model))


def map_named(function: NamedLeaf, name: str, value: Any) -> Any:
    """Apply a function to each value in the tuples, lists and dicts of an argument.

    A value's name consists of the argument's name and the indices or keys that lead to it.
    """
    if type(value) in (tuple, list) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        names = getattr(value, "_fields", range(len(value)))
        items = [map_named(function, f"{name}_{key}", item) for key, item in zip(names, value, strict=True)]
        return tuple.__new__(type(value), items) if isinstance(value, tuple) else items
    if type(value) is dict:
        return {key: map_named(function, f"{name}_{key}", item) for key, item in value.items()}
    return function(name, value)


def placeholder_names(inputs: Inputs) -> list[tuple[str, TensorSpec]]:
    """Return the name (see `map_named`) and the spec of each tensor among the inputs."""
    found: list[tuple[str, object]] = []
    for name, value in inputs.arguments.items():
        map_named(lambda *leaf: found.append(leaf), name, value)
    return [(name, value) for name, value in found if isinstance(value, TensorSpec)]


def describe(inputs: Inputs) -> str:
    """Return a short description, such as ``x 1×3×28×28, use_cache=False``; "none" if there are no inputs."""
    tensors = [f"{name} {shape(spec.shape)}" for name, spec in placeholder_names(inputs)]
    inside = [pair for value in inputs.arguments.values() if type(value) is dict for pair in value.items()]
    named = [*inputs.arguments.items(), *inside]
    flags = [
        f"{name}={value}" for name, value in named if isinstance(value, (bool, int, float, str)) or is_shape(value)
    ]
    return ", ".join([*tensors, *flags]) or "none"


def _to_spec(value: object) -> Any:
    if isinstance(value, torch.Tensor) and value.is_nested:
        raise InputError("nested tensors are not supported: pass padded tensors (to_padded_tensor(0.0)).")
    return spec_of(value) if isinstance(value, torch.Tensor) else value


def is_shape(value: object) -> bool:
    """Whether a value can be the shape of a tensor."""
    return isinstance(value, (tuple, list)) and all(type(size) is int and size >= 0 for size in value)


def _dtype_name(dtype: object) -> str:
    found = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype):
        raise InputError(f"input_dtype={dtype!r} is not a dtype; pass one such as torch.int64 or 'int64'.")
    return dtype_name(found)
