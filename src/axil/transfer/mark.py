"""Marking: which packs hold too little that lives, and condemning them after what lives in them was copied.

No index is replaced and nothing is deleted here: readers go on finding everything where it was.
"""

from __future__ import annotations

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import Progress
from axil.formats import sharing
from axil.formats.sharing import Condemned, Root
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.copies import Alive, copy
from axil.transfer.shares import Shares
from axil.transfer.survey import Survey, entries

WASTE = 0.1
"""The share of a pack that may be wasted before it is worth rewriting."""
TOLERATED = 0.05
"""The share of all packs that may be wasted."""

LONGEST = sharing.MAX_BYTES
"""A list of more bytes is refused by whoever reads it. What finds no room in it is left to the next prune."""
_PER_PACK = 80


class Doomed(NamedTuple):
    """A pack to condemn; `objects` of it live and are copied first. `why` in a few words."""

    pack: Oid
    size: int
    objects: int
    why: str


class Mark(NamedTuple):
    """What a prune would condemn; `young` bytes are not needed either but were written within the grace."""

    packs: tuple[Doomed, ...] = ()
    drops: tuple[Root, ...] = ()
    young: int = 0
    later: bool = False
    """There is more, which the next prune condemns: one list has no room for all."""

    @property
    def bytes(self) -> int:
        """What its packs take up."""
        return sum(one.size for one in self.packs)


def droppable(survey: Survey, grace: float) -> tuple[tuple[Root, ...], bool]:
    """Roots older than the grace that no ref of git needs any more, and whether there are still more.

    Those are the ones whose commits no ref holds; where that is not known, those of which no ref names an object. What
    they have in common with others is needed through those. As many as fill half a list, but always one: it has room,
    see `sharing.parts_of_root`.
    """
    drops: list[Root] = []
    room = LONGEST // 2
    for _, (root, written) in sorted(survey.roots.items()):
        known = root.commits and survey.git.commits
        free = survey.git.commits.isdisjoint(root.commits) if known else survey.git.objects.isdisjoint(root.objects)
        if survey.now - written >= grace and free:
            room -= len(sharing.encode_root(root))
            if drops and room < 0:
                return tuple(drops), True
            drops.append(root)
    return tuple(drops), False


def plan_mark(survey: Survey, shares: Shares, drops: tuple[Root, ...], grace: float, *, later: bool = False) -> Mark:
    """Packs written less than a grace ago stay; so do those with little waste, while there is little in all.

    `later`: there are roots to drop that found no room.
    """
    dead: list[Doomed] = []
    wasteful: list[tuple[float, Oid]] = []
    young = 0
    for pack, share in shares.packs.items():
        stat = survey.packs[pack]
        if survey.now - stat.written < grace:
            young += share.waste
        elif not share.objects:
            dead.append(Doomed(pack, stat.size, 0, "nothing in it is needed"))
        elif share.waste > WASTE * stat.size:
            wasteful.append((share.waste / stat.size, pack))
    gone = {one.pack for one in dead}
    total = sum(survey.packs[pack].size for pack in shares.packs if pack not in gone)
    waste = sum(share.waste for pack, share in shares.packs.items() if pack not in gone)
    rewritten: list[Doomed] = []
    for part, pack in sorted(wasteful, reverse=True):
        if waste <= TOLERATED * total:
            break
        share, size = shares.packs[pack], survey.packs[pack].size
        waste -= share.waste
        total -= share.waste
        rewritten.append(Doomed(pack, size, share.objects, f"{part:.0%} of it is not needed"))
    doomed = sorted(dead) + rewritten
    room = (LONGEST - len(sharing.encode_condemned(Condemned("0" * 26, (), (), drops)))) // _PER_PACK
    return Mark(tuple(doomed[: max(room, 0)]), drops, young, later or len(doomed) > room)


def execute_mark(
    catalog: Catalog, survey: Survey, shares: Shares, mark: Mark, id: str, alive: Alive, progress: Progress
) -> str:
    """Copy what lives, write the condemned list under the name `id`, then drop roots; the name, or "" for nothing.

    What fails before the list is written leaves copies that the next prune removes.
    """
    if not mark.packs and not mark.drops:
        return ""
    rewritten = {one.pack for one in mark.packs if one.objects}
    if rewritten:
        wanted = {
            oid: place
            for _, oid, place in entries(catalog, survey)
            if place.pack in rewritten and shares.owner(oid) == place.pack
        }
        copy(catalog, wanted.items(), alive, progress)
    listed = Condemned(id, tuple(sorted(one.pack for one in mark.packs)), (), mark.drops)
    alive()
    catalog.remote.put(keys.CONDEMNED + id, sharing.encode_condemned(listed))
    for root in mark.drops:
        alive()
        catalog.remote.delete(keys.ROOTS + root.id)
    return id
