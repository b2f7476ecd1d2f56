"""The keys of a remote's objects (docs/formats/remote.md), made from ids and read back with suspicion."""

from __future__ import annotations

from axil.base.hashing import Oid, parse_oid
from axil.base.ids import is_id

FORMAT = "format"
PACKS, INDEX, ROOTS, CONDEMNED, LEASES = "packs/", "index/", "roots/", "condemned/", "leases/"


def pack_key(pack: Oid) -> str:
    """Where the pack with that id is."""
    name = pack.hex()
    return f"{PACKS}{name[:2]}/{name}"


def index_key(index: Oid) -> str:
    """Where the index with that id is."""
    return INDEX + index.hex()


def oid_of(key: str) -> Oid | None:
    """The id in the key of a pack or an index; None for a key that axil did not make."""
    try:
        oid = parse_oid(key.rpartition("/")[2])
    except ValueError:
        return None
    return oid if key in (pack_key(oid), index_key(oid)) else None


def ulid_of(key: str, prefix: str) -> str | None:
    """The id in the key of a root, a lease or a condemned list; None for a key that axil did not make."""
    name = key.removeprefix(prefix)
    return name if key.startswith(prefix) and is_id(name) else None
