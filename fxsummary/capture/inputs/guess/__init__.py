"""Inputs that nobody gave: found by what the model asks for, its argument names and its error messages."""
