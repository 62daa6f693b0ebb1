"""From what a user names, such as ``package.module:factory``, to a model and its graph."""
