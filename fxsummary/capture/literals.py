"""Which values are literals: immutable, hold no tensor, and mean the same wherever they occur."""

from __future__ import annotations

from typing import Any

import torch

NUMBERS: frozenset[Any] = frozenset({bool, int, float, complex})
"""Types of numbers; ``True``, ``1`` and ``1.0`` are equal in Python and different to torch."""

ATOMS: frozenset[Any] = NUMBERS | {
    str, type(None), type(Ellipsis), torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size,
}  # fmt: skip
"""Types of literals."""
