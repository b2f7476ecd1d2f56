"""What a check of a remote can find."""

from __future__ import annotations

from axil.base.light import NamedTuple


class Fault(NamedTuple):
    """Something wrong: the key of what it is in, the object (hex, "" if none in particular), and what."""

    key: str
    oid: str
    why: str


class Missing(NamedTuple):
    """An object that is needed and nowhere; `needed_by` is the key of a root or the id of an object. In hex."""

    oid: str
    needed_by: str


class CheckReport(NamedTuple):
    """What a check found."""

    faults: tuple[Fault, ...]
    missing: tuple[Missing, ...]
    roots: int
    objects: int
    """What the roots need: directories, blobs, recipes, segments and chunks."""
    packs: int
    checked: int
    """Packs of which every byte was read, now."""
    unchecked: int
    """Packs that were left for another time."""
    orphans: tuple[str, ...]
    """Keys of packs that no index names: of a push that broke off, or is under way. A prune removes them."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, in what was looked at."""
        return not self.faults and not self.missing
