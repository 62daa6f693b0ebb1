"""Named things by name: refuses overwrites, and lists the known names on a miss."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any, Generic, TypeVar

from fxsummary.errors import DuplicateNameError, MissingPackageError, UnknownNameError
from fxsummary.support.gc_pause import paused

T = TypeVar("T")


def unknown(noun: str, name: object, known: Collection[str]) -> str:
    """Say that a name is not known, with the closest one and all that are.

    >>> unknown("column", "flop", ["flops", "shape"])
    "unknown column 'flop'. Did you mean 'flops'? Known: flops, shape"
    """
    close = get_close_matches(str(name), known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"unknown {noun} {name!r}. {hint}Known: {', '.join(known)}"


class Registry(Mapping[str, T], Generic[T]):
    """A mapping that is filled once per name, on first look by the module ``filled_by``.

    >>> colours: Registry[str] = Registry("colour")
    >>> colours.register("red", "#f00")
    '#f00'
    >>> colours.get_or_raise("rde")
    Traceback (most recent call last):
    ...
    fxsummary.errors.UnknownNameError: unknown colour 'rde'. Did you mean 'red'? Known: red
    """

    def __init__(self, noun: str, filled_by: str = "") -> None:
        self._noun = noun
        self._filled_by = filled_by
        self._items: dict[str, T] = {}

    def _filled(self) -> dict[str, T]:
        """The items, after the module that fills the registry was imported."""
        if self._filled_by:
            name, self._filled_by = self._filled_by, ""
            import_module(name)
        return self._items

    def register(self, name: str, value: T) -> T:
        """Add ``value`` under ``name``; raises DuplicateNameError if the name is taken."""
        if name in self._filled():
            raise DuplicateNameError(f"{self._noun} {name!r} is registered already: {self._items[name]!r}")
        self._items[name] = value
        return value

    def unregister(self, name: str) -> None:
        """Take out what was registered under ``name``, such as to register it again."""
        self.get_or_raise(name)
        del self._items[name]

    def get_or_raise(self, name: str) -> T:
        """The value of ``name``; raises UnknownNameError that lists the known names."""
        try:
            return self._filled()[name]
        except KeyError:
            raise UnknownNameError(unknown(self._noun, name, self._items)) from None

    def __getitem__(self, name: str) -> T:
        return self._filled()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._filled())

    def __len__(self) -> int:
        return len(self._filled())


def call(function: str, *arguments: Any, **options: Any) -> Any:
    """Import ``module:function`` and call it: what is seldom used is imported late."""
    with paused():
        return _imported(function)(*arguments, **options)


def _imported(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


@dataclass(frozen=True)
class Exporter:
    """A form that a graph can be turned into.

    Attributes:
        name: such as "text".
        function: ``module:function``, imported when it is called; it takes a graph and options.
        suffix: of the files of this form, such as ".txt"; "" if it is not written to files.
        needs: packages that only this form needs.
        extra: the extra of fxsummary that installs them; the one of its name if "".
        like: the exporter that its ``**options`` go to.
    """

    name: str
    function: str
    suffix: str = ""
    needs: tuple[str, ...] = ()
    extra: str = ""
    like: str = ""

    @property
    def options(self) -> frozenset[str]:
        """Names of the options that it takes."""
        parameters = signature(_imported(self.function)).parameters.values()
        own = frozenset(each.name for each in parameters if each.kind is each.KEYWORD_ONLY)
        return own | EXPORTERS[self.like].options if self.like else own

    def __call__(self, graph: Any, **options: Any) -> Any:
        """The graph in this form."""
        self.check_packages()
        return call(self.function, graph, **options)

    def check_packages(self) -> None:
        """Raise MissingPackageError, with the line that installs them, if packages are not there."""
        if missing := self.missing():
            raise MissingPackageError(
                f"{self.name.upper()} needs {' and '.join(missing)}, not installed here: "
                f"pip install 'fxsummary[{self.extra or self.name}]' (or: pip install {' '.join(missing)})."
            )

    def missing(self) -> list[str]:
        """The packages it needs that are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


EXPORTERS: Registry[Exporter] = Registry("exporter", filled_by="fxsummary.exporters")
"""Every exporter by name."""


def exporter_for(suffix: str) -> Exporter:
    """The exporter for files of a suffix; raises UnknownNameError that lists the known ones."""
    known = {exporter.suffix: exporter for exporter in EXPORTERS.values() if exporter.suffix}
    if suffix not in known:
        wanted = f"unknown suffix {suffix!r}" if suffix else "the path has no suffix to tell the form by"
        raise UnknownNameError(f"{wanted}: known are {', '.join(known)}")
    return known[suffix]
