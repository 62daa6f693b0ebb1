"""What documents show of models: blocks of Markdown files, Sphinx directives, MkDocs pages."""
