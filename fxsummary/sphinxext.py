"""The Sphinx extension under its public name, ``"fxsummary.sphinxext"``; see `fxsummary.documents.sphinx`."""

from __future__ import annotations

from fxsummary.documents.sphinx import setup

__all__ = ["setup"]
