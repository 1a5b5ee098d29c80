"""Listening sockets: a small HTTP listener, and the embedded registry behind it."""
