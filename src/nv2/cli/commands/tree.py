"""`nv2 tree`: everything that an artifact is made of and that refers to it. Nothing is verified."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from nv2.cli import exits, options
from nv2.cli.command import DEBUG, OUTPUT, Call, Command, wants_json
from nv2.cli.tree import Tree
from nv2.graph import Graph, Member
from nv2.notary.graphs import Shown, show_graph
from nv2.oci.descriptor import Descriptor
from nv2.oci.digest import Digest


def run(call: Call) -> int:
    """Show the graph of one artifact; what could not be read is named, and the rest is shown."""
    as_json = wants_json(call)
    reference = options.only_reference(call)
    shown = show_graph(reference, session=options.session(call))
    if as_json:
        call.output.json(_document(str(reference), shown))
    else:
        call.output.line(shown.artifact.shown)
        call.output.lines(_tree(shown.graph).lines())
    for problem in shown.graph.problems:
        call.output.warn(problem)
    return exits.PARTLY if shown.graph.problems else exits.DONE


def _document(reference: str, shown: Shown) -> dict[str, object]:
    return {
        "schema": COMMAND.schema,
        "reference": reference,
        "resolved": shown.artifact.shown,
        "artifact": shown.graph.root.to_json(),
        "manifests": [_member_document(member) for member in shown.graph.members.values()],
        "problems": list(shown.graph.problems),
    }


def _member_document(member: Member) -> dict[str, object]:
    return {
        **member.descriptor.to_json(),
        "blobs": {"count": len(member.blobs), "size": _size(member)},
        "children": [child.digest for child in member.children],
        "referrers": list(member.referrers),
        **({"subject": member.subject} if member.subject else {}),
        **({"signer": {"subject": member.signer, "verified": False}} if member.signer is not None else {}),
    }


_Edge = tuple[str, Descriptor]
"""What a manifest is to the one above it, and which."""


def _tree(graph: Graph) -> Tree:
    below = _places(graph)

    def grown(said: str, descriptor: Descriptor, place: bool) -> Tree:
        member = graph.members.get(descriptor.digest)
        if member is None:
            return Tree(f"{said} {_described(descriptor)}, could not be read")
        if not place:
            return Tree(f"{said} {descriptor.digest} (shown elsewhere)")
        signer = () if member.signer is None else (Tree(f"signer, not verified: {member.signer}"),)
        edges = tuple(grown(*edge, own) for edge, own in below[descriptor.digest])
        return Tree(f"{said} {_described(member.descriptor)}{_blobs(member)}", (*signer, *edges))

    return grown("artifact", graph.root, place=True)


def _places(graph: Graph) -> dict[Digest, list[tuple[_Edge, bool]]]:
    """The edges of each member, and whether the other end is shown there: once, as near to the root as can be.

    So no cycle goes on for ever, and however long a path there may be, the tree is only as deep as the limits
    of `closure` say.
    """
    below: dict[Digest, list[tuple[_Edge, bool]]] = {}
    seen, waiting = {graph.root.digest}, deque([graph.root.digest])
    while waiting:
        digest = waiting.popleft()
        below[digest] = []
        for edge in _edges(graph, graph.members[digest]):
            other = edge[1].digest
            below[digest].append((edge, other not in seen))
            if other not in seen and other in graph.members:
                waiting.append(other)
            seen.add(other)
    return below


def _edges(graph: Graph, member: Member) -> Iterator[_Edge]:
    for child in member.children:
        yield "part", child
    for digest in member.referrers:
        yield "referrer", graph.members[digest].descriptor


def _described(descriptor: Descriptor) -> str:
    kind = descriptor.artifact_type or descriptor.media_type
    return f"{descriptor.digest} {kind}, {descriptor.size} bytes"


def _blobs(member: Member) -> str:
    count = len(member.blobs)
    return f" and {_size(member)} in {count} blob{'s' if count > 1 else ''}" if count else ""


def _size(member: Member) -> int:
    return sum(blob.size for blob in member.blobs)


COMMAND = Command(
    "tree",
    "show everything that belongs to an artifact",
    run,
    flags=(options.ONE_REFERENCE, options.OCI_LAYOUT, *options.CONNECTION, OUTPUT, DEBUG),
    usage="<reference>",
    description=(
        "Show the whole graph of an artifact: the manifests it is made of, and what refers to\n"
        "any of them (signatures, SBOMs, signatures of SBOMs), with types, sizes and who is\n"
        "said to have signed. Nothing is verified."
    ),
    examples=("nv2 tree registry.example.com/net-monitor:v1", "nv2 tree layout:./image:v1"),
    schema="nv2.tree/v1",
)
