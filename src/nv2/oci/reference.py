"""References: names of artifacts in registries and in OCI image layouts.

Grammar: distribution/reference, with the registry mandatory, as oras and notation have it. A name
without a registry never silently means Docker Hub.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nv2.errors import InvalidReference
from nv2.oci.digest import Digest, parse_digest

MAX_PORT = 65535
MAX_NAME = 255
"""Characters of registry, slash and repository together: what distribution accepts."""

# `-+`, not `-*`: the latter has the same language and makes Python's engine backtrack without end.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)

DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
"""The names of Docker Hub, the usual one first. The API answers at the last one."""

EXPECTED = "expected <registry>/<repository>:<tag> or <registry>/<repository>@<digest>"


class Reference(NamedTuple):
    """`registry/repository[:tag][@digest]`. With a digest, the tag is only a memory aid."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """`registry/repository`: what trust-policy scopes match."""
        return f"{self.registry}/{self.repository}"

    @property
    def wanted(self) -> str | None:
        """What to ask the registry for: the digest, else the tag, else nothing."""
        return self.digest or self.tag

    def with_digest(self, digest: Digest) -> Reference:
        """The same repository, by digest alone."""
        return Reference(self.registry, self.repository, None, digest)

    def __str__(self) -> str:
        return _join(self.name, self.tag, self.digest)


class LayoutReference(NamedTuple):
    """`layout:DIRECTORY[:TAG|@DIGEST]`: an artifact in an OCI image layout."""

    directory: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """The directory as written, without the prefix."""
        return self.directory

    @property
    def wanted(self) -> str | None:
        """The digest, else the tag, else nothing."""
        return self.digest or self.tag

    def with_digest(self, digest: Digest) -> LayoutReference:
        """The same layout, by digest alone."""
        return LayoutReference(self.directory, None, digest)

    def __str__(self) -> str:
        return "layout:" + _join(self.directory, self.tag, self.digest)


AnyReference = Reference | LayoutReference

_OTHER_LAYOUTS = dict.fromkeys(("layout", "oci", "oci-archive", "ocidir"), "layout:")
"""What skopeo and regctl write before the path of an image layout, and what is written here."""
_TAR = re.compile(r"\.tar(:[^/:@]*|@[^/]*)?\Z")
_HOST_ALONE = re.compile(r"(localhost|\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)+):[0-9]+")


def _join(name: str, tag: str | None, digest: str | None) -> str:
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def parse(text: str) -> AnyReference:
    """Read a reference of any kind. Raises `InvalidReference`.

    `layout:` and `docker:` name other places, unless a port and a slash follow the word; `docker://` is how others name
    a registry.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme in ("layout", "docker") and not re.match(r"[0-9]{1,5}/|//", rest):
        if scheme == "docker":
            raise InvalidReference(
                "references to the local docker engine are not supported yet",
                at=text,
                hint="push the image, then name it registry/repository:tag",
            )
        return parse_layout(rest)
    return parse_registry(text)


def parse_registry(text: str) -> Reference:
    """Read `registry/repository[:tag][@digest]`. Raises `InvalidReference`."""
    rest, at_sign, digest_text = text.partition("@")
    digest = parse_digest(digest_text, at=text) if at_sign else None
    _refuse_other_places(text)
    registry, slash, path = rest.partition("/")
    if not slash or not _looks_like_registry(registry):
        raise InvalidReference("a registry is missing", at=text, hint=_hint_without_registry(text, rest))
    repository, colon, tag = path.partition(":")
    if not _REGISTRY.fullmatch(registry):
        raise InvalidReference(f"invalid registry {registry!r}", at=text, hint=EXPECTED)
    host, _, port = registry.rpartition(":")
    if host and port.isdecimal() and int(port) > MAX_PORT:
        raise InvalidReference(f"invalid port {port}", at=text, hint=f"ports end at {MAX_PORT}")
    if not _REPOSITORY.fullmatch(repository) or len(registry) + 1 + len(repository) > MAX_NAME:
        raise InvalidReference(
            f"invalid repository {repository!r}", at=text, hint=_hint_repository(repository)
        )
    if colon and not _TAG.fullmatch(tag):
        raise InvalidReference(f"invalid tag {tag!r}", at=text, hint=EXPECTED)
    return Reference(registry, repository, tag or None, digest)


