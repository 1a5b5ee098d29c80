"""Seeing to it that a registry with the referrers API lists what it was sent.

Some lose entries of their lists while many manifests with one subject arrive at the same time (olareg 0.1.2 half of them),
though each push was acknowledged. Pushed again, one after the other, they are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nv2.content.remote.endpoint import Endpoint
from nv2.content.remote.referrers import api_listing, start_api
from nv2.errors import BadAnswer, NotFound
from nv2.oci.descriptor import Descriptor

PAUSES = (0.0, 0.2, 1.0)
"""Seconds before each look; a list may take a moment."""


def see_listed(
    endpoint: Endpoint,
    subject: Descriptor,
    manifests: Sequence[Descriptor],
    push_again: Callable[[Descriptor], object],
    sleep: Callable[[float], object],
) -> None:
    """Push those of `manifests` again that the registry does not list as referrers of `subject`.

    Raises `BadAnswer` if they stay unlisted. A list that is cut short says nothing.
    """
    for pause in PAUSES:
        if pause:
            sleep(pause)
        try:
            listing = api_listing(endpoint, start_api(endpoint, subject.digest, None))
        except (BadAnswer, NotFound):
            return  # each push was acknowledged; whoever reads such a list hears what is wrong with it
        if listing is None or not listing.complete:
            return
        listed = {item.digest for item in listing.descriptors}
        missing = [item for item in manifests if item.digest not in listed]
        if not missing:
            return
        for item in missing:
            push_again(item)
    raise BadAnswer(
        f"does not list {len(missing)} of the {len(manifests)} referrers that it was sent",
        at=f"{endpoint.name}@{subject.digest}",
        hint="copy again; if that changes nothing, its own log may say why",
    )
