"""Who may do what in the registry: logins by htpasswd and by token, rights, a read-only mode, limits of bodies.

Each is a layer before the registry (`server.messages.Layer`); the registry itself knows nobody.
"""
