"""Which packs are on a remote now: what a push asks before it decides."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from axil.base.hashing import OID_SIZE, Oid
from axil.remotes.base import Remote
from axil.transfer import keys

FEW_PACKS = 32
"""More packs than this are listed instead of asked for one by one."""


def there(remote: Remote, packs: Collection[Oid]) -> dict[Oid, int]:
    """Those of `packs` that are on the remote, with their sizes; many are listed instead of asked for one by one."""
    found: dict[Oid, int] = {}
    if len(packs) > FEW_PACKS:
        listed = ((keys.oid_of(stat.key), stat.size) for stat in remote.list(keys.PACKS))
        found = {oid: size for oid, size in listed if oid is not None and oid in packs}
    # A listing may lag behind: what it does not show is asked for.
    left = sorted(set(packs) - found.keys())
    with ThreadPoolExecutor(max(remote.jobs, 1)) as pool:
        for oid, stat in zip(left, pool.map(remote.stat, map(keys.pack_key, left)), strict=True):
            if stat is not None:
                found[oid] = stat.size
    return found


def split(joined: bytes) -> Iterable[Oid]:
    """The oids of a column."""
    return (joined[at : at + OID_SIZE] for at in range(0, len(joined), OID_SIZE))
