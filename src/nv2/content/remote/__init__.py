"""Registries: `store` keeps the port, the others speak the distribution specification."""
