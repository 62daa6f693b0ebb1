"""Records of formulas: `Formulas`, what a model costs as exact polynomials in the sizes of its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from fxsummary.errors import InputError, UnknownNameError
from fxsummary.graph.polynomial import Crossing, Polynomial
from fxsummary.support import files
from fxsummary.support.registry import call, hint, unknown

QUANTITIES = {
    "flops": "FLOPs", "output_bytes": "Output bytes", "saved_bytes": "Saved bytes", "kv_cache": "Cache", "peak": "Peak"
}  # fmt: skip
"""Titles of what formulas are for."""


class Range(NamedTuple):
    """The values that a size may have.

    Attributes:
        name: the name of the size.
        least: the smallest value that was checked.
        most: the largest value; None for no limit.
        step, residue: the values are those with this residue modulo `step`.
    """

    name: str
    least: int = 1
    most: int | None = None
    step: int = 1
    residue: int = 0

    def refusal(self, value: int) -> str:
        """Say why a value is outside; "" if it is not."""
        if value % self.step != self.residue:
            return f"{self.name} = {value} is not ≡ {self.residue} (mod {self.step})"
        if value < self.least:
            return f"{self.name} = {value} is below {self.least}, the least value that was checked"
        if self.most is not None and value > self.most:
            return f"{self.name} = {value} is above {self.most}"
        return ""

    @property
    def residue_class(self) -> str:
        """The residue class as text, without the name; "" for all integers."""
        return f"≡ {self.residue} (mod {self.step})" if self.step > 1 else ""

    @property
    def limits(self) -> str:
        """The smallest and the largest value as text; "" if there is no limit."""
        least = [f"{self.name} ≥ {self.least}"] if self.least > max(self.residue or self.step, 1) else []
        return ", ".join([*least, *([f"{self.name} ≤ {self.most}"] if self.most is not None else [])])


class Part(NamedTuple):
    """One of the polynomials that a value is the largest of.

    Attributes:
        polynomial: the polynomial.
        at: the operation that it is for, as it is shown; "" for a sum.
    """

    polynomial: Polynomial
    at: str = ""


@dataclass(frozen=True)
class Piece:
    """A formula on a range of sizes.

    Attributes:
        ranges: the values that each size may have.
        parts: the value is the largest of these polynomials; the first is the largest near the captures.
        exceptions: sizes, by name, at which forward takes another way.
    """

    ranges: tuple[Range, ...]
    parts: tuple[Part, ...]
    exceptions: tuple[tuple[tuple[str, int], ...], ...] = ()

    def refusal(self, sizes: Mapping[str, int]) -> str:
        """Say why sizes are outside; "" if they are not."""
        for each in self.exceptions:
            if all(sizes[name] == size for name, size in each):
                return f"forward takes another way at {_listed(each)}"
        return next(filter(None, (each.refusal(sizes[each.name]) for each in self.ranges)), "")

    def value(self, sizes: Mapping[str, int]) -> Fraction:
        """Return the value at these sizes."""
        return max(part.polynomial(**sizes) for part in self.parts)

    @property
    def domain(self) -> str:
        """The ranges as text; "" if every size is allowed."""
        classes: dict[str, list[str]] = {}
        for each in self.ranges:
            classes.setdefault(each.residue_class, []).append(each.name)
        same = [f"{', '.join(names)} {text}" for text, names in classes.items() if text]
        others = [f"not at {_listed(each)}" for each in self.exceptions]
        return ", ".join(filter(None, [*same, *(each.limits for each in self.ranges), *others]))


def _listed(sizes: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes)


@dataclass(frozen=True)
class Formula:
    """What a model or a module costs, as a function of the sizes of its inputs: ``formula(B=8, T=2048)``.

    Attributes:
        quantity: one of `QUANTITIES`.
        names: the names of the sizes.
        pieces: a formula for each range of sizes; empty if none was found.
        mark: "≈" if it depends on assumed values, "≥" if part of it is unknown, "?" if nothing is known, or "".
        samples: if none was found, sizes and values that were captured.
    """

    quantity: str
    names: tuple[str, ...]
    pieces: tuple[Piece, ...]
    mark: str = ""
    samples: tuple[tuple[tuple[int, ...], int], ...] = ()

    def __call__(self, **sizes: int) -> int:
        """Return the exact value at these sizes, given by name.

        Raises:
            InputError: a size is missing, unknown or outside of the ranges, or there is no formula.
        """
        self._check(sizes)
        refusals = [piece.refusal(sizes) for piece in self.pieces]
        if "" not in refusals:
            raise InputError(f"the formula for {self.quantity} does not hold there: {'; '.join(refusals)}.")
        value = self.pieces[refusals.index("")].value(sizes)
        if value.denominator != 1:
            raise AssertionError(f"{self.quantity} at {sizes} is {value}, which is not an integer")
        return value.numerator

    def _check(self, sizes: Mapping[str, int]) -> None:
        wanted = ", ".join(f"{name}=" for name in self.names)
        for name, value in sizes.items():
            if name not in self.names:
                raise InputError(f"unknown size {name!r}. {hint(name, self.names)}Pass {wanted or 'none'}.")
            if type(value) is not int:
                raise InputError(f"{name}={value!r} is not an integer.")
        if missing := [name for name in self.names if name not in sizes]:
            raise InputError(f"the value of {' and '.join(missing)} is missing: pass {wanted}.")
        if not self.pieces:
            raise InputError(f"there is no formula for {self.quantity}: {self}.")

    @property
    def polynomial(self) -> Polynomial:
        """The polynomial of the first piece; that of the largest part at the smallest sizes."""
        if not self.pieces:
            raise InputError(f"there is no formula for {self.quantity}: {self}.")
        return self.pieces[0].parts[0].polynomial

    @property
    def is_zero(self) -> bool:
        """Whether it is nothing at all sizes."""
        return bool(self.pieces) and not any(part.polynomial.terms for piece in self.pieces for part in piece.parts)

    @property
    def key(self) -> tuple[object, ...]:
        """What two equal formulas have in common."""
        return self.pieces, self.mark, self.samples

    def __str__(self) -> str:
        if self.pieces:
            return self.mark + str(self.polynomial)
        if not self.samples:
            return "?"
        listed = ", ".join(f"{'×'.join(map(str, sizes))}: {value}" for sizes, value in self.samples)
        return f"not a polynomial; at {'×'.join(self.names)} = {listed}"


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
        return self.to_svg()

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
