"""Who holds the private key: `interface` is the port, `file` the adapter for keys in files, `pkcs11` the one for keys in tokens."""
