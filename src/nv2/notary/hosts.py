"""What hosts files say, wired: mirrors before a registry, and TLS, headers and time limits of each host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nv2.content.remote.mirrors import Mirror, Mirrored
from nv2.errors import ConfigurationError
from nv2.home.docker_certificates import DockerCertificates
from nv2.home.hosts import Host, Hosts, find_hosts
from nv2.oci.reference import DOCKER_HUB
from nv2.transport.http import Way
from nv2.transport.interface import CONNECT_TIMEOUT, Transport
from nv2.transport.tls import TlsSettings
from nv2.transport.urls import Origin, origin_of


class RegistryRules(NamedTuple):
    """What a hosts file says of one registry."""

    registry: str
    hosts: Hosts

    @property
    def base(self) -> str | None:
        """Where the registry is, if not where its name leads."""
        return self.hosts.server.base or None

    def transport(
        self, transport: Transport, root: str, note: Callable[[str], None], *, push: bool, alone: bool
    ) -> Transport:
        """`transport` with the mirrors before it, unless the registry is to be asked `alone`.

        Who writes does so: what is there is what counts.
        """
        if push and self.base and "push" not in self.hosts.server.capabilities:
            raise ConfigurationError(
                f"nothing is written to {self.base}",
                at=f"hosts.toml of {self.registry}",
                hint="its capabilities there do not name push",
            )
        mirrors = [
            Mirror(host.root, "pull" in host.capabilities, "resolve" in host.capabilities)
            for host in self.hosts.mirrors
        ]
        if not (mirrors or self.base):
            return transport
        name = DOCKER_HUB[0] if self.registry in DOCKER_HUB else self.registry
        return Mirrored(
            transport, name, root, () if push or alone else mirrors, note, proxied=self.base is not None
        )


class HostRules:
    """All that the files in `directory` say, read when a registry is first asked; `ways` learns of its hosts."""

    def __init__(self, directory: str, ways: dict[Origin, Way]) -> None:
        self._directory = Path(directory)
        self._ways = ways
        self._rules: dict[str, RegistryRules | None] = {}
        self._certificates: dict[Origin, DockerCertificates] = {}
        self._servers: set[Origin] = set()
        self._mirrors: set[Origin] = set()

    def of(self, registry: str, base: str) -> RegistryRules | None:
        """What is said of `registry`, which its name leads to at `base`. Raises `ConfigurationError`."""
        if registry not in self._rules:
            found = find_hosts(self._directory, registry)
            self._rules[registry] = RegistryRules(registry, found) if found else None
            self._servers.add(origin_of(base))
            if found:
                server = origin_of(found.server.base or base)
                self._servers.add(server)
                self._learn(server, found.server)
                for host in found.mirrors:
                    self._mirrors.add(origin_of(host.root))
                    self._learn(origin_of(host.root), host)
        return self._rules[registry]

    def _learn(self, origin: Origin, host: Host) -> None:
        origin = origin._replace(host=origin.host.lower())
        if any(host.certificates):
            self._certificates[origin] = host.certificates
        if host.headers or host.dial_timeout:
            usual = self._ways.get(origin, Way())
            timeout = host.dial_timeout or CONNECT_TIMEOUT
            self._ways[origin] = usual._replace(headers=host.headers, dial_timeout=timeout)

    def is_mirror(self, authority: str) -> bool:
        """Whether `authority` (`host[:port]`) is only a mirror, and no registry that was named."""
        return any(origin.authority == authority for origin in self._mirrors - self._servers)

    def tls(self, origin: Origin, given: TlsSettings) -> TlsSettings | None:
        """How to connect to `origin`, if a file says it; `given` are the flags, which are meant for registries."""
        said = self._certificates.get(origin._replace(host=origin.host.lower()))
        if origin in self._mirrors - self._servers:
            said = said or DockerCertificates()
            return TlsSettings((*given.ca_files, *said.authorities), said.client_certificate, said.client_key)
        if said is None:
            return None
        authorities = given.ca_files or said.authorities
        if given.client_certificate:
            return given._replace(ca_files=authorities)
        return TlsSettings(authorities, said.client_certificate, said.client_key)
