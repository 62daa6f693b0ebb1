"""A zoo of models: `OWN`, small ones with one feature each, and `REAL`, published ones, by name."""

from zoo.entry import Entry, Example, given
from zoo.own import HOSTILE, OWN
from zoo.real import REAL

ZOO: dict[str, Entry] = {**OWN, **REAL}

__all__ = ["HOSTILE", "OWN", "REAL", "ZOO", "Entry", "Example", "given"]
