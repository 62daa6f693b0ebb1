"""The MkDocs plugin under its public name; see `fxsummary.documents.mkdocs`."""

from __future__ import annotations

from fxsummary.documents.mkdocs import FxsummaryPlugin

__all__ = ["FxsummaryPlugin"]
