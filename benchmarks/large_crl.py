"""A CRL of a million entries: judged when it has just come, out of the cache, and as `cryptography` and OpenSSL do it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.programs import Program, Run
from benchmarks.rows import Row, Unit
from benchmarks.turns import difference, middle, take_turns
from tests.world.ca import CA, pem
from tests.world.crl import NOW, many_entries
from tests.world.crl import crl as crl_of

from nv2.home.crl_cache import CrlCache

COUNT = 1_000_000
SERIAL = 0x7177665544332211FFEEDDCCBBAA9988
FIRST, CACHED = 300.0, 100.0
"""Milliseconds beyond a process that judges no CRL, at most."""
MEMORY = 150.0
"""MiB of the process, at most."""
URL = "http://crl.example.com/large.crl"

_BEGIN = f"""
import sys
from datetime import datetime
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric import rsa
from nv2.home.crl_cache import CrlCache
from nv2.pki.certificate import parse_certificate
from nv2.pki.crl import Status, parse_crl, status_by_crl
folder, now = Path(sys.argv[1]), datetime.fromisoformat({NOW.isoformat()!r})
leaf, issuer = (parse_certificate((folder / name).read_bytes()) for name in ("leaf", "issuer"))
cache = CrlCache(folder / "cache" / "crl")
"""
_JUDGE = """
assert status_by_crl(leaf, issuer, parse_crl(data), None, now, None).status is Status.GOOD
"""
SCRIPTS = {
    "nothing": _BEGIN,
    "first": f"{_BEGIN}\ndata = (folder / 'crl').read_bytes()\n{_JUDGE}\ncache.store({URL!r}, data, None)",
    "cached": f"{_BEGIN}\ndata, _ = cache.load({URL!r})\n{_JUDGE}",
    "cryptography": f"""
import sys
from pathlib import Path
from cryptography import x509
folder = Path(sys.argv[1])
issuer = x509.load_der_x509_certificate((folder / "issuer").read_bytes())
found = x509.load_der_x509_crl((folder / "crl").read_bytes())
assert found.is_signature_valid(issuer.public_key())
assert found.get_revoked_certificate_by_serial_number({SERIAL}) is None
""",
}


def measure_large_crl(bench: Bench) -> Iterator[Row]:
    """What judging costs beyond the start of the process and its imports; the peers' whole processes beside it."""
    with tempfile.TemporaryDirectory(prefix="nv2-bench-crl-") as name:
        folder = Path(name)
        size = _publish(folder)
        environment = bench.programs.nv2.environment
        programs = {
            what: (Program(what, (sys.executable, "-I", "-c", script), environment), (name,))
            for what, script in SCRIPTS.items()
        }
        words = ("crl", "-in", f"{name}/crl", "-inform", "DER", "-noout", "-CAfile", f"{name}/issuer.pem")
        programs["openssl"] = (Program("openssl", ("/usr/bin/openssl",), environment), words)
        peaks: dict[str, list[float]] = {what: [] for what in programs}
        works = {
            what: partial(_wall, partial(program.run, *words), peaks[what])
            for what, (program, words) in programs.items()
        }
        samples = take_turns(bench.fewer(5), works)
    beside = ", ".join(
        f"{what} {middle(samples, what):.0f} ms {max(peaks[what]):.0f} MiB" for what in samples
    )
    for what, target in (("first", FIRST), ("cached", CACHED)):
        spent = difference(samples, what, "nothing")
        yield Row(
            f"a CRL of {COUNT:,} entries ({size} MB), {what}",
            Unit.MILLISECONDS,
            spent,
            target,
            beside,
            samples,
        )
    memory = {what: peaks[what] for what in ("first", "cached")}
    yield Row("the same, memory", Unit.MEMORY, max(map(max, memory.values())), MEMORY, "", memory)


def _publish(folder: Path) -> int:
    """Write the CRL and both certificates; its size in MB."""
    ca = CA("Large", "RSA-2048")
    data = crl_of(ca, raw_entries=many_entries(COUNT))
    (folder / "crl").write_bytes(data)
    (folder / "leaf").write_bytes(ca.issue("build", key="EC-256", serial=SERIAL, crl_urls=(URL,)).leaf)
    (folder / "issuer").write_bytes(ca.certificate)
    CrlCache(folder / "cache" / "crl").store(URL, data, None)
    (folder / "issuer.pem").write_bytes(pem([ca.certificate]))
    return round(len(data) / 1e6)


def _wall(way: partial[Run], peaks: list[float]) -> float:
    run = way()
    peaks.append(run.peak)
    return run.wall
