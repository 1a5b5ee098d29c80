"""Signature envelopes: JWS and COSE_Sign1, parsed strictly, built exactly. Pure."""
