"""Who is who, on the kinds of data that booking systems really hold; `make identity` prints the figures."""
