"""Keys in PKCS#11 tokens: `uri` names one, `modules` finds the library that reaches it, `token` opens it, `signer` signs."""
