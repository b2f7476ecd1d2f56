"""What tests of pushing share: a push with small packs, and a fetch that shows that all is there."""

from __future__ import annotations

from pathlib import Path

from tests.unit.transfer.conftest import Clock

from axil.base.hashing import Oid
from axil.base.ids import new_id
from axil.formats import sharing
from axil.formats.sharing import Chunking, Format
from axil.remotes.base import Remote
from axil.store import Store
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.fetch import fetch
from axil.transfer.packer import Limits
from axil.transfer.push import Pushed, push

SMALL = Chunking(min=1 << 10, avg=4 << 10, max=16 << 10, whole=128 << 10)


def prepare(remote: Remote, clock: Clock, chunking: Chunking = SMALL) -> None:
    """A remote whose chunks are small."""
    remote.put(keys.FORMAT, sharing.encode_format(Format(new_id(clock), chunking)))


def pushed(
    store: Store, catalog: Catalog, *oids: Oid, clock: Clock, entries: int = 4, verbatim: int = 1 << 20
) -> Pushed:
    """A push with packs of few entries."""
    return push(
        store,
        catalog,
        oids,
        author="Ada",
        host="desk",
        pid=7,
        clock=clock,
        new_id=lambda: new_id(clock),
        limits=Limits(entries=entries),
        verbatim=verbatim,
    )


def assert_whole(remote: Remote, tmp_path: Path, *oids: Oid) -> Store:
    """A new clone can fetch everything."""
    number = len(list(tmp_path.iterdir()))
    there = Store(str(tmp_path / f"there{number}"))
    catalog = Catalog(remote, str(tmp_path / f"catalog{number}"))
    catalog.refresh()
    fetch(there, catalog, oids)
    assert not there.missing(oids)
    return there


def keys_of(remote: Remote, prefix: str) -> list[str]:
    """All keys below a prefix."""
    return sorted(stat.key for stat in remote.list(prefix))
