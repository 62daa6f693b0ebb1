"""Put everything back that a capture may have touched: what the model holds, what its code reaches, torch's globals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from fxsummary.capture.restore.snapshots import Snapshot
from fxsummary.capture.restore.torch_state import preserved_globals

_kept: dict[int, Snapshot] = {}


@contextmanager
def preserved(model: nn.Module, *, caches: bool = True) -> Iterator[Snapshot]:
    """Restore, on the way out, what the model holds, and what `preserved_globals` restores.

    The values of tensors are not covered: `WriteGuard` refuses to change them.

    Args:
        caches: whether to clear each ``lru_cache`` that holds proxies or meta tensors; an interrupt always does.
    """
    snapshot = _kept.get(id(model)) or Snapshot(model)
    try:
        with preserved_globals():
            yield snapshot
    except Exception:
        raise
    except BaseException:
        caches = True
        raise
    finally:
        snapshot.restore(caches)


@contextmanager
def state_kept(model: nn.Module, arguments: Sequence[Any] = ()) -> Iterator[None]:
    """Within, `preserved` also restores the arguments of forward, and looks at the model once however often entered."""
    _kept[id(model)] = Snapshot(model, arguments)
    try:
        yield
    finally:
        _kept.pop(id(model), None)
