"""Decisions: policy, level, anchors, identities, validations, verdict. Pure."""
