"""X.509: certificates, chains, the profile of the specification, distinguished names. Pure."""
