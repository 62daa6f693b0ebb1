"""Models in documents: blocks in Markdown files, Sphinx directives, MkDocs pages."""
