"""What every part may use and what knows nothing of models: the registry, files, garbage collection."""
