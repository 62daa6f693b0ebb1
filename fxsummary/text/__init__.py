"""Functions that convert values to text and back."""
