"""Records on their way into the journal: checked, in the form of the commit that adds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from axil.base.light import NamedTuple
from axil.formats.record import AnyRecord, decode, encode, kind_of
from axil.git.fastimport import Commit
from axil.journal import tree

NOBODY = "axil <journal@axil>"

Place = tuple[str, str]
"""Kind and id of a record."""


class Draft(NamedTuple):
    """New records as a commit on top of the journal as it was."""

    records: tuple[AnyRecord, ...]
    commit: Commit


def encoded(records: Iterable[AnyRecord]) -> tuple[dict[Place, bytes], dict[Place, AnyRecord]]:
    """The bytes of `records`, and the records as they are read back. Raises `BadInput` for one that cannot be."""
    written = {(kind_of(record), record.id): encode(record) for record in records}
    read = {place: record for place, data in written.items() if (record := decode(data, place[1]))}
    return written, read


def files(written: Mapping[Place, bytes]) -> dict[str, bytes]:
    """Path in the journal's tree -> content."""
    return {f"{tree.folder(*place)}/{tree.RECORD}": data for place, data in written.items()}


def message(places: Sequence[Place]) -> str:
    """The message of the commit that adds what is at `places`."""
    return "\n".join(" ".join(place) for place in places[:20]) + "\n"
