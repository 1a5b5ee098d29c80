"""Listening sockets: the embedded registry."""
