"""Decisions: policy, level, store, validations, verdict. Pure."""
