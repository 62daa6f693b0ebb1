"""Records of formulas: `Formulas`, what a model costs as exact polynomials in the sizes of its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.formula import QUANTITIES, Formula
from fxsummary.graph.polynomial import Crossing
from fxsummary.support import files
from fxsummary.support.registry import call, unknown
from fxsummary.text.html import scaled


class Crossover(NamedTuple):
    """From where on one part of a model costs more than another.

    Attributes:
        more, less: what is compared, in words.
        crossing: the size and its value.
    """

    more: str
    less: str
    crossing: Crossing

    def __str__(self) -> str:
        return f"{self.more} overtakes {self.less} {self.crossing}"


@dataclass(frozen=True)
class Formulas:
    """What a model costs as exact polynomials in the sizes of its inputs.

    ``f["flops"]`` is the `Formula` of the whole model, ``f.module("layers.0")["flops"]`` that of a module.

    Attributes:
        model: class name of the model.
        inputs: shape of each input by name, with the names of sizes.
        table: formulas by quantity and module path; "" is the model itself.
        types: class names of the modules by path.
        base: the sizes that the captures started with.
        crossovers: where one part overtakes another.
        captures: number of captures that were made.
        checked: sizes of the captures that no formula was made from, and that agree.
        notes: remarks on where the formulas hold.
        device: the device whose kernels save bytes for backward; "" if these were not asked for.
    """

    model: str
    inputs: Mapping[str, tuple[int | str, ...]]
    table: Mapping[str, Mapping[str, Formula]]
    types: Mapping[str, str]
    base: Mapping[str, int]
    crossovers: tuple[Crossover, ...] = ()
    captures: int = 0
    checked: tuple[Mapping[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    device: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sizes."""
        return tuple(self.base)

    @property
    def inputs_text(self) -> str:
        """The inputs with their shapes, such as ``x B×3×H×W``."""
        return ", ".join(f"{name} {'×'.join(map(str, shape)) or 'scalar'}" for name, shape in self.inputs.items())

    def __getitem__(self, quantity: str) -> Formula:
        return self.module("")[quantity]

    def module(self, path: str) -> ModuleFormulas:
        """Return the formulas of a module, by its path.

        Raises:
            UnknownNameError: there is no such module, or forward does not call it.
        """
        found = {quantity: formulas[path] for quantity, formulas in self.table.items() if path in formulas}
        if not found:
            raise UnknownNameError(unknown("module", path, self.modules))
        return ModuleFormulas(found)

    @property
    def modules(self) -> tuple[str, ...]:
        """The paths of the modules that have formulas; "" is the model itself."""
        return tuple(dict.fromkeys(path for formulas in self.table.values() for path in formulas))

    def diff(self, other: Formulas) -> str:
        """Return the formulas that differ from those of another model, as text: before, after and their difference."""
        return self._as("difference", other)

    def to_text(self, *, depth: int = 2) -> str:
        """Return the formulas as text; ``depth`` is the number of levels of modules."""
        return self._as("text", depth)

    def to_markdown(self, *, depth: int = 2) -> str:
        """Return the formulas as Markdown."""
        return self._as("markdown", depth)

    def to_latex(self, *, depth: int = 2) -> str:
        """Return the formulas as a LaTeX table; the document needs the package booktabs."""
        return self._as("latex", depth)

    def to_svg(self, quantity: str = "flops", *, along: str | None = None, theme: str = "auto", **sizes: int) -> str:
        """Return a plot of the growth with one size as SVG: what each part of the model costs.

        Args:
            quantity: what is plotted.
            along: the size that grows; the last one in the total by default.
            theme: "auto", "light" or "dark".
            sizes: values of the other sizes; by default those near which the captures were made.
        """
        svg: str = call("fxsummary.drawing.growth:draw", self, quantity, along, theme=theme, sizes=sizes)
        return svg

    def render(self, path: str | Path, *, form: str | None = None, **options: Any) -> Path:
        """Write the formulas to a file, in the form that its suffix names (.txt, .md, .tex, .svg) or that is given.

        Args:
            form: "text", "markdown", "latex" or "svg".
            options: those of ``to_text``, ``to_markdown``, ``to_latex`` or ``to_svg``.

        Raises:
            UnknownNameError: unknown suffix or form.
            OutputError: the file cannot be written; an existing file stays unchanged.
        """
        target = Path(path)
        if form is None and target.suffix not in _FORMS:
            raise UnknownNameError(unknown("suffix", target.suffix, list(_FORMS)))
        chosen = form or _FORMS[target.suffix]
        if chosen not in _FORMS.values():
            raise UnknownNameError(unknown("form", chosen, list(_FORMS.values())))
        text: str = getattr(self, f"to_{chosen}")(**options)
        files.write(target, text.encode())
        return target

    def _repr_svg_(self) -> str:
        return scaled(self.to_svg())

    def __str__(self) -> str:
        return self.to_text()

    def _as(self, form: str, *options: object) -> str:
        text: str = call(f"fxsummary.exporters.reports.formulas:{form}", self, *options)
        return text


_FORMS = {".txt": "text", ".md": "markdown", ".tex": "latex", ".svg": "svg"}


@dataclass(frozen=True)
class ModuleFormulas(Mapping[str, Formula]):
    """The formulas of one module, by quantity."""

    formulas: Mapping[str, Formula]

    def __getitem__(self, quantity: str) -> Formula:
        if quantity in self.formulas:
            return self.formulas[quantity]
        if quantity == "saved_bytes":
            raise InputError("saved bytes were not asked for: call formulas() with training=True.")
        raise UnknownNameError(unknown("quantity", quantity, list(self.formulas)))

    def __iter__(self) -> Iterator[str]:
        return iter(self.formulas)

    def __str__(self) -> str:
        return "\n".join(f"{QUANTITIES[quantity]:14}{formula}" for quantity, formula in self.formulas.items())

    def __len__(self) -> int:
        return len(self.formulas)
