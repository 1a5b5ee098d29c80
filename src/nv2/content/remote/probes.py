"""What a registry can do, and which quirks it has: asked by reading alone.

A probe asks one thing and says what came and what that means for signatures. It never raises for an answer that it did not
expect: that is its finding. `write_probes` asks what only writing shows.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from nv2.content.remote.endpoint import ACCEPT_MANIFESTS, Endpoint
from nv2.errors import BadAnswer, InvalidReference, NotFound, Nv2Error
from nv2.oci import media_types as mt
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest, algorithm_of, digest_of, fallback_tag, is_computable, parse_digest
from nv2.oci.manifest import parse_manifest
from nv2.plain_text import one_line
from nv2.strict_json import loads
from nv2.transport.interface import Request, Response

MAX_SKEW = 60
"""Seconds between the registry's clock and ours that are worth a word."""

MAX_SHOWN = 120
"""Characters of a header that are shown."""


class State(enum.Enum):
    """What a finding means for signatures."""

    GOOD = "good"
    LIMITED = "limited"
    """It works, with a cost or a risk that is said."""
    BAD = "bad"
    UNKNOWN = "unknown"
    """It could not be told from here."""


class Finding(NamedTuple):
    """What one probe found."""

    probe: str
    state: State
    found: str
    meaning: str = ""

    def to_json(self) -> dict[str, str]:
        """The finding as JSON has it."""
        return {"probe": self.probe, "state": self.state.value, "found": self.found, "meaning": self.meaning}


class Subject(NamedTuple):
    """The artifact that is asked about."""

    endpoint: Endpoint
    name: str
    """Tag or digest, as it was asked for."""
    descriptor: Descriptor
    data: bytes
    headers: dict[str, str]


def answer(endpoint: Endpoint, request: Request) -> tuple[Response, bytes]:
    """What `endpoint` answers, whatever the status, with the body. Raises `Unreachable`, `BadAnswer`."""
    response = endpoint.send(request)
    return response, response.data() if request.method != "HEAD" else b""


def find_subject(endpoint: Endpoint, name: str) -> Subject:
    """The manifest to ask about. Raises `NotFound`, `Refused`, `BadAnswer`."""
    request = endpoint.request("GET", f"manifests/{name}", ACCEPT_MANIFESTS)
    response, data = endpoint.read(endpoint.start(request), request, f"manifest {name}")
    if response.content_type not in mt.MANIFESTS:
        raise BadAnswer(
            f"the answer is {response.content_type or 'of no type'}, not a manifest", at=endpoint.name
        )
    digest = Digest(name) if ":" in name else digest_of(data)
    return Subject(
        endpoint, name, Descriptor(response.content_type, digest, len(data)), data, dict(response.headers)
    )


def check_front(endpoint: Endpoint, root: str, now: datetime) -> Iterator[Finding]:
    """What the registry says of itself before anybody logs in. `root` is where its API is, `now` our clock."""
    response, data = answer(endpoint, Request("GET", f"{root}/", anonymous=True))
    page = data.lstrip()[:1] == b"<"
    version = response.headers.get("docker-distribution-api-version", "")
    good = response.status in (200, 401) and not page
    yield Finding(
        "api",
        State.GOOD if good else State.BAD,
        f"answered {response.status}" + (f", {_shown(version)}" if version else ""),
        "" if good else "nothing here speaks the distribution API",
    )
    challenge = response.headers.get("www-authenticate", "").partition(" ")[0].lower()
    login = {"bearer": "a token server", "basic": "user name and password (basic)"}.get(challenge)
    yield Finding("login", State.GOOD, login or ("none" if response.status == 200 else "unknown"))
    yield _clock(response.headers.get("date", ""), now)


def _clock(text: str, now: datetime) -> Finding:
    try:
        there = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return Finding("clock", State.UNKNOWN, "it does not say what time it is")
    skew = round(((there if there.tzinfo else there.replace(tzinfo=UTC)) - now).total_seconds())
    if abs(skew) <= MAX_SKEW:
        return Finding("clock", State.GOOD, f"{abs(skew)} seconds apart from ours")
    side = "ahead of" if skew > 0 else "behind"
    why = "one of the two is wrong; expiry, revocation and timestamps are judged by ours"
    return Finding("clock", State.LIMITED, f"{abs(skew)} seconds {side} ours", why)


