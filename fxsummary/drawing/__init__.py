"""The style sheet, text measuring and the painter: from a graph with its blocks to SVG text."""
