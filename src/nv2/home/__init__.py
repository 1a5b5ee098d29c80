"""The files of notation and of nv2 on this machine."""
