"""Whatever somebody else could do to a signer or a verifier, a named row each.

`machine` is what is struck at. A row ends in one located error of the right kind, after bounded work: never in a
traceback, a hang or a yes.
"""
