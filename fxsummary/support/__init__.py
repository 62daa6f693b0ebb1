"""Helpers that all parts may use and that are independent of models: the registry, files, garbage collection."""
