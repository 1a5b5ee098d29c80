"""Every quirk and every profile, by name: the switches of `nv2 registry serve --quirk` and `--profile`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

from nv2.errors import UsageError
from nv2.oci.digest import digest_of
from nv2.server.messages import Answer, Call, Layer, Respond
from nv2.server.quirks import answers, logins, places, pushes, referrers
from nv2.server.quirks.parts import error, passed_on
from nv2.server.registry.limits import Limits


class Quirk(NamedTuple):
    """What a registry does otherwise, and what makes a layer that does so: one for each registry, for some count."""

    says: str
    layer: Callable[[], Layer]
    limits: Callable[[Limits], Limits] = lambda limits: limits
    """What no layer can do: the limits of a registry that has the quirk."""


class Profile(NamedTuple):
    """A registry, or an age of it, as the quirks that it is known for."""

    says: str
    quirks: tuple[str, ...]


_Named = TypeVar("_Named", Quirk, Profile)

_JSON_404 = error(404, "MANIFEST_UNKNOWN")
_FALSE_INDEX = Answer(200, {"Content-Type": "application/json"}, b"{}")
_LOGIN = Answer(302, {"Location": "/login"})

# fmt: off
QUIRKS: dict[str, Quirk] = {
    # the list of referrers
    "no-referrers":        Quirk("there is no referrers API: 404 as plain text", partial(referrers.instead, referrers.NOT_FOUND)),
    "no-referrers-json":   Quirk("there is no referrers API: 404 with MANIFEST_UNKNOWN", partial(referrers.instead, _JSON_404)),
    "referrers-405":       Quirk("there is no referrers API: 405", partial(referrers.instead, error(405, "UNSUPPORTED"))),
    "false-200":           Quirk("there is no referrers API: 200 and a page of HTML", partial(referrers.instead, referrers.PAGE_OF_HTML)),
    "false-200-json":      Quirk("there is no referrers API: 200 and an empty JSON document", partial(referrers.instead, _FALSE_INDEX)),
    "login-page":          Quirk("there is no referrers API: a redirect to a page for logging in", lambda: _to_login),
    "subject-without-api": Quirk("pushes say OCI-Subject though there is no referrers API", partial(referrers.instead, referrers.NOT_FOUND, note=True)),
    "json-referrers":      Quirk("referrers come as application/json", partial(referrers.of_type, "application/json")),
    "no-artifact-type":    Quirk("referrers come without artifactType", partial(referrers.without, "artifactType")),
    "no-annotations":      Quirk("referrers come without annotations", partial(referrers.without, "annotations")),
    "empty-artifact-type": Quirk("referrers come with the empty type as artifactType, under the fallback tag too", referrers.empty_types),
    "null-referrers":      Quirk("an empty list of referrers is null", referrers.null_listings),
    "ignores-filter":      Quirk("referrers come unfiltered", referrers.unfiltered),
    "silent-filter":       Quirk("referrers come filtered, and OCI-Filters-Applied is not said", referrers.silently_filtered),
    "slow-referrers":      Quirk("the list of referrers takes its time", referrers.slow),
    "short-pages":         Quirk("a page of referrers has two entries", referrers.short_pages),
    "link-cross-origin":   Quirk("the next page of referrers is at another host", partial(referrers.linked, elsewhere=True)),
    "link-for-ever":       Quirk("each page of referrers names itself as the next", partial(referrers.linked, elsewhere=False)),
    # the fallback tag
    "alias-tag":           Quirk("the tag sha256-HEX means the digest sha256:HEX", partial(referrers.aliases, unset=False)),
    "alias-unset-tag":     Quirk("the tag sha256-HEX means the digest sha256:HEX while nobody has set it", partial(referrers.aliases, unset=True)),
    "makes-fallback-tags": Quirk("the registry keeps fallback tags by itself, besides the API", referrers.made_tags),
    "forgets-fallback":    Quirk("a fallback tag is accepted and not kept", referrers.forgotten_tags),
    "displaces":           Quirk("of a fallback tag only the entries are kept that the last writer added", referrers.displacing_tags),
    "immutable-tags":      Quirk("a tag that is set stays as it is: 400", pushes.immutable_tags),
    # pushing
    "absolute-location":   Quirk("the Location of an upload is a whole address, without TLS", places.absolute),
    "relative-location":   Quirk("the Location of an upload is relative to the address that answered", places.relative),
    "stateful-location":   Quirk("the Location of an upload has a query that must come back", places.stateful),
    "cross-host-location": Quirk("uploads go to another host, which refuses credentials", places.stored_uploads),
    "no-mount":            Quirk("a mount opens an upload", pushes.no_mount),
    "mount-forbidden":     Quirk("a mount is refused: 403", pushes.forbidden_mount),
    "mount-needs-from":    Quirk("a mount that does not say from where is refused: 400", pushes.mount_from_somewhere),
    "no-single-post":      Quirk("a blob in one POST opens an upload", pushes.no_single_post),
    "stale-pieces":        Quirk("a chunk out of order is accepted and appended", pushes.stale_chunks),
    "no-pieces":           Quirk("a blob cannot be sent in chunks: 405", pushes.no_chunks),
    "long-pieces":         Quirk("chunks must have 5000 bytes at least, but for the last", pushes.long_chunks),
    "piece-201":           Quirk("a chunk is answered 201", pushes.created_chunks),
    "stuck-range":         Quirk("the Range of an upload stays where the first chunk ended; asking how far it is: 404", pushes.stuck_range),
    "lost-end":            Quirk("the end of an upload in chunks is 404 though the blob is there", pushes.lost_end),
    "no-upload-cancel":    Quirk("an upload cannot be cancelled: 404", pushes.no_cancel),
    "no-delete":           Quirk("no manifest and no blob can be deleted: 405", pushes.no_delete),
    "no-tag-delete":       Quirk("no tag can be deleted: 400", pushes.no_tag_delete),
    "etag-ignored":        Quirk("manifests have an ETag, but conditions of a push are ignored", pushes.ignored_conditions),
    "no-sha512":           Quirk("a manifest with a sha512 digest is refused: 400", pushes.no_sha512),
    "large-manifest-400":  Quirk("a manifest over the limit is invalid (400), not too large", pushes.large_is_invalid),
    "foreign-layers-500":  Quirk("a manifest with a layer that is not to be distributed is a failure: 500", partial(pushes.looked_into, error(500, "UNKNOWN"), "foreign")),
    "subject-first":       Quirk("a manifest whose subject is not there is refused: 400", partial(pushes.looked_into, error(400, "MANIFEST_BLOB_UNKNOWN"), "missing")),
    "sparse":              Quirk("a manifest is taken though blobs of it are missing", lambda: passed_on, lambda limits: limits._replace(sparse=True)),
    "refuses-subject":     Quirk("a manifest with a subject is refused: 405", partial(pushes.looked_into, error(405, "UNSUPPORTED"), "subject")),
    # reading
    "exact-accept":        Quirk("a manifest is 404 unless Accept names its type", partial(answers.exact_accept, indexes=True)),
    "image-exact-accept":  Quirk("an image manifest, not an index, is 404 unless Accept names its type", partial(answers.exact_accept, indexes=False)),
    "no-digest-header":    Quirk("manifests come without Docker-Content-Digest", partial(answers.digest_header, None)),
    "wrong-digest-header": Quirk("manifests come with the Docker-Content-Digest of something else", partial(answers.digest_header, digest_of(b"something else"))),
    "sha512-as-sha256":    Quirk("Docker-Content-Digest is the sha256 of what was asked for by sha512", answers.always_sha256),
    "bad-digest-500":      Quirk("asking for what is no digest is a failure: 500", answers.bad_digest_fails),
    "no-ranges":           Quirk("a range of a blob is the whole blob", answers.no_ranges),
    "redirected-blobs":    Quirk("blobs are read from another host, which refuses credentials", places.stored_blobs),
    "gzip":                Quirk("documents come compressed, unless Accept-Encoding forbids it", partial(answers.packed, unasked=False)),
    "gzip-unasked":        Quirk("documents come compressed even if Accept-Encoding forbids it", partial(answers.packed, unasked=True)),
    "truncated":           Quirk("each content is cut in the middle when it is read for the first time", answers.cut_once),
    "busy":                Quirk("each request is put off once: 503", answers.busy_once),
    "rate-limit":          Quirk("pulls of manifests are counted, and every third is one too many: 429", answers.counted_pulls),
    "unpaged-tags":        Quirk("the list of tags has no pages and no order", answers.unpaged_tags),
    "null-tags":           Quirk("an empty list of tags is null", answers.null_tags),
    "tags-1000":           Quirk("more than a thousand tags at once are refused: 400", answers.few_tags),
    "refresh-token-login": Quirk(f"the only login is the refresh token '{logins.REFRESH_TOKEN}', which is posted", logins.by_refresh_token),
}

PROFILES: dict[str, Profile] = {
    "distribution28": Profile("CNCF Distribution 2.8", ("no-referrers", "exact-accept", "unpaged-tags", "stale-pieces", "no-tag-delete", "no-upload-cancel", "large-manifest-400", "etag-ignored")),
    "distribution31": Profile("CNCF Distribution 3.1", ("no-referrers", "image-exact-accept", "null-tags", "sha512-as-sha256", "no-sha512", "bad-digest-500", "foreign-layers-500", "etag-ignored")),
    "zot":            Profile("zot that fetches on demand", ("slow-referrers",)),
    "harbor29":       Profile("Harbor 2.8.1 to 2.10", ("json-referrers", "gzip", "slow-referrers")),
    "harbor":         Profile("Harbor from 2.11", ("gzip", "slow-referrers")),
    "ghcr":           Profile("GitHub's registry", ("no-referrers-json", "empty-artifact-type", "redirected-blobs")),
    "dockerhub2024":  Profile("Docker Hub before it had the referrers API", ("no-referrers-json", "subject-first", "redirected-blobs")),
    "dockerhub-ratelimit": Profile("Docker Hub to whoever pulls much", ("rate-limit", "redirected-blobs")),
    "ecr":            Profile("Amazon's registry", ("piece-201", "stuck-range", "long-pieces", "tags-1000", "redirected-blobs")),
    "ecr2024":        Profile("Amazon's registry in 2024", ("subject-without-api", "piece-201", "stuck-range", "long-pieces", "tags-1000", "redirected-blobs")),
    "ecr405":         Profile("Amazon's registry where it takes no subject", ("refuses-subject", "piece-201", "stuck-range", "long-pieces", "tags-1000", "redirected-blobs")),
    "acr":            Profile("Azure's registry", ("refresh-token-login", "no-artifact-type", "redirected-blobs")),
    "gar":            Profile("Google's registry", ("makes-fallback-tags",)),
    "gar-login":      Profile("Google's registry when it had a page for logging in in place of the referrers API", ("login-page",)),
    "gar-immutable":  Profile("Google's registry without the referrers API and with immutable tags", ("no-referrers", "immutable-tags")),
    "gitlab":         Profile("GitLab's registry", ("no-referrers", "alias-unset-tag")),
    "quay":           Profile("Quay", ("mount-needs-from",)),
    "quay312":        Profile("Quay 3.12", ("mount-needs-from", "no-artifact-type", "no-annotations")),
    "artifactory-proxied": Profile("Artifactory behind a proxy that drops the referrers API", ("no-referrers",)),
}
# fmt: on


def _to_login(call: Call, respond: Respond) -> Answer:
    if call.path == "/login":
        return referrers.PAGE_OF_HTML
    return referrers.instead(_LOGIN)(call, respond)


def layers_of(quirks: Iterable[str], profiles: Iterable[str] = ()) -> tuple[Layer, ...]:
    """The layers of these quirks and of those of the profiles, each once. Raises `UsageError` for an unknown name."""
    return tuple(quirk.layer() for quirk in _chosen(quirks, profiles))


def limits_of(quirks: Iterable[str], profiles: Iterable[str] = ()) -> Limits:
    """The limits of a registry with these quirks. Raises `UsageError` for an unknown name."""
    limits = Limits()
    for quirk in _chosen(quirks, profiles):
        limits = quirk.limits(limits)
    return limits


def _chosen(quirks: Iterable[str], profiles: Iterable[str]) -> list[Quirk]:
    names = [*quirks]
    for profile in profiles:
        names.extend(_known(PROFILES, profile, "profile").quirks)
    return [_known(QUIRKS, name, "quirk") for name in dict.fromkeys(names)]


def _known(table: Mapping[str, _Named], name: str, kind: str) -> _Named:
    found = table.get(name)
    if found is None:
        raise UsageError(f"no {kind} {name!r}", hint=f"nv2 registry serve --{kind} help lists them")
    return found
