"""Where bytes live: `interface` is the port; `memory`, `layout` and `remote` are the adapters."""
