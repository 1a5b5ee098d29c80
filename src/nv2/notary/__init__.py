"""Wiring: the only place that picks adapters. One module a verb, so that each loads only what it needs."""
