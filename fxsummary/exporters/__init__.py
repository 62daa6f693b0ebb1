"""Exporters: each turns a graph into one format. Each is one file, which is imported on first use."""

from fxsummary.support.registry import EXPORTERS, Exporter

for _exporter in (
    Exporter("text", "fxsummary.exporters.text:to_text", ".txt"),
    Exporter("svg", "fxsummary.exporters.svg:to_svg", ".svg"),
    Exporter("png", "fxsummary.exporters.png:to_png", ".png", needs=("resvg_py",), like="svg"),
    Exporter("pdf", "fxsummary.exporters.pdf:to_pdf", ".pdf", needs=("svglib", "reportlab"), like="svg"),
    Exporter("tikz", "fxsummary.exporters.tikz:to_tikz", ".tikz", like="svg"),
    Exporter("html", "fxsummary.exporters.html:to_html", ".html"),
    Exporter("dot", "fxsummary.exporters.dot:to_dot", ".dot", like="graphviz"),
    Exporter("markdown", "fxsummary.exporters.markdown:to_markdown", ".md"),
    Exporter("mermaid", "fxsummary.exporters.mermaid:to_mermaid", ".mmd"),
    Exporter("json", "fxsummary.exporters.saved:to_json", ".json"),
    Exporter("graphml", "fxsummary.exporters.graphml:to_graphml", ".graphml"),
    Exporter("csv", "fxsummary.exporters.dataframe:to_csv", ".csv", needs=("pandas",), extra="pandas"),
    Exporter("latex", "fxsummary.exporters.latex:to_latex", ".tex", needs=("pandas", "jinja2"), extra="pandas"),
    Exporter("pandas", "fxsummary.exporters.dataframe:to_pandas", needs=("pandas",)),
    Exporter("node_link", "fxsummary.exporters.graphml:to_node_link"),
    Exporter("graphviz", "fxsummary.exporters.dot:to_graphviz"),
):
    EXPORTERS.register(_exporter.name, _exporter)
