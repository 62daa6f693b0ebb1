"""`Device`, the peak rates of a device, and the devices that have a name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.support.registry import unknown
from fxsummary.text.numbers import rate


@dataclass(frozen=True)
class Device:
    """The peak rates of a device, for lower bounds of times.

    Attributes:
        name: its name.
        flops: FLOP/s by dtype, such as ``{"float32": 67e12, "bfloat16": 989e12}``, without structured sparsity.
            "tf32" is the rate of float32 on tensor cores; "float8" is that of all dtypes with 8 bits.
        bandwidth: bytes per second between the device and its memory.
        memory: bytes of memory; None if unknown.
        source: where the figures come from.
        title: its full name.

    Raises:
        InputError: a rate is not positive, or there is none.

    >>> Device("mine", {"float32": 2e12}, bandwidth=50e9).peak("bfloat16")
    2000000000000.0
    """

    name: str
    flops: Mapping[str, float]
    bandwidth: float
    memory: int | None = None
    source: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        if not self.flops or min(self.flops.values()) <= 0 or self.bandwidth <= 0:
            raise InputError(
                f"device {self.name!r} needs FLOP/s by dtype and a bandwidth in bytes per second, all above 0: "
                'Device("mine", {"float32": 2e12}, bandwidth=50e9).'
            )

    def peak(self, dtype: str) -> float:
        """Return the FLOP/s of products of a dtype.

        For a dtype that the device does not list it is the highest rate, so that times stay lower bounds.
        """
        name = "float8" if dtype.startswith("float8") else dtype
        return self.flops.get(name) or max(self.flops.values())

    def rate_of(self, dtype: str, tf32: bool) -> str:
        """Return the name of the rate of products of a dtype: "tf32" for float32 on tensor cores."""
        return "tf32" if dtype == "float32" and tf32 and "tf32" in self.flops else dtype

    def __str__(self) -> str:
        rates = ", ".join(f"{rate(number)}FLOP/s {dtype}" for dtype, number in self.flops.items())
        return f"{self.title or self.name}: {rates}; {rate(self.bandwidth)}B/s"


@cache
def devices() -> Mapping[str, Device]:
    """Return the devices of ``devices.toml`` by name."""
    toml: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    table = toml.loads(Path(__file__).with_name("devices.toml").read_text("utf-8"))
    return {
        name: Device(name, each["flops"], each["bandwidth"], _whole(each.get("memory")), each["source"], each["title"])
        for name, each in table.items()
    }


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def device_of(device: Device | str) -> Device:
    """Return a device, given itself or its name.

    Raises:
        UnknownNameError: no device has this name; the message lists the known ones.
    """
    if isinstance(device, Device):
        return device
    known = {name.lower(): each for name, each in devices().items()}
    if str(device).lower() not in known:
        raise UnknownNameError(f"{unknown('device', device, devices())}. Pass your own as fxsummary.Device(...).")
    return known[str(device).lower()]


def shares_of(efficiency: float | tuple[float, float]) -> tuple[float, float]:
    """Return the reachable shares of the peak rate and of the bandwidth."""
    shares = efficiency if isinstance(efficiency, tuple) else (efficiency, efficiency)
    if len(shares) != 2 or not all(0 < each <= 1 for each in shares):
        raise InputError(f"efficiency={efficiency!r} is not a share above 0 and at most 1, or a pair of them.")
    return shares
