"""Which files of a data folder a rehearsal keeps: some of each kind, spread evenly, from every class some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
MOST_FOLDERS = 2048
"""So many folders keep at least one file of a kind; of more, only so many, spread evenly."""
FEW = 8
"""Of files that are no media so many stay in any case: settings, splits, parts of a model."""
PACKED = (".gz", ".bz2", ".xz", ".zst")
_SAME = {".jpeg": ".jpg", ".tiff": ".tif"}
MEDIA = frozenset(
    (
        *(".jpg", ".png", ".gif", ".bmp", ".webp", ".tif", ".ppm", ".pgm", ".dcm"),
        *(".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4", ".avi", ".mkv", ".mov", ".webm"),
    )
)


def ending(path: str) -> str:
    """The kind of file that `path` is by its name: `.jpg`, `.csv`, `.csv.gz`, "" if it has no ending."""
    name = path.rpartition("/")[2].lower()
    stem, dot, last = name.rpartition(".")
    if not dot or not stem:
        return ""
    last = dot + last
    if last in PACKED:
        inner, dot, before = stem.rpartition(".")
        return dot + before + last if dot and inner else last
    return _SAME.get(last, last)


def thin(paths: Iterable[str], n: int) -> list[str]:
    """Those of `paths`, the files of one folder, that are kept: of each kind `n`, or one in each sub-folder.

    The same paths give the same choice, and kinds that lie alike (an image and its label of the same name) are chosen
    alike.
    """
    kinds: dict[str, dict[str, list[str]]] = {}
    for path in sorted(paths):
        kinds.setdefault(ending(path), {}).setdefault(path.rpartition("/")[0], []).append(path)
    kept: list[str] = []
    for kind, folders in kinds.items():
        kept += _spread(folders, n if kind in MEDIA else max(n, FEW))
    return sorted(kept)


def _spread(folders: dict[str, list[str]], n: int) -> list[str]:
    chosen = evenly(list(folders), MOST_FOLDERS)
    left = max(n, len(chosen))
    kept: list[str] = []
    # The smallest first: what they cannot give, the larger ones do.
    for place, folder in enumerate(sorted(chosen, key=lambda one: (len(folders[one]), one))):
        some = evenly(folders[folder], left // (len(chosen) - place))
        left -= len(some)
        kept += some
    return kept


def evenly(items: Sequence[T], n: int) -> list[T]:
    """`n` of the `items`, at equal distances; all, if there are no more."""
    count = len(items)
    return list(items) if count <= n else [items[place * count // n] for place in range(n)]


class Stream(Generic[T]):
    """Items of which nobody knows yet how many there will be; any `n` of them, at about equal distances.

    It holds at most 8 n items: when it is full, every second one goes, and of those that come only as many are taken.
    """

    def __init__(self, n: int) -> None:
        self.count = 0
        self._n = n
        self._stride = 1
        self._held: list[T] = []

    def add(self, item: T) -> None:
        """One more."""
        if self.count % self._stride == 0:
            self._held.append(item)
            if len(self._held) == 8 * self._n:
                self._held = self._held[::2]
                self._stride *= 2
        self.count += 1

    def chosen(self) -> list[T]:
        """`n` of all items so far; all, if there are no more."""
        return evenly(self._held, self._n)
