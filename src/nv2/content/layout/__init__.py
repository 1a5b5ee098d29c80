"""OCI image layouts: `store` keeps the port, the others read and write the directory."""
