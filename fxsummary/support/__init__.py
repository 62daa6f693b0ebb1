"""Helpers that all parts may use and that are independent of models: registry, files, processes, garbage collection."""
