"""Views: each turns a graph into another graph, or into blocks, and leaves the original unchanged."""
