"""Pure functions from values to text and back."""
