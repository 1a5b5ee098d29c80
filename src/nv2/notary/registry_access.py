"""The connection to registries, wired: transport, TLS, proxies, and whose credentials are used."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from nv2.content.remote.endpoint import base_url
from nv2.errors import ConfigurationError, CredentialError
from nv2.home.config import Config
from nv2.oci.reference import api_host
from nv2.transport.auth import Authenticated
from nv2.transport.http import HttpSettings, HttpTransport, Way
from nv2.transport.interface import Transport
from nv2.transport.proxies import Proxies
from nv2.transport.tls import TlsSettings
from nv2.transport.trace import Traced
from nv2.transport.urls import origin_of

if TYPE_CHECKING:
    from pathlib import Path

    from nv2.notary.hosts import HostRules, RegistryRules
    from nv2.transport.credentials import Credential, CredentialConfig, CredentialStore
    from nv2.transport.urls import Origin


_CERTS_D = "name a directory that has one for each registry, with hosts.toml, or leave it out"


def _silent(_: object) -> None:
    """Nobody listens."""


class Settings(NamedTuple):
    """What the caller says about the connection, and who hears of warnings."""

    username: str | None = None
    password: str | None = None
    insecure_registry: bool = False
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    resolve: tuple[str, ...] = ()
    """`HOST:PORT:ADDRESS[:PORT]`: where to connect to for registries, and where they lead."""
    warn: Callable[[str], None] = _silent
    debug: Callable[[str], None] | None = None
    per_host: int | None = None
    """Requests to one host that are under way at a time; None: as many as is usual."""

    def __repr__(self) -> str:
        shown = self._asdict() | {"password": self.password and "…"}  # secrets stay out of logs
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class RegistryAccess:
    """One transport, one set of credentials, shared by everything in a session."""

    def __init__(
        self, settings: Settings, config: Config, environ: Mapping[str, str], certs_d: Path | None = None
    ) -> None:
        self._settings = settings
        self._config = config
        self._environ = environ
        self._explicit = _explicit(settings, environ)
        self._explicit_host: str | None = None
        self._ways = _ways(settings.resolve)
        self._certs_d = _hosts_directory(environ, certs_d)
        self._hosts: HostRules | None = None
        self._registries: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._http: HttpTransport | None = None
        self._strangers: HttpTransport | None = None
        self._numbers = itertools.count(1)
        self._transport: Transport | None = None

    def close(self) -> None:
        """Close the connections that nobody uses just now; more are opened when they are needed."""
        for http in (self._http, self._strangers):
            if http is not None:
                http.close()

    def transport(self) -> Transport:
        """The transport, made on first use."""
        if self._transport is None:
            proxies, debug = Proxies.from_environment(self._environ), self._settings.debug
            for scheme, proxy in proxies.by_scheme.items() if debug else ():
                (debug or _silent)(f"proxy for {scheme}: {proxy.origin.place}")
            settings = HttpSettings(tls_for=self._tls_for, proxies=proxies, ways=self._ways)
            if self._settings.per_host is not None:
                settings = settings._replace(per_host=self._settings.per_host)
            self._http = HttpTransport(settings)
            self._transport = Authenticated(self._traced(self._http), self.credential_for)
        return self._transport

    def _tls_for(self, origin: Origin) -> TlsSettings:
        """What the flags say, and for what they leave open Docker's directory for `origin`. Raises `ConfigurationError`."""
        from nv2.home.docker_certificates import certificate_directories, docker_certificates

        given = self._settings
        tls = TlsSettings(
            (given.ca_file,) if given.ca_file else (), given.client_certificate, given.client_key
        )
        if self._hosts and (said := self._hosts.tls(origin, tls)):
            return said
        if tls.ca_files and tls.client_certificate:
            return tls
        names = dict.fromkeys((origin.authority, origin.place))
        found = docker_certificates(certificate_directories(self._environ), tuple(names))
        if found is None:
            return tls
        if not tls.ca_files:
            tls = tls._replace(ca_files=found.authorities)
        if not tls.client_certificate:
            tls = tls._replace(client_certificate=found.client_certificate, client_key=found.client_key)
        return tls

    def transport_to_strangers(self) -> Transport:
        """For addresses that nobody here has chosen: no client certificate, and nobody to log in."""
        with self._lock:
            if self._strangers is None:
                tls = TlsSettings(ca_files=(self._settings.ca_file,) if self._settings.ca_file else ())
                proxies = Proxies.from_environment(self._environ)
                self._strangers = HttpTransport(HttpSettings(tls=tls, proxies=proxies))
        return self._traced(self._strangers)

    def _traced(self, transport: Transport) -> Transport:
        debug = self._settings.debug
        return Traced(transport, debug, self._numbers) if debug else transport

    def prepare(self, registry: str, count: int) -> None:
        """Begin to open `count` connections to `registry`, for requests that are certain to come."""
        self.transport()
        if self._http is not None:
            base = self.base_of(registry) or base_url(registry, plain_http=self.plain_http(registry))
            self._http.prepare(base, count)

    def transport_to(self, registry: str, *, push: bool = False, alone: bool = False) -> Transport:
        """The transport for `registry`: by its mirrors, if it has any, but for who is going to write, or wants it `alone`.

        Raises `ConfigurationError` for a hosts file that cannot be used.
        """
        rules = self._rules_of(registry)
        if rules is None:
            return self.transport()
        root = self.base_of(registry) or base_url(registry, plain_http=self.plain_http(registry))
        note = self._settings.debug or _silent
        return rules.transport(self.transport(), f"{root}/v2", note, push=push, alone=alone)

    def tls_version(self, url: str) -> str | None:
        """The version of TLS that was spoken last with the origin of `url`; None if nobody connected."""
        return self._http.tls_versions.get(origin_of(url)) if self._http else None

    def base_of(self, registry: str) -> str | None:
        """Where a hosts file says that `registry` is; None: where its name leads. Raises `ConfigurationError`."""
        rules = self._rules_of(registry)
        return rules.base if rules else None

    def _rules_of(self, registry: str) -> RegistryRules | None:
        if self._certs_d is None:
            return None
        with self._lock:
            if self._hosts is None:
                from nv2.notary.hosts import HostRules  # most machines have no such directory

                self._hosts = HostRules(self._certs_d, self._ways)
            return self._hosts.of(registry, base_url(registry, plain_http=self.plain_http(registry)))

    def plain_http(self, registry: str) -> bool:
        """Whether `registry` is spoken to without TLS: notation's rule.

        `--insecure-registry`, `insecureRegistries` of config.json, or `localhost` with a port.
        """
        return (
            self._settings.insecure_registry
            or self._config.is_insecure(registry)
            or registry.lower().startswith("localhost:")
        )

    def credential_for(self, host: str) -> Credential | None:
        """The credentials for `host`: explicit ones, then notation's settings, then Docker's; where both say nothing, the
        platform's own key chain. May be none.

        Explicit ones are for one registry: they are not handed to a second one. Raises `CredentialError`.
        """
        note = self._settings.debug or _silent
        if self._explicit is not None and self._hosts and self._hosts.is_mirror(host):
            note(f"credentials of {host}: none, since those given are for the registry that it mirrors")
            return None
        if self._explicit is not None:
            note(f"credentials of {host}: from the flags or the environment")
            return self._explicit_for(host)
        for store in self._stores():
            found = store.get(host)
            note(f"credentials of {host}: {'from' if found else 'none in'} {store.source(host)}")
            if found is not None:
                return found
        return None

    def check_registries(self, registries: Iterable[str]) -> None:
        """Raise `CredentialError` if there are explicit credentials, and several registries to be asked, now and before.

        To be called before any of them is: the first one to ask for credentials would get them, and that may be
        the one they are not for.
        """
        if self._explicit is None:
            return
        with self._lock:
            found = self._registries.union(map(api_host, registries))
            if len(found) > 1:
                raise _two_registries(*sorted(found)[:2])
            self._registries = found

    def credential_store(self) -> CredentialStore:
        """Where `login` puts credentials and `logout` takes them from.

        notation's settings, else Docker's, else the platform's own key chain.
        """
        return next(iter(self._stores()))

    def _explicit_for(self, host: str) -> Credential | None:
        with self._lock:
            if self._explicit_host is None:
                self._explicit_host = host
        if host != self._explicit_host:
            raise _two_registries(self._explicit_host, host)
        return self._explicit

    def _stores(self) -> list[CredentialStore]:
        from nv2.programs.run import LocalPrograms
        from nv2.transport.credentials import CredentialConfig, CredentialStore, native_helper

        programs = LocalPrograms(self._environ)
        configs = (
            CredentialConfig(
                helpers=self._config.credential_helpers,
                store=self._config.credentials_store,
                auths=self._config.auths,
                at="notation's config.json",
            ),
            _docker_config(self._environ),
        )
        saying = [config for config in configs if config.says_something]
        if not saying:
            saying = [configs[-1]._replace(store=native_helper(sys.platform, programs.has))]
        return [CredentialStore(config, programs) for config in saying]