def check_manifests(subject: Subject) -> Iterator[Finding]:
    """Digest header, rate limits, `ETag`, and what becomes of a request that accepts nothing in particular."""
    said = subject.headers.get("docker-content-digest", "").strip()
    if not _fits(subject.data, subject.descriptor.digest):
        why = "it is not what was asked for: nothing is signed or verified so"
        yield Finding("digest", State.BAD, f"the content has digest {digest_of(subject.data)}", why)
    elif said and not _fits(subject.data, said):
        why = "one of the two is not what was asked for: nothing is signed or verified so"
        yield Finding("digest", State.BAD, f"the header says {_shown(said)}", why)
    else:
        yield Finding("digest", State.GOOD, "named in a header" if said else "computed; there is no header")
    limits = [f"{name} {value}" for name, value in sorted(subject.headers.items()) if "ratelimit" in name]
    if limits:
        why = "each signature that is read counts; nv2 keeps them for the next run"
        yield Finding("rate limit", State.LIMITED, _shown(", ".join(limits)), why)
    else:
        yield Finding("rate limit", State.GOOD, "none is told")
    etag = subject.headers.get("etag")
    yield Finding("etag", State.GOOD if etag else State.LIMITED, "sent" if etag else "none")
    endpoint = subject.endpoint
    response, _ = answer(endpoint, endpoint.request("GET", f"manifests/{subject.name}", {"Accept": "*/*"}))
    plain = response.status == 200
    why = "" if plain else "other tools that do not name the type see nothing; nv2 names it"
    yield Finding(
        "accept", State.GOOD if plain else State.LIMITED, f"{response.status} without the type", why
    )


def _fits(data: bytes, digest: str) -> bool:
    """Whether `data` has `digest`; one that nobody here can compute fits."""
    try:
        found = parse_digest(digest)
    except InvalidReference:
        return False
    return not is_computable(found) or digest_of(data, algorithm_of(found)) == found


def check_referrers(subject: Subject) -> Iterator[Finding]:
    """The referrers API by its answer (status, type and shape: one alone lies), its filter, and the fallback tag."""
    endpoint, digest = subject.endpoint, subject.descriptor.digest
    path, accept = f"referrers/{digest}", {"Accept": mt.IMAGE_INDEX}
    response, data = answer(endpoint, endpoint.request("GET", path, accept))
    listed = _entries(data)
    if response.status == 200 and listed is not None:
        typed = response.content_type == mt.IMAGE_INDEX
        why = "" if typed else f"it comes as {_shown(response.content_type)}; nv2 reads it, others may not"
        yield Finding("referrers api", State.GOOD if typed else State.LIMITED, f"lists {len(listed)}", why)
        yield from _types(listed)
        yield _filter(endpoint, path)
    elif response.status in (401, 403, 429) or response.status >= 500:
        why = "as long as it answers so, nobody can say what is signed"
        yield Finding("referrers api", State.BAD, f"answered {response.status}", why)
    elif response.status == 200:
        why = "it claims an API that it has not; nv2 takes the fallback tag"
        yield Finding("referrers api", State.LIMITED, "answers 200, and not with an index", why)
    else:
        why = "signatures are listed by the fallback tag, which concurrent writers of other tools overwrite"
        yield Finding("referrers api", State.LIMITED, f"none (answered {response.status})", why)
    yield _fallback(subject)


def _entries(data: bytes) -> list[object] | None:
    try:
        document = loads(data, BadAnswer)
    except BadAnswer:
        return None
    if not isinstance(document, dict) or "manifests" not in document:
        return None
    found = document["manifests"]
    return [] if found is None else found if isinstance(found, list) else None


def _types(listed: list[object]) -> Iterator[Finding]:
    without = [item for item in listed if isinstance(item, dict) and item.get("artifactType") in mt.NO_TYPE]
    if without:
        why = "notation finds no signature among them; nv2 looks into the manifests"
        yield Finding("artifact types", State.LIMITED, f"missing from {len(without)} of {len(listed)}", why)


