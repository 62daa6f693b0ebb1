"""Einstein sums of two tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fxsummary.capture.operations.outcome import Outcome
from fxsummary.capture.operations.rules.answers import floats, fresh, numel, strides, sure, tensor
from fxsummary.capture.operations.rules.layout import Sizes, contiguous_stride, elementwise_stride, expanded_stride
from fxsummary.graph.spec import TensorSpec


def _einsum(equation: Any, *operands: Any) -> Outcome:
    """Of two tensors with one letter for each dimension; a letter that is summed over is in both."""
    left, right = operands[0] if len(operands) == 1 else operands
    first, second, output = _letters(equation)
    sizes = {**_sizes(first, left), **_sizes(second, right)}
    for letters, spec in ((first, left), (second, right)):
        sure(all(sizes[letter] == size for letter, size in zip(letters, spec.shape, strict=True)))
    sure(set(output) <= set(sizes) and len(set(output)) == len(output))
    summed = sorted(set(sizes) - set(output))
    if not summed:
        return _product(first, left, second, right, output, tuple([sizes[letter] for letter in output]))
    spec = floats(left, right)
    sure(all(letter in first and letter in second and sizes[letter] > 1 for letter in summed))
    return _contraction(spec, _wide(first, sizes), _wide(second, sizes), output, summed, sizes)


def _letters(equation: Any) -> tuple[str, str, str]:
    """The letters of both operands and of the output, which are by default those that come once, in order.

    >>> _letters("bij, bjk -> bik"), _letters("ij,jk")
    (('bij', 'bjk', 'bik'), ('ij', 'jk', 'ik'))
    """
    sure(type(equation) is str)
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    first, second = inputs.split(",")
    both = first + second
    sure((both + output).isalpha() and (both + output).isascii())
    return first, second, output if arrow else "".join(sorted(each for each in both if both.count(each) == 1))


def _sizes(letters: str, spec: Any) -> dict[str, int]:
    shape = tensor(spec).shape
    sizes = dict(zip(letters, shape, strict=True))
    sure(len(sizes) == len(shape))
    return sizes


def _wide(letters: str, sizes: dict[str, int]) -> set[str]:
    return {letter for letter in letters if sizes[letter] > 1}


def _product(first: str, left: TensorSpec, second: str, right: TensorSpec, output: str, shape: Sizes) -> Outcome:
    """Elementwise: each operand is turned to the order of the output, its missing dimensions are of size 1."""
    sure(left.dtype == right.dtype and left.dtype != "bool")
    turned = []
    for letters, spec in ((first, left), (second, right)):
        laid = {letter: (size, step) for letter, size, step in zip(letters, spec.shape, strides(spec), strict=True)}
        dims = [laid.get(letter, (1, 1)) for letter in output]
        turned.append(expanded_stride(tuple([size for size, _ in dims]), tuple([step for _, step in dims]), shape))
    return fresh(shape, left, stride=elementwise_stride(shape, turned))


def _contraction(
    spec: TensorSpec, left: set[str], right: set[str], output: str, summed: list[str], sizes: dict[str, int]
) -> Outcome:
    """A batch of matrix products, turned to the order of the output: ``at::native::sumproduct_pair``."""
    wide = output.lstrip("".join(letter for letter in output if letter not in left | right))
    sure(set(wide) <= left | right)  # a size of 1 elsewhere than in front has strides of another kind
    batch = [letter for letter in wide if letter in left and letter in right]
    rows = [letter for letter in wide if letter not in right]
    columns = [letter for letter in wide if letter not in left]
    if rows and columns and wide.index(columns[-1]) < wide.index(rows[0]):
        rows, columns = columns, rows
    order = (*batch, *rows, *columns)
    laid = contiguous_stride(tuple([sizes[letter] for letter in order]))
    steps = dict(zip(order, laid, strict=True))
    shape, stride = [sizes[letter] for letter in wide], [steps[letter] for letter in wide]
    for _ in range(len(output) - len(wide)):
        stride.insert(0, shape[0] * stride[0] if shape else 1)
        shape.insert(0, 1)
    return fresh(
        shape, spec, flops=2 * numel(shape) * numel([sizes[letter] for letter in summed]), stride=tuple(stride)
    )


MODULES: dict[type[nn.Module], Callable[..., Outcome]] = {}

FUNCTIONS: dict[Any, Callable[..., Outcome]] = {torch.einsum: _einsum}
