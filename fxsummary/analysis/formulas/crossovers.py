"""Where one part of a model overtakes another: in each block, and in the whole model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fxsummary.graph.formulas import Crossover, Formula
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
    if total is None or total.degree(name) < 2:
        return
    leading = total.leading(name)
    yield from _found(f"the part with {_power(leading, sizes)}", "all other parts", leading, total - leading)
    for parent, group in groups_of(flops):
        more, whole = _polynomial(flops[group.path]), _polynomial(flops[parent.path])
        if more is None or whole is None or more.degree(name) < 2 or group.times > 1 or more == whole:
            continue
        rest, products = whole - more, more.leading(name)
        if not rest.terms or rest.degree(name) >= more.degree(name):
            continue
        others = f"the rest of {parent.shown or 'the model'}"
        yield from _found(group.shown, others, more, rest)
        yield from _found(f"the part with {_power(products, sizes)} of {group.shown}", others, products, rest)


def _found(more: str, less: str, one: Polynomial, other: Polynomial) -> Iterator[Crossover]:
    place = crossing(one, other)
    if place is not None and place.at > 1:
        yield Crossover(more, less, place)


def _power(leading: Polynomial, sizes: tuple[str, ...]) -> str:
    """Return the powers that all terms have, without the batch, such as "T²"."""
    lowest = [min(powers) for powers in zip(*(exponents for exponents, _ in leading.terms), strict=True)]
    shown = tuple([power if name in sizes else 0 for name, power in zip(leading.names, lowest, strict=True)])
    return str(Polynomial.of(leading.names, {shown: 1}))


def _polynomial(formula: Formula) -> Polynomial | None:
    return formula.polynomial if len(formula.pieces) == 1 and not formula.mark else None
