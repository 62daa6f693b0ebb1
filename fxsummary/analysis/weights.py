"""The parameters and buffers of a graph's model on meta, and its leaf modules with them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from fxsummary.capture.operations.twins import Twins, materialize
from fxsummary.capture.program import Weight
from fxsummary.graph.modelgraph import ModelGraph


class Weights:
    """Meta tensors for the parameters and buffers, one for each that is distinct.

    Attributes:
        named: by name.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self.named: dict[str, Tensor] = {}
        self._plain: dict[str, Any] = {}
        infos = [each for module in graph.modules.values() for each in module.parameters]
        for info in sorted(infos, key=lambda each: each.tied_to is not None):
            if info.tied_to in self.named:
                self.named[info.name] = self.named[info.tied_to]
            elif info.spec is not None:
                tensor = materialize(info.spec)
                self.named[info.name] = tensor if info.buffer else nn.Parameter(tensor, requires_grad=info.trainable)

    def attribute(self, name: str, value: Any) -> Any:
        """Return a parameter or buffer; for another attribute the same new tensor each time."""
        if name in self.named:
            return self.named[name]
        if name not in self._plain:
            self._plain[name] = materialize(value)
        return self._plain[name]

    def gradients(self) -> dict[str, int]:
        """Return the bytes of the gradients, by the first name of their parameters."""
        found = {
            id(each): (name, each.grad.nbytes) for name, each in reversed(self.named.items()) if each.grad is not None
        }
        return dict(found.values())

    def module(self, hollow: nn.Module, path: str) -> nn.Module:
        """Return a leaf module with the tensors at a path."""
        filled = _Filled()
        todo = [(path, hollow)]
        for prefix, module in todo:  # grows
            for name, weight in [*module._parameters.items(), *module._buffers.items()]:
                if weight is not None:
                    tensor = self.named.get(f"{prefix}.{name}" if prefix else name)
                    if tensor is not None:
                        filled.put(weight, tensor)
            todo += [(f"{prefix}.{name}" if prefix else name, each) for name, each in module._modules.items() if each]
        return filled.module(hollow)


class _Filled(Twins):
    """Copies leaf modules with a tensor for each `Weight`."""

    def put(self, weight: Any, tensor: Tensor) -> None:
        """Set the tensor for a `Weight`."""
        self._remember(weight, tensor)

    def _value(self, value: Any) -> Any:
        if type(value) is not Weight:
            return super()._value(value)
        if id(value) not in self._twins:
            self._remember(value, materialize(value.spec).requires_grad_(value.requires_grad))
        return self._twins[id(value)]
