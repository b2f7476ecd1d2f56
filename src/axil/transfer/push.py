"""Pushing objects to a remote: packs, then an index, then a root (docs/formats/remote.md says why in this order).

A push that broke off is finished by the same push again; if there is nothing to do, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice

from axil.base.clock import Clock
from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, Damaged, NotFound
from axil.formats import pack as fmt
from axil.formats import recipe, sharing
from axil.formats.sharing import Chunking, Root
from axil.store import Store
from axil.transfer import keys
from axil.transfer.assemble import chunks_of
from axil.transfer.catalog import Catalog
from axil.transfer.closure import Closure, missing
from axil.transfer.division import Division, divide
from axil.transfer.identity import identify, noted, settle
from axil.transfer.indexes import indexes_of
from axil.transfer.lease import Held, hold
from axil.transfer.lookup import places
from axil.transfer.notes import Protected, Uploads
from axil.transfer.packer import Finished, Limits
from axil.transfer.presence import FEW_PACKS, split, there
from axil.transfer.sending import VERBATIM, Sender
from axil.transfer.shipping import Shipper
from axil.transfer.source import Source

_ROUNDS = 5
_FEW_OBJECTS = 20_000


class PushPlan(NamedTuple):
    """What a push would do, as far as is known without asking the remote."""

    send: int
    """Objects to send, with directories."""
    bytes: int
    """Their length; large files are cut, so that less may travel."""
    known: int
    """Objects that are there already."""
    missing: tuple[Oid, ...]
    """What is neither here nor there."""
    absent_here: tuple[Oid, ...]
    """Pushed objects that only the remote has."""


class Pushed(NamedTuple):
    """What a push did: objects sent, bytes and packs that travelled, the id of the root it wrote or ""."""

    objects: int
    bytes: int
    packs: int
    root: str


def plan_push(store: Store, catalog: Catalog, objects: Iterable[Oid], *, ask: bool = False) -> PushPlan:
    """What `push` would do, without writing. Without the network unless `ask`, which needs a catalog that is fresh."""
    catalog.load()
    avoid = catalog.condemned_packs
    wanted = tuple(objects)
    if ask:
        protected = _protected(catalog, wanted)
    else:
        protected = Protected(catalog.folder)
        protected.load(catalog.condemned)
    found = noted(catalog)
    closure = Closure(store, catalog, avoid, (found.chunking if found else Chunking()).whole)
    closure.add(wanted, protected.all())
    everything = closure.all()
    send = missing(catalog, closure, avoid)
    division = divide(store, send, closure.trees, VERBATIM)
    nowhere = division.nowhere
    send -= nowhere
    known = len(everything) - len(send) - len(nowhere) + len(closure.covered)
    only_there = tuple(sorted(closure.absent_here - nowhere))
    return PushPlan(len(send), division.length, known, tuple(sorted(nowhere)), only_there)


def push(
    store: Store,
    catalog: Catalog,
    objects: Iterable[Oid],
    *,
    commits: Sequence[str] = (),
    names: Sequence[str] = (),
    author: str,
    host: str,
    pid: int,
    clock: Clock,
    new_id: Callable[[], str],
    progress: Progress = SILENT,
    limits: Limits = Limits(),  # noqa: B008
    verbatim: int = VERBATIM,
) -> Pushed:
    """Put `objects` and all they need on the remote, with a root that keeps them there.

    Directories that are not here are read on the remote, for what they name may be gone there. Raises `NotFound` before
    anything is sent for what is neither here nor there, `Damaged` for what is wrong, what the remote raises, and
    `AxilError` if the remote loses what it is given.
    """
    wanted = tuple(dict.fromkeys(objects))
    identify(catalog)
    catalog.refresh_condemned()
    protected = _protected(catalog, wanted)
    if set(wanted) <= protected.all():
        return Pushed(0, 0, 0, "")
    chunking = settle(catalog, new_id).chunking
    with hold(catalog.remote, "push", author=author, host=host, pid=pid, new_id=new_id, clock=clock) as held:
        # Only what is read after the lease is there holds: see the order in docs/formats/remote.md.
        catalog.refresh()
        protected = _protected(catalog, wanted)
        job = _Push(store, catalog, held, chunking, progress, limits, verbatim)
        job.closure.add(wanted, protected.all())
        job.closure.add_elsewhere(protected.all(), held.keep)
        job.settle(job.begin())
        roots = sharing.parts_of_root(Root(new_id(), author, wanted, tuple(commits), tuple(names)), new_id)
        for root in roots:
            held.check()
            catalog.remote.put(keys.ROOTS + root.id, sharing.encode_root(root))
        job.settle(job.lost(), ready=True)
        if len(roots) == 1:
            below = {*wanted, *job.closure.trees, *job.closure.elsewhere, *job.closure.covered}
            protected.add(roots[0].id, catalog.condemned, below)
        else:  # What lies below which of them is not known.
            for root in roots:
                protected.add(root.id, catalog.condemned, root.objects)
        return Pushed(job.objects, job.bytes, job.packs, roots[0].id)


def _protected(catalog: Catalog, wanted: tuple[Oid, ...]) -> Protected:
    """What is surely under roots that are still there."""
    protected = Protected(catalog.folder)
    protected.load(catalog.condemned)
    roots = protected.roots()
    if len(roots) > FEW_PACKS:
        listed = {keys.ulid_of(stat.key, keys.ROOTS) for stat in catalog.remote.list(keys.ROOTS)}
        roots = [root for root in roots if root not in listed]
    for root in roots:
        if catalog.remote.stat(keys.ROOTS + root) is None:
            protected.remove(root)
    return protected


class _Push:
    """One push under way."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        held: Held,
        chunking: Chunking,
        progress: Progress,
        limits: Limits,
        verbatim: int,
    ) -> None:
        self.objects = self.bytes = self.packs = 0
        self.avoid = catalog.condemned_packs
        self.closure = Closure(store, catalog, self.avoid, chunking.whole)
        self._store, self._catalog, self._held = store, catalog, held
        self._chunking, self._progress = chunking, progress
        self._limits, self._verbatim = limits, verbatim
        self._notes = Uploads(catalog.folder)
        self._parts: dict[Oid, bytes] = {}
        self._broken: set[Oid] = set()
        self._unsound: set[Oid] = set()
        self._divided: tuple[set[Oid], Division] = set(), Division([], [], [], set(), 0)
        self._relied: set[Oid] = set()

    def begin(self) -> set[Oid]:
        """What must be sent. Raises `NotFound` for what is nowhere."""
        send = self._missing()
        self._divided = send, self._divide(send)
        self._read_recipes(self.closure.large - send)
        before = self.avoid
        self._relied = self._packs_of(self.closure.without(send))
        self._gone()
        return self._absent() if self._parts or self._broken or self.avoid != before else send

    def settle(self, wanted: set[Oid], *, ready: bool = False) -> None:
        """Send what is wanted, name it in an index, and look again, until nothing was lost meanwhile.

        `ready` if the look that found what is wanted was the last one that is needed.
        """
        for _ in range(_ROUNDS):
            if wanted:
                known, division = self._divided
                self._send(wanted, division if wanted is known else self._divide(wanted))
            elif ready:
                return
            ready = True
            wanted = self.lost()
            if not wanted:
                return
        raise AxilError(
            f"{self._catalog.remote.url} loses what it is given",
            f"{_ROUNDS} times in a row something was gone that had been there",
            "is somebody deleting files there by hand? See what is wrong: axil remote check",
        )

    def lost(self) -> set[Oid]:
        """What must be there and is not any more: condemned, or its pack is gone."""
        self._held.check()
        before = self.avoid
        self._catalog.refresh_condemned()
        self.avoid |= self._catalog.condemned_packs
        self._gone()
        return self._absent() if self.avoid != before else set()

    def _gone(self) -> None:
        """Notice packs that were relied on and are not there."""
        relied = self._relied - self.avoid
        sizes, named = there(self._catalog.remote, relied), self._catalog.packs()
        self.avoid |= {oid for oid in relied if oid not in sizes or (oid in named and named[oid].size != sizes[oid])}

    def _divide(self, wanted: set[Oid]) -> Division:
        """Where `wanted` lies here. Raises `NotFound` for what is nowhere."""
        division = divide(self._store, wanted, self.closure.trees, self._verbatim)
        if nowhere := division.nowhere:
            raise NotFound(
                f"{len(nowhere)} objects are neither here nor on {self._catalog.remote.url}",
                f"the first is {min(nowhere).hex()}",
                "add the data again, or fetch it from another remote",
            )
        return division

    def _missing(self) -> set[Oid]:
        return missing(self._catalog, self.closure, self.avoid)

    def _absent(self) -> set[Oid]:
        """What must be sent: large blobs also if one of their chunks is not there."""
        absent = self._missing() | self._broken
        pieces = {oid for joined in self._parts.values() for oid in split(joined)}
        if lost := self._catalog.missing(pieces, self.avoid):
            absent |= {blob for blob, joined in self._parts.items() if not lost.isdisjoint(split(joined))}
        return absent

    def _send(self, wanted: set[Oid], division: Division) -> None:
        earlier = self._earlier()
        self._progress.begin("sending", division.length, "B")
        with Shipper(self._catalog.remote, self._notes, self._held, self._progress) as shipper:
            sender = Sender(
                self._store,
                self._catalog,
                shipper,
                self._chunking,
                avoid=self.avoid,
                trees=self.closure.trees,
                again=self._unsound,
                limits=self._limits,
            )
            had = sender.rely_on(earlier)
            sender.send(self._divide(wanted - had) if had else division)
            made = shipper.made()
            # Directories and recipes in the last index, so that none is named before what it needs.
            packs = sorted([*earlier, *made], key=lambda done: done.table().kinds() != {fmt.BLOB})
            indexes = indexes_of(self._catalog, packs, self.avoid)
            first = list(islice(indexes, 1))  # While the last packs are under way.
            shipper.drain()
        self._progress.end()
        self._parts.update(sender.parts)
        # Chunks that were found present and packs of earlier pushes: both may be gone before the root is there.
        self._relied |= sender.relied
        self._relied.update(done.id for done in earlier)
        self._broken -= wanted
        self._held.keep()
        for index in chain(first, indexes):
            self._catalog.put_index(index)
        for done in packs:
            self._notes.remove(done.id)
        self.objects += len(wanted)
        self.packs += len(made)
        self.bytes += sum(done.size for done in made)

    def _earlier(self) -> list[Finished]:
        """Packs that a push which broke off has put, and that are still there."""
        noted = self._notes.load()
        sizes = there(self._catalog.remote, {done.id for done in noted} - self.avoid)
        for done in noted:
            if sizes.get(done.id) != done.size:
                self._notes.remove(done.id)
        return [done for done in noted if sizes.get(done.id) == done.size]

    def _packs_of(self, present: set[Oid]) -> set[Oid]:
        """The packs that `present` objects lie in; of very many objects, all packs they may lie in."""
        pieces = {oid for joined in self._parts.values() for oid in split(joined)}
        if len(present) + len(pieces) > _FEW_OBJECTS:
            return set(self._catalog.packs()) - self.avoid
        return {place.pack for place in places(self._catalog, present | pieces).values()}

    def _read_recipes(self, large: set[Oid]) -> None:
        """Learns of which chunks the large blobs that are there consist: those must be there, too."""
        found = {oid: place for oid, place in places(self._catalog, large).items() if place.type == fmt.RECIPE}
        if not found:
            return
        source = Source(self._catalog)
        for entry in list(source.entries(found, known=found)):
            try:
                made = recipe.decode(entry.data, entry.oid)
                parts = chunks_of(source, entry.oid, made)
            except Damaged:
                continue  # It is sent again.
            segments = [part.oid for part in made.parts] if made.level else []
            if sum(part.size for part in parts) != made.size:
                continue
            self._parts[entry.oid] = b"".join(dict.fromkeys([*(part.oid for part in parts), *segments]))
        self._broken = found.keys() - self._parts.keys()
        self._unsound = source.absent | source.damaged.keys()
