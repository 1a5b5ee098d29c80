"""Other people's tests of the profile: NIST's PKITS, with the data that `cryptography_vectors` ships."""
