"""Records of the time at best: `Roofline`, and `Cost`, that of one operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from fxsummary.graph.device import Device
from fxsummary.support.registry import call
from fxsummary.text.numbers import about, duration, listed, rate, share, size

if TYPE_CHECKING:
    from fxsummary.graph.modelgraph import ModelGraph


class Cost(NamedTuple):
    """What one operation costs at best.

    Attributes:
        flops: FLOPs of the matrix-product family; a lower bound if some are unknown.
        nbytes: bytes that it reads from memory and writes to it.
        compute: seconds for the FLOPs at the peak rate.
        transfer: seconds for the bytes at the full bandwidth.
    """

    flops: int
    nbytes: int
    compute: float
    transfer: float

    @property
    def seconds(self) -> float:
        """The longer of both: computing and moving data may overlap."""
        return max(self.compute, self.transfer)

    @property
    def is_compute_bound(self) -> bool:
        """Whether computing takes longer than moving data."""
        return self.compute > self.transfer


@dataclass(frozen=True, eq=False)
class Roofline:
    """The time of a forward pass at best on a device: a lower bound, not a prediction.

    Launches, synchronization, communication and elementwise arithmetic take no time here.

    Attributes:
        device: the device.
        peaks: the rates that its products run at, in FLOP/s by dtype.
        efficiency: reachable share of the peak rate and of the bandwidth.
        operations: cost of each operation by key.
        compulsory: bytes that any implementation moves: weights that are read, inputs, and new outputs, each once.
        unknown: keys of operations whose FLOPs or bytes are unknown; they count with what is known.
        is_assumed: whether FLOPs or shapes depend on assumed values.
        graph: the graph with the attributes ``moved``, ``intensity``, ``seconds`` and ``bound``, which are columns of
            tables and colours of pictures.
    """

    device: Device
    peaks: Mapping[str, float]
    efficiency: tuple[float, float]
    operations: Mapping[str, Cost]
    compulsory: int
    unknown: tuple[str, ...]
    is_assumed: bool
    graph: ModelGraph

    @property
    def flops(self) -> int:
        """FLOPs of all operations."""
        return sum(each.flops for each in self.operations.values())

    @property
    def nbytes(self) -> int:
        """Bytes that all operations move if each reads from memory and writes to it."""
        return sum(each.nbytes for each in self.operations.values())

    @property
    def intensity(self) -> float:
        """FLOPs per byte."""
        return self.flops / self.nbytes if self.nbytes else 0.0

    @property
    def seconds(self) -> float:
        """Seconds at best as eager PyTorch runs it: each operation reads from memory and writes to it."""
        return sum(each.seconds for each in self.operations.values())

    @property
    def compute_seconds(self) -> float:
        """The part of `seconds` in operations that computing bounds."""
        return sum(each.seconds for each in self.operations.values() if each.is_compute_bound)

    @property
    def ideal_seconds(self) -> float:
        """Seconds at best if all operations were fused: the longer of all computing and of `compulsory` bytes."""
        computing = sum(each.compute for each in self.operations.values())
        return max(computing, self.compulsory / (self.device.bandwidth * self.efficiency[1]))

    @property
    def is_memory_bound(self) -> bool:
        """Whether even the fused model waits for memory."""
        return self.ideal_seconds > sum(each.compute for each in self.operations.values())

    def facts(self) -> list[tuple[str, str]]:
        """Return the lines below the table: name and text."""
        computing = share(round(self.compute_seconds * 1e12), round(self.seconds * 1e12)) or "0 %"
        bound = "memory" if self.is_memory_bound else "computing"
        lines = [
            ("Device", self.device_text),
            ("At best", f"{self.text(self.seconds)} if each operation reads and writes memory; {computing} of it is"
                " bound by computing"),
            ("", f"{self.text(self.ideal_seconds)} if all operations were fused, bound by {bound}; weights, inputs and"
                f" outputs are {size(self.compulsory)}"),
        ]  # fmt: skip
        if self.unknown:
            lines.append(("Unknown", f"FLOPs or bytes of {listed(self.unknown)}, counted as far as they are known"))
        return [*lines, ("Left out", "launches, elementwise arithmetic, caches and waiting: a bound, no prediction")]

    @property
    def device_text(self) -> str:
        """The device with the rates that this model uses."""
        rates = [f"{rate(number)}FLOP/s {name}" for name, number in self.peaks.items()]
        compute, transfer = (f" at {each:.0%}" if each < 1 else "" for each in self.efficiency)
        bandwidth = f"{rate(self.device.bandwidth)}B/s{transfer}"
        return f"{self.device.title or self.device.name}: {', '.join(rates)}{compute}, {bandwidth}"

    def text(self, seconds: float) -> str:
        """Format a time, with ``≈`` if FLOPs or shapes depend on assumed values."""
        return about(duration(seconds), self.is_assumed)

    def to_text(self, *, width: int = 80, depth: int | None = None) -> str:
        """Return the costs of modules and operations as a table; see `ModelGraph.to_text`."""
        return self.graph.to_text(view="roofline", width=width, depth=depth)

    def to_svg(self, *, title: str | Literal[False] | None = None, theme: str = "auto") -> str:
        """Return a roofline plot: FLOP/s over FLOP/B, the roof of the device, and the operations under it."""
        return self.graph.to_svg(view="roofline", title=title, theme=theme)

    def render(self, path: str | Path, **options: Any) -> Path:
        """Write the table (.txt, .md, .tex) or the plot (.svg, .png, .pdf), and return the path.

        Args:
            options: as in `ModelGraph.render`.
        """
        return self.graph.render(path, view="roofline", **options)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        """Return the table for Jupyter."""
        table: str = call("fxsummary.exporters.notebook:view_table", self.graph, "roofline")
        return table
