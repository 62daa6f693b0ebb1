"""The models that tests and benchmarks look at, by name.

`OWN` are small ones with one feature each, `REAL` published ones on meta; all laws hold over both. `zoo.published` has
many more published ones with small configs, which ``make zoo`` compares with an independent truth.
"""

from zoo.entry import Entry, Example, given
from zoo.own import HOSTILE, OWN
from zoo.real import REAL

ZOO: dict[str, Entry] = {**OWN, **REAL}

__all__ = ["HOSTILE", "OWN", "REAL", "ZOO", "Entry", "Example", "given"]
