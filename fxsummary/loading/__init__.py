"""Loads a model from a name, such as ``package.module:factory``, or a file, and builds its graph."""
