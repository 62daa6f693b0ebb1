"""The contents of the HTML page: modules (`outline`), their pictures (`atlas`), everything else (`contents`)."""
