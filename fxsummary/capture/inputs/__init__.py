"""The inputs of forward: given by the user, or guessed."""
