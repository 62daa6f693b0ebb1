"""Where one part of a model overtakes another: in each block, and in the whole model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fxsummary.graph.formula import Formula
from fxsummary.graph.formulas import Crossover
from fxsummary.graph.groups import groups_of
from fxsummary.graph.polynomial import Polynomial, crossing


def crossovers(flops: Mapping[str, Formula], sizes: tuple[str, ...]) -> tuple[Crossover, ...]:
    """Return where FLOPs of parts overtake those of others.

    Args:
        flops: formulas by module path.
        sizes: the names of sizes that are no batch.
    """
    found = dict.fromkeys(each for name in sizes for each in _of_size(flops, name, sizes))
    return tuple(found)


def _of_size(flops: Mapping[str, Formula], name: str, sizes: tuple[str, ...]) -> Iterator[Crossover]:
    total = _polynomial(flops[""])
    if total is not None and total.degree(name) > 1:
        leading = total.leading(name)
        yield from _found(f"the {_power(leading, sizes)} part", "all else", leading, total - leading)
    groups = list(groups_of(flops))
    for parent, group in groups:
        more, whole = _polynomial(flops[group.path]), _polynomial(flops[parent.path])
        if parent.times == 1 or group.times > 1 or more is None or whole is None or more.degree(name) < 2:
            continue
        others = [each.shown for around, each in groups if around == parent and each != group]
        other = others[0] if len(others) == 1 else f"the rest of {parent.shown}"
        rest, products = whole - more, more.leading(name)
        yield from _found(group.shown, other, more, rest)
        yield from _found(f"the {_power(products, sizes)} part of {group.shown}", other, products, rest)


def _found(more: str, less: str, one: Polynomial, other: Polynomial) -> Iterator[Crossover]:
    place = crossing(one, other) if one.terms and other.terms else None
    if place is not None and place.at > 1:
        yield Crossover(more, less, place)


def _power(leading: Polynomial, sizes: tuple[str, ...]) -> str:
    """Return the powers that all terms have, without the batch, such as "T²"."""
    lowest = [min(powers) for powers in zip(*(exponents for exponents, _ in leading.terms), strict=True)]
    shown = tuple([power if name in sizes else 0 for name, power in zip(leading.names, lowest, strict=True)])
    return str(Polynomial.of(leading.names, {shown: 1}))


def _polynomial(formula: Formula) -> Polynomial | None:
    return formula.polynomial if len(formula.pieces) == 1 and not formula.mark else None
