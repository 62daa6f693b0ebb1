"""Makes torchvision and timm importable here and in workers: ``fxsummary table --import zoo.ready 'timm:*'``.

It registers both libraries with functions of this module, so that a worker that gets one of their models imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fxsummary.loading.libraries import LIBRARIES, provide
from zoo.operators import define_torchvision_operators

define_torchvision_operators()
_OWN = {name: LIBRARIES[name] for name in ("timm", "torchvision")}


def _timm() -> Iterable[str]:
    return _OWN["timm"].names()


def _torchvision() -> Iterable[str]:
    return _OWN["torchvision"].names()


for _name, _names in (("timm", _timm), ("torchvision", _torchvision)):
    provide(_name, replace(LIBRARIES[_name], names=_names))
