"""The two modes by which a recorder sees what torch is asked to do."""

from __future__ import annotations

from typing import Any, Protocol

from torch.overrides import TorchFunctionMode

from fxsummary.capture import torch_internals


class Calls(Protocol):
    """What the modes hand calls to."""

    def torch_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def aten_call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...


class FunctionMode(TorchFunctionMode):
    """Hands every torch call to the recorder."""

    def __init__(self, recorder: Calls) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.torch_call(func, args, kwargs or {})


class DispatchMode(torch_internals.DispatchMode):
    """Hands the recorder the ATen calls that come from elsewhere than a torch function."""

    def __init__(self, recorder: Calls) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.aten_call(func, args, kwargs or {})


NO_OPERATION = frozenset({"aten::detach", "aten::alias", "aten::lift_fresh", "aten::lift"})
"""ATen calls that are no operation of their own."""
