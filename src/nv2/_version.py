"""The version of nv2, written here and nowhere else (`pyproject.toml` reads it)."""

__version__ = "0.1.0"
