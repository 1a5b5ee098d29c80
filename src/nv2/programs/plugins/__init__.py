"""Plugins of the Notary Project, contract 1.0: `interface` is the port, `messages` what is said, `calls` says it."""