def _hosts_directory(environ: Mapping[str, str], usual: Path | None) -> str | None:
    """The directory of hosts files, if there is one; NV2_CERTS_D names another. Raises `ConfigurationError`."""
    named = environ.get("NV2_CERTS_D")
    if named and not os.path.isdir(named):
        raise ConfigurationError("no such directory", at=f"NV2_CERTS_D={named}", hint=_CERTS_D)
    return named or (str(usual) if usual and os.path.isdir(usual) else None)


def _ways(resolve: Iterable[str]) -> dict[Origin, Way]:
    if not resolve:
        return {}
    from nv2.transport.resolutions import parse_resolutions

    found = parse_resolutions(resolve)
    return {origin._replace(host=api_host(origin.host)): Way(address) for origin, address in found.items()}


def _two_registries(one: str, other: str) -> CredentialError:
    return CredentialError(
        f"one user name and password, and two registries: {one} and {other}",
        hint="log in to each with 'nv2 login'; leave --username, --password and their variables NOTATION_... out",
    )


def _explicit(settings: Settings, environ: Mapping[str, str]) -> Credential | None:
    """The flags, else NOTATION_USERNAME and NOTATION_PASSWORD; a password alone is an identity token."""
    username = settings.username if settings.username is not None else environ.get("NOTATION_USERNAME", "")
    password = settings.password if settings.password is not None else environ.get("NOTATION_PASSWORD", "")
    if not username and not password:
        return None
    from nv2.transport.credentials import Credential  # only those who log in need it

    return Credential(username, password) if username else Credential(identity_token=password)


def _docker_config(environ: Mapping[str, str]) -> CredentialConfig:
    from nv2.home.docker_config import docker_config_file
    from nv2.transport.credentials import CredentialConfig, parse_docker_config

    file = docker_config_file(environ)
    if file is None:
        return CredentialConfig()
    return (
        CredentialConfig(at=str(file.path))
        if file.data is None
        else parse_docker_config(file.data, str(file.path))
    )
