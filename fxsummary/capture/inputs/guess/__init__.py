"""Infers missing inputs from the model's first layers, its argument names and its error messages."""
