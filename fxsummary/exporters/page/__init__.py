"""What is on the HTML page: the modules (`outline`), their pictures (`atlas`), all else (`contents`)."""
