"""One module per command; each has `COMMAND`."""
