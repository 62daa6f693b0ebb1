"""Makes torchvision and timm importable here and in workers: ``fxsummary table --import zoo.ready 'timm:*'``.

It registers both libraries with functions of this module, so that a worker that gets one of their models imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fxsummary.loading.libraries import LIBRARIES, provide
from zoo.operators import define_torchvision_operators, implement_nms

define_torchvision_operators()
_OWN = {name: LIBRARIES[name] for name in ("timm", "torchvision")}


def _timm() -> Iterable[str]:
    return _OWN["timm"].names()


def _torchvision() -> Iterable[str]:
    return _OWN["torchvision"].names()


def _build(name: str, **arguments: Any) -> Any:
    implement_nms()
    return _OWN["torchvision"].build(name, **arguments)


provide("timm", replace(_OWN["timm"], names=_timm))
provide("torchvision", replace(_OWN["torchvision"], names=_torchvision, build=_build))
