"""What is spoken over HTTP: routes, bodies, limits, problems, and the document that describes them."""
