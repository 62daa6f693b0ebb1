"""The HTML page: what is on it (`outline`, `atlas`, `contents`), its script and style sheet, and how it is put together."""