def parse_layout(text: str) -> LayoutReference:
    """Read `DIRECTORY[:TAG|@DIGEST]`: split at the last `@`, else at the last `:` that a tag follows."""
    directory, at_sign, digest = text.rpartition("@")
    if at_sign and ":" in digest and "/" not in digest:
        return LayoutReference(_directory(directory, text), None, parse_digest(digest, at=text))
    directory, colon, tag = text.rpartition(":")
    if colon and _TAG.fullmatch(tag):
        return LayoutReference(_directory(directory, text), tag)
    if colon and not tag:
        raise InvalidReference(
            "the tag is empty", at=text, hint="expected <directory>:<tag> or <directory>@<digest>"
        )
    return LayoutReference(_directory(text, text))


def is_repository(text: str) -> bool:
    """Whether `text` is `registry/repository` and nothing more: what a scope must be."""
    registry, slash, repository = text.partition("/")
    return bool(slash and _REGISTRY.fullmatch(registry) and _REPOSITORY.fullmatch(repository))


def api_host(registry: str) -> str:
    """The host that speaks the API for `registry`: another one than its name for Docker Hub only."""
    return DOCKER_HUB[-1] if registry in DOCKER_HUB else registry


def api_repository(registry: str, repository: str) -> str:
    """What `registry` calls `repository`: on Docker Hub, `alpine` is `library/alpine` (distribution/reference)."""
    return f"library/{repository}" if registry in DOCKER_HUB and "/" not in repository else repository


def is_tag(text: str) -> bool:
    """Whether `text` is a valid tag (distribution-spec, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None


def is_repository_path(text: str) -> bool:
    """Whether `text` is a valid repository name inside a registry."""
    return len(text) <= MAX_NAME and _REPOSITORY.fullmatch(text) is not None


def is_registry(text: str) -> bool:
    """Whether `text` is `host[:port]`."""
    return _REGISTRY.fullmatch(text) is not None


def _looks_like_registry(first: str) -> bool:
    return first == "localhost" or any(c in first for c in ".:[") or first != first.lower()


def _refuse_other_places(text: str) -> None:
    scheme, is_url, place = text.partition("://")
    if is_url and "/" not in scheme:
        raise InvalidReference(
            "a reference has no scheme", at=text, hint=f"write {_OTHER_LAYOUTS.get(scheme, '')}{place}"
        )
    if text.startswith((".", "/", "~")):
        raise InvalidReference(
            "a path is no reference to a registry", at=text, hint=f"an image layout is named layout:{text}"
        )


def _hint_without_registry(text: str, name: str) -> str:
    scheme, _, place = text.partition(":")
    if scheme in _OTHER_LAYOUTS:
        return f"an image layout is named {_OTHER_LAYOUTS[scheme]}{place}"
    if _TAR.search(text):
        return f"an image layout in an archive is named layout:{text}"
    if _HOST_ALONE.fullmatch(name):
        return f"that is a registry alone: name a repository in it, {name}/<repository>:<tag>"
    path = name if "/" in name else f"library/{name}"
    return f"for Docker Hub write docker.io/{path}; {EXPECTED}"


def _hint_repository(repository: str) -> str:
    if repository != repository.lower():
        return f"repository names are lower case: {repository.lower()}"
    return EXPECTED


def _directory(directory: str, text: str) -> str:
    if not directory or "\0" in directory:
        raise InvalidReference(
            "a directory is missing", at=text, hint="expected <directory>:<tag> or <directory>@<digest>"
        )
    return directory
