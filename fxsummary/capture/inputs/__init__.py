"""The inputs of forward: those that were given, and those that are guessed."""
