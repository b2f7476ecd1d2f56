"""The journal's git tree: where a record is in it, and what one journal commit has that another has not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from axil.base.ids import is_id
from axil.base.light import NamedTuple
from axil.errors import Damaged
from axil.formats.record_check import KINDS, MAX_RECORD
from axil.git.catfile import CatFile, TreeEntry, parse_tree
from axil.git.process import Git
from axil.journal.rows import Problem

RECORD = "record.json"
SNAPSHOT = "snapshot"
DEPTH = 3
"""Folders above an entry's own files: kind, last two characters of the id, id."""
_BLOB = "100644"


class Place(NamedTuple):
    """A record in the tree: its path, what the path says it is, and the blob."""

    path: str
    kind: str
    id: str
    oid: str


class Changes(NamedTuple):
    """What is new; `lost` says that something of the old tree is gone or altered, so the index starts anew."""

    places: list[Place]
    problems: list[Problem]
    lost: bool


def folder(kind: str, id: str) -> str:
    """The folder of a record, from the journal's root."""
    return f"{kind}/{id[-2:]}/{id}"


def changes(cat: CatFile, old: str, new: str) -> Changes:
    """The records that the commit `new` has and `old` ("" for none) has not.

    Equal folders are never opened, and snapshots never at all, so the cost follows what is new.
    """
    places: list[Place] = []
    problems: list[Problem] = []
    lost = False
    level: list[tuple[str, str, str]] = [("", f"{old}^{{tree}}" if old else "", f"{new}^{{tree}}")]
    for depth in range(DEPTH + 1):
        below: list[tuple[str, str, str]] = []
        trees = _read(cat, level, problems)
        for path, before, after in level:
            ours, theirs = trees.get(before, {}), trees.get(after, {})
            lost = lost or (bool(before) and before not in trees) or any(name not in theirs for name in ours)
            for name, entry in theirs.items():
                had = ours.get(name)
                if had is not None and had.oid == entry.oid:
                    continue
                at = f"{path}/{name}" if path else name
                if depth == DEPTH:
                    lost = lost or had is not None
                    _leaf(at, entry, places, problems)
                elif _fits(at, depth, entry, problems):
                    lost = lost or (had is not None and not had.is_tree)
                    below.append((at, had.oid if had else "", entry.oid))
        level = below
    return Changes(places, problems, lost)


def read_records(
    git: Git, cat: CatFile, places: Iterable[Place], problems: list[Problem]
) -> Iterator[tuple[Place, bytes]]:
    """The bytes of the records at `places`; oversized and missing ones go to `problems` unread."""
    wanted = list(places)
    sizes = git.run("cat-file", "--batch-check=%(objecttype) %(objectsize)", input=_lines(wanted)).split(b"\n")
    sane: list[Place] = []
    for place, line in zip(wanted, sizes, strict=False):
        what, _, size = line.partition(b" ")
        if what != b"blob":
            problems.append(Problem(place.path, "the object is missing or is no file"))
        elif int(size) > MAX_RECORD:
            problems.append(Problem(place.path, f"{int(size)} bytes, of at most {MAX_RECORD}"))
        else:
            sane.append(place)
    for place, found in zip(sane, cat.read_many(place.oid for place in sane), strict=True):
        if found is None:
            problems.append(Problem(place.path, "the object is missing"))
        else:
            yield place, found.data


def _lines(places: list[Place]) -> bytes:
    return b"".join(place.oid.encode() + b"\n" for place in places)


def _read(
    cat: CatFile, level: list[tuple[str, str, str]], problems: list[Problem]
) -> Mapping[str, Mapping[str, TreeEntry]]:
    """Every tree that `level` names, as name -> entry; unreadable new ones become problems."""
    wanted = [tree for _, before, after in level for tree in (before, after) if tree]
    trees: dict[str, dict[str, TreeEntry]] = {}
    why: dict[str, str] = {}
    for spec, found in zip(wanted, cat.read_many(wanted), strict=True):
        if found is None or found.type != b"tree":
            why[spec] = "the folder's object is missing"
            continue
        try:
            trees[spec] = {entry.name: entry for entry in parse_tree(found.data, len(found.oid) // 2)}
        except Damaged as error:
            why[spec] = error.what
    problems += [Problem(path or "/", why[after]) for path, _, after in level if after in why]
    return trees


def _fits(path: str, depth: int, entry: TreeEntry, problems: list[Problem]) -> bool:
    """Whether a new entry above the records is a folder to go into; kinds of a newer axil are passed over silently."""
    if depth == 0:
        if entry.name not in KINDS:
            return False
        good = entry.is_tree
    elif depth == 1:
        good = entry.is_tree and len(entry.name) == 2
    else:
        good = entry.is_tree and is_id(entry.name) and entry.name[-2:] == path.split("/")[1]
    if not good:
        problems.append(Problem(path, "does not belong in a journal"))
    return good


def _leaf(path: str, entry: TreeEntry, places: list[Place], problems: list[Problem]) -> None:
    kind, _, key, name = path.split("/", 3)
    if name == RECORD and entry.mode == _BLOB:
        places.append(Place(path, kind, key, entry.oid))
    elif name.startswith(f"{RECORD}~"):
        problems.append(Problem(path, "another record with the same id; the one called record.json counts"))
    elif not (name == SNAPSHOT and entry.is_tree):
        problems.append(Problem(path, "does not belong in a journal"))