def _filter(endpoint: Endpoint, path: str) -> Finding:
    request = endpoint.request(
        "GET", f"{path}?artifactType=application%2Fvnd.nv2.doctor", {"Accept": mt.IMAGE_INDEX}
    )
    response, _ = answer(endpoint, request)
    applied = "artifacttype" in response.headers.get("oci-filters-applied", "").lower()
    why = "" if applied else "every referrer is listed, and picked out here"
    return Finding(
        "referrers filter", State.GOOD if applied else State.LIMITED, "applied" if applied else "none", why
    )


def _fallback(subject: Subject) -> Finding:
    endpoint, tag = subject.endpoint, fallback_tag(subject.descriptor.digest)
    response, data = answer(endpoint, endpoint.request("GET", f"manifests/{tag}", ACCEPT_MANIFESTS))
    name = "fallback tag"
    if response.status == 404:
        return Finding(name, State.GOOD, "not there")
    if response.status != 200:
        return Finding(
            name, State.BAD, f"answered {response.status}", "who has signatures by it cannot be told"
        )
    if digest_of(data) == subject.descriptor.digest:
        why = "the tag is taken for the digest; nv2 knows, other tools fail on it"
        return Finding(name, State.LIMITED, "names the artifact itself", why)
    listed = _entries(data) if response.content_type == mt.IMAGE_INDEX else None
    if listed is None:
        return Finding(name, State.BAD, "is no index", "nothing can be attached by it until it is removed")
    return Finding(name, State.GOOD, f"lists {len(listed)}")


def check_tags(subject: Subject) -> Iterator[Finding]:
    """Whether the list of tags comes in pages."""
    response, data = answer(subject.endpoint, subject.endpoint.request("GET", "tags/list?n=1"))
    try:
        document = loads(data, BadAnswer) if response.status == 200 else None
    except BadAnswer:
        document = None
    tags = document.get("tags") or [] if isinstance(document, dict) else None
    if not isinstance(tags, list):
        found = f"no list (answered {response.status})"
        yield Finding("tag list", State.LIMITED, found, "all tags of it cannot be copied at once")
        return
    count = len(tags)
    if count > 1:
        yield Finding("tag list", State.LIMITED, f"{count} where one was asked for", "pages are not kept to")
    else:
        more = "with pages" if response.headers.get("link") else "one page or none"
        yield Finding("tag list", State.GOOD, more)


def check_range(subject: Subject) -> Iterator[Finding]:
    """Whether a part of a blob can be asked for."""
    blob = _small_blob(subject)
    if blob is None:
        yield Finding("range", State.UNKNOWN, "the artifact has no blob to try it with")
        return
    request = subject.endpoint.request("GET", f"blobs/{blob.digest}", {"Range": "bytes=0-0"}, limit=blob.size)
    response, data = answer(subject.endpoint, request)
    good = response.status == 206 and len(data) == 1
    why = "" if good else "a large blob that was interrupted begins again"
    yield Finding("range", State.GOOD if good else State.LIMITED, f"answered {response.status}", why)


def _small_blob(subject: Subject) -> Descriptor | None:
    try:
        manifest = parse_manifest(subject.data, subject.descriptor.media_type)
    except Nv2Error:
        return None
    blobs = [item for item in (manifest.config, *manifest.layers) if item and 1 < item.size <= 1024 * 1024]
    return min(blobs, key=lambda item: item.size, default=None)


READING: tuple[tuple[str, Callable[[Subject], Iterator[Finding]]], ...] = (
    ("manifest", check_manifests),
    ("referrers", check_referrers),
    ("tag list", check_tags),
    ("range", check_range),
)


def read_all(subject: Subject) -> list[Finding]:
    """What every probe that only reads finds. A probe that fails says so, and the others go on."""
    return [finding for name, probe in READING for finding in guarded(name, probe(subject))]


def guarded(name: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """`findings`; an error ends them as one more finding."""
    try:
        yield from findings
    except NotFound as e:
        yield Finding(name, State.LIMITED, one_line(e.message, MAX_SHOWN))
    except Nv2Error as e:
        yield Finding(name, State.UNKNOWN, one_line(str(e), MAX_SHOWN))


def _shown(text: str) -> str:
    return one_line(re.sub(r"[^ -~]", "?", text), MAX_SHOWN)
