"""Views: each turns one graph into another, or into blocks, and changes nothing."""
