"""The one way to the network: `interface` is the port, `http` the adapter, `auth` the logins."""
