"""Objects of one remote by their oids: looked up, asked for, and looked for elsewhere where a pack is gone or wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from axil.base.hashing import Oid
from axil.errors import Damaged, NotFound
from axil.formats.index import Place
from axil.formats.pack import RECIPE
from axil.remotes.base import Remote
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.identity import identify
from axil.transfer.lookup import places
from axil.transfer.ranges import Answer, Entry, Failure, Span, read, read_all, spans


class Source:
    """What one fetch or check knows of its remote."""

    def __init__(self, catalog: Catalog, broken: dict[str, Damaged] | None = None) -> None:
        """`broken` takes what is damaged among the indexes and the like, by key, and lets the rest go on."""
        self.catalog = catalog
        self.remote = catalog.remote
        self.absent: set[Oid] = set()
        """What is nowhere."""
        self.damaged: dict[Oid, Failure] = {}
        """What is wrong, twice, wherever it lies."""
        self.otherwise: set[Oid] = set()
        """What could not be had from its place and lies elsewhere in another form: as a recipe, or no longer so."""
        self._avoid: set[Oid] = set()
        """Packs that are gone, or gave wrong bytes twice."""
        self._refreshed = False
        self._broken = broken

    @property
    def avoid(self) -> frozenset[Oid]:
        """The packs in which nothing is looked for any more."""
        return frozenset(self._avoid)

    def give_up_on(self, packs: Iterable[Oid]) -> None:
        """Look for nothing in these packs any more."""
        self._avoid.update(packs)

    def locate(self, oids: Collection[Oid]) -> dict[Oid, Place]:
        """Where each of `oids` lies. What is in no known pack makes the remote be asked for new indexes, once."""
        found = places(self.catalog, oids, frozenset(self._avoid))
        if len(found) < len(oids) and self.refresh():
            found = places(self.catalog, oids, frozenset(self._avoid))
        return found

    def refresh(self) -> bool:
        """Ask the remote for new indexes, unless that was done; says whether it was done now.

        Raises `AxilError` for a remote that this axil cannot read.
        """
        if self._refreshed:
            return False
        self._refreshed = True
        try:
            identify(self.catalog)
        except Damaged as error:
            if self._broken is None:
                raise
            self._broken[keys.FORMAT] = error
        self.catalog.refresh(self._broken)
        return True

    def entries(
        self,
        oids: Collection[Oid],
        work: Callable[[Remote, Span], Answer] = read,
        known: dict[Oid, Place] | None = None,
    ) -> Iterator[Entry]:
        """Every one of `oids` that the remote has, decoded and checked; the rest is added to `absent` or `damaged`.

        `known` are places found before.
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
            other = found.get(failure.oid)
            if other is None and failure.gone:
                self.absent.add(failure.oid)
            elif other is None:
                self.damaged[failure.oid] = failure
            elif (other.type == RECIPE) != (failure.place.type == RECIPE):
                self.otherwise.add(failure.oid)
                del found[failure.oid]
        return found

    def complain(self) -> None:
        """Raise `Damaged` or `NotFound` if something could not be had."""
        if self.damaged:
            oid, failure = min(self.damaged.items())
            more = len(self.damaged) - 1
            others = f" (and {more} other{'s' * (more > 1)})" if more else ""
            raise Damaged(
                f"object {oid.hex()[:12]} is damaged on the remote{others}",
                failure.why,
                "axil remote repair --data, then axil push from a clone that has it",
            )
        if self.absent:
            raise NotFound(
                f"{len(self.absent)} objects are neither here nor on {self.remote.url}",
                f"the first is {min(self.absent).hex()}",
                "push from the clone that made them, or fetch from another remote",
            )
