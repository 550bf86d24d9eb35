"""How fast the server answers, as a ratio to a server that does nothing; run by `make bench`."""
