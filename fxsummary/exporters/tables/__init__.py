"""Tables of a model, as rows and columns for every exporter that prints one."""
