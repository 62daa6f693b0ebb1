"""The HTML page: what is on it (`outline`, `atlas`, `contents`), and how it is put together (`assemble`)."""
