"""Exporters: each turns a graph into a form of its own; one file each, imported when it is used."""

from fxsummary.registry import EXPORTERS, Exporter

for _exporter in (
    Exporter("text", "fxsummary.exporters.text:to_text", ".txt"),
    Exporter("svg", "fxsummary.exporters.svg:to_svg", ".svg"),
    Exporter("png", "fxsummary.exporters.png:to_png", ".png", needs=("resvg_py",)),
    Exporter("pdf", "fxsummary.exporters.pdf:to_pdf", ".pdf", needs=("svglib", "reportlab")),
    Exporter("html", "fxsummary.exporters.html:to_html", ".html"),
    Exporter("dot", "fxsummary.exporters.dot:to_dot", ".dot"),
    Exporter("json", "fxsummary.saved:dumps", ".json"),
    Exporter("graphviz", "fxsummary.exporters.dot:to_graphviz"),
):
    EXPORTERS.register(_exporter.name, _exporter)
