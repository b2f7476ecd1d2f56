"""Objects of one remote by their oids: looked up, asked for, and looked for elsewhere where a pack is gone or wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from axil.base.hashing import Oid
from axil.errors import Damaged
from axil.formats.index import Place
from axil.remotes.base import Remote
from axil.transfer.catalog import Catalog
from axil.transfer.lookup import places
from axil.transfer.ranges import Answer, Entry, Failure, Span, read, read_all, spans


class Source:
    """What one fetch or check knows of its remote. `absent` collects what is nowhere."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.remote = catalog.remote
        self.absent: set[Oid] = set()
        self._avoid: set[Oid] = set()
        """Packs that are gone, or gave wrong bytes twice."""
        self._refreshed = False

    def locate(self, oids: Collection[Oid]) -> dict[Oid, Place]:
        """Where each of `oids` lies. What is in no known pack makes the remote be asked for new indexes, once."""
        found = places(self.catalog, oids, frozenset(self._avoid))
        if len(found) < len(oids) and self.refresh():
            found = places(self.catalog, oids, frozenset(self._avoid))
        return found

    def refresh(self) -> bool:
        """Ask the remote for new indexes, unless that was done; says whether it was done now."""
        if self._refreshed:
            return False
        self._refreshed = True
        self.catalog.refresh()
        return True

    def entries(
        self,
        oids: Collection[Oid],
        work: Callable[[Remote, Span], Answer] = read,
        known: dict[Oid, Place] | None = None,
    ) -> Iterator[Entry]:
        """Every one of `oids` that the remote has, decoded and checked; the rest is added to `absent`.

        `known` are places found before. Raises `Damaged` for what is wrong wherever it lies.
        """
        found = self.locate(oids) if known is None else known
        self.absent.update(oid for oid in oids if oid not in found)
        while found:
            failures: list[Failure] = []
            for answer in read_all(self.remote, spans(found), work):
                failures += answer.failures
                yield from answer.entries
            found = self._elsewhere(failures)

    def _elsewhere(self, failures: list[Failure]) -> dict[Oid, Place]:
        """Other places for what could not be had."""
        if not failures:
            return {}
        self._avoid.update(failure.place.pack for failure in failures)
        found = self.locate([failure.oid for failure in failures])
        for failure in failures:
            if failure.oid not in found:
                if not failure.gone:
                    raise damaged(failure)
                self.absent.add(failure.oid)
        return found


def damaged(failure: Failure) -> Damaged:
    """The error for an object whose bytes are wrong on the remote, twice."""
    return Damaged(
        f"object {failure.oid.hex()[:12]} is damaged on the remote",
        failure.why,
        "`axil remote check` shows all damage; pushing from a clone that has the object heals it",
    )
