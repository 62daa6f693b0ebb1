"""Registries of named objects: they reject overwrites, and list the known names if a name is unknown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Generic, TypeVar

from fxsummary.errors import DuplicateNameError, InputError, MissingPackageError, UnknownNameError
from fxsummary.support.gc_pause import paused

T = TypeVar("T")


def unknown(noun: str, name: object, known: Collection[str]) -> str:
    """Return an error message for an unknown name, with the closest name and all known names.

    >>> unknown("column", "flop", ["flops", "shape"])
    "unknown column 'flop'. Did you mean 'flops'? Known: flops, shape"
    """
    return f"unknown {noun} {name!r}. {hint(name, known)}Known: {', '.join(known)}"


def hint(name: object, known: Collection[str]) -> str:
    """Return a question that names the closest known name; "" if none is close."""
    close = get_close_matches(str(name), known, n=1)
    return f"Did you mean {close[0]!r}? " if close else ""


class Registry(Mapping[str, T], Generic[T]):
    """A mapping that accepts each name once; the module ``filled_by`` is imported on first use to fill it.

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
        """Import the module that fills the registry, if that is still to do, and return the items."""
        if self._filled_by:
            name, self._filled_by = self._filled_by, ""
            import_module(name)
        return self._items

    def register(self, name: str, value: T) -> T:
        """Add ``value`` under ``name``, or raise DuplicateNameError if the name is taken."""
        if name in self._filled():
            raise DuplicateNameError(f"{self._noun} {name!r} is already registered: {self._items[name]!r}")
        self._items[name] = value
        return value

    def unregister(self, name: str) -> None:
        """Remove a name, for example to register it again."""
        self.get_or_raise(name)
        del self._items[name]

    def get_or_raise(self, name: str) -> T:
        """Return the value of ``name``, or raise an UnknownNameError that lists the known names."""
        if name not in self._filled():
            raise UnknownNameError(unknown(self._noun, name, self._items))
        return self._items[name]

    def __getitem__(self, name: str) -> T:
        return self._filled()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._filled())

    def __len__(self) -> int:
        return len(self._filled())


def call(function: str, *arguments: Any, **options: Any) -> Any:
    """Import ``module:function`` and call it, so that rarely used modules are imported only when needed."""
    with paused():
        return _imported(function)(*arguments, **options)


def _imported(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


@dataclass(frozen=True)
class Exporter:
    """An output format for graphs.

    Attributes:
        name: the name, such as "text".
        function: ``module:function``, imported at the first call; it takes a graph and options.
        suffix: the file suffix, such as ".txt"; "" if the format is not written to files.
        needs: optional packages that this format needs.
        extra: the extra of fxsummary that installs them; if "", the extra with the format's name.
        like: the exporter that receives the function's ``**options``.
    """

    name: str
    function: str
    suffix: str = ""
    needs: tuple[str, ...] = ()
    extra: str = ""
    like: str = ""

    @property
    def options(self) -> frozenset[str]:
        """The names of its options."""
        own = frozenset(each.name for each in self._parameters() if each.kind is each.KEYWORD_ONLY)
        return own | EXPORTERS[self.like].options if self.like else own

    def check_options(self, given: Iterable[str]) -> None:
        """Raise InputError for the name of an option that this format does not have."""
        takes_any = not self.like and any(each.kind is each.VAR_KEYWORD for each in self._parameters())
        for name in [] if takes_any else sorted({*given} - self.options):
            known = f"its options: {', '.join(sorted(self.options))}" if self.options else "it has none"
            raise InputError(f"{name}= is no option of {self.suffix or self.name}. {hint(name, self.options)}{known}.")

    def _parameters(self) -> Iterable[Parameter]:
        return signature(_imported(self.function)).parameters.values()

    def __call__(self, graph: Any, **options: Any) -> Any:
        """Return the graph in this format."""
        self.check_packages()
        return call(self.function, graph, **options)

    def check_packages(self) -> None:
        """Raise MissingPackageError, with the command that installs them, if packages are missing."""
        if missing := self.missing():
            raise MissingPackageError(
                f"{self.name.upper()} needs {' and '.join(missing)}; install with "
                f"pip install 'fxsummary[{self.extra or self.name}]' (or: pip install {' '.join(missing)})."
            )

    def missing(self) -> list[str]:
        """Return the required packages that are not installed."""
        return [package for package in self.needs if find_spec(package) is None]


EXPORTERS: Registry[Exporter] = Registry("exporter", filled_by="fxsummary.exporters")
"""All exporters by name."""


def exporter_for(path: str | Path) -> Exporter:
    """Return the exporter for the suffix of a path, or raise an UnknownNameError that lists the known suffixes."""
    suffix = Path(path).suffix.lower()
    known = {exporter.suffix: exporter for exporter in EXPORTERS.values() if exporter.suffix}
    if suffix not in known:
        wanted = f"unknown suffix {suffix!r}" if suffix else "the path has no suffix to select the format"
        raise UnknownNameError(f"{wanted}; known: {', '.join(known)}")
    return known[suffix]
