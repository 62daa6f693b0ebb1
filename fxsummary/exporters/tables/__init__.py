"""Tables of a model: rows and columns for all exporters that print tables."""
