"""Signature envelopes: JWS and COSE_Sign1, parsed strictly, built exactly. `formats` is the door of this room."""
