"""Cut a data file to some of its rows for a rehearsal: CSV, JSON and JSON lines, Parquet, arrays of NumPy.

Rows are taken evenly over the file and keep their exact bytes. Of a file that cannot be read this way nothing is cut.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from importlib import import_module
from typing import IO, Any

from axil.base.light import NamedTuple
from axil.runs.thin import PACKED, Stream, ending, evenly

HEAD = 32 << 20
"""Of a longer text only so much is looked at, if the rows wanted are in it."""
_ARRAYS = 4 << 30
"""A larger `.npz` is left whole: its arrays are read one by one as a whole."""
_GROUPS = 8
_FIELD = 16 << 20
_NAMING = ("id", "name", "file", "path", "image", "img", "key")
"""Words in the title of a column that names files without their ending."""


_WORD = re.compile(r"""\s*([^,;|/\\"\t\r\n]*[^,;|/\\"\s])""")
"""What may be the name of a file in a text."""


class Cut(NamedTuple):
    """What became of a file: in words, and how many rows were kept of how many there are (0: not counted)."""

    words: str
    kept: int
    of: int


class Unfit(Exception):
    """The file cannot be cut; why, in words."""


Cutter = Callable[[str, str, int, "Names"], Cut]


class Names:
    """The files that a rehearsal keeps of a folder: rows that name others would lead nowhere."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = {path.rpartition("/")[2] for path in files}
        self._stems = {name.rpartition(".")[0] or name for name in self._files}
        self._words = self._files | self._stems

    def __bool__(self) -> bool:
        return bool(self._files)

    def perhaps(self, text: str) -> bool:
        """Whether the text of a row has a kept file's name in it: a quick look before the row is read."""
        return not self._words.isdisjoint(_WORD.findall(text))

    def among(self, values: Iterable[object]) -> bool:
        """Whether one of `values` is the path or name of a kept file."""
        return any(isinstance(one, str) and _tail(one) in self._files for one in values)

    def row(self, row: list[str], naming: Collection[int]) -> bool:
        """Whether a row of a table names a kept file; in the columns `naming` also without its ending."""
        return self.among(row) or any(_tail(row[at]) in self._stems for at in naming if at < len(row))


def _tail(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].strip()


def cut(source: str, target: str, n: int, names: Names) -> Cut:
    """Write to `target` what a rehearsal gets of the file `source`: at most `n` of its rows.

    Of rows that name files, those that name kept ones (`names`). Raises `Unfit` for what cannot be cut, `OSError` if
    the disk refuses.
    """
    cutter = cutter_of(source)
    if cutter is None:
        raise Unfit("not a kind of file that can be cut")
    try:
        return cutter(source, target, n, names)
    except Unfit:
        raise
    except Exception as error:
        # What is wrong with a file, its reader says in a way of its own; what is wrong with the disk has a number.
        if isinstance(error, OSError) and error.errno:
            raise
        raise Unfit(str(error).partition("\n")[0] or type(error).__name__) from None


def cutter_of(name: str) -> Cutter | None:
    """How a file called `name` is cut; None if it is always left whole."""
    kind = ending(name)
    for packed in PACKED[:3]:
        kind = kind.removesuffix(packed)
    return _CUTTERS.get(kind)


def unit_of(name: str) -> str:
    """What a file called `name` is cut to so many of, in words."""
    kind = ending(name)
    return "first axis" if kind in (".npy", ".npz") else "items" if kind.startswith(".json") else "rows"


# -- text --------------------------------------------------------------------------------------------------------------


def _open(path: str, kind: str, mode: str) -> IO[bytes]:
    """A file, unpacked or packed on the way as its ending `kind` says."""
    file: Any
    if kind.endswith(".gz"):
        import gzip

        # Equal rows make equal bytes: no time and no name in the head.
        file = gzip.GzipFile(filename="", fileobj=open(path, mode), mode=mode, mtime=0)
    elif kind.endswith((".bz2", ".xz")):
        file = import_module("bz2" if kind.endswith(".bz2") else "lzma").open(path, mode)
    else:
        file = open(path, mode)
    return file  # type: ignore[no-any-return]


def _csv(source: str, target: str, n: int, names: Names) -> Cut:
    csv.field_size_limit(_FIELD)
    # Every byte is one character this way, whatever the encoding: quotes, commas and line ends are ASCII.
    with _open(source, ending(source), "rb") as file, io.TextIOWrapper(file, "latin-1", newline="") as text:
        first = text.readline()
        delimiter = max(",\t;|", key=first.count)
        records = _records(first, text, delimiter, n)
        header = next(records, "")
        if "\0" in header:
            raise Unfit("not in UTF-8")

        def row(raw: str) -> list[str]:
            return next(csv.reader(io.StringIO(raw, newline=""), delimiter=delimiter))

        def fits(raw: str) -> bool:
            return names.perhaps(raw) and names.row(row(raw), naming)

        titles = enumerate(row(header) if header else ())
        naming = {at for at, title in titles if any(word in title.lower() for word in _NAMING)} | {0}
        chosen, count = _choose(((raw, raw) for raw in records), n, names, fits)
        more = bool(text.read(1))
    _write(target, ending(source), [header, *chosen] if header else [])
    return _told("row", len(chosen), count, more)


def _records(first: str, text: Iterator[str], delimiter: str, n: int) -> Iterator[str]:
    """The text of each row of a CSV file that begins with the line `first`; quoted fields may hold line ends."""
    line, size, count = first, 0, 0
    while line:
        raw = line
        if '"' in line:
            # Most lines have no quotes, and are rows as they are.
            held = [line]
            next(csv.reader(_noted(held, text), delimiter=delimiter))
            raw = "".join(held)
        if raw.strip("\r\n"):
            yield raw
            count += 1
        size += len(raw)
        line = next(text, "") if size <= HEAD or count <= n else ""


def _noted(held: list[str], text: Iterator[str]) -> Iterator[str]:
    """The lines `held`, then those of `text`, which are held too when they are taken."""
    yield from held
    for line in text:
        held.append(line)
        yield line


def _jsonl(source: str, target: str, n: int, names: Names) -> Cut:
    def lines(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
        size = count = 0
        for line in file:
            if line.strip():
                yield line, line
                count += 1
            size += len(line)
            if size > HEAD and count >= n:
                return

    def fits(line: bytes) -> bool:
        found = json.loads(line) if names.perhaps(line.decode("utf-8", "replace")) else None
        return names.among(found.values()) if isinstance(found, dict) else False

    with _open(source, ending(source), "rb") as file:
        chosen, count = _choose(lines(file), n, names, fits)
        more = bool(file.read(1))
    _write(target, ending(source), [line.decode("latin-1") for line in chosen])
    return _told("item", len(chosen), count, more)


def _json(source: str, target: str, n: int, names: Names) -> Cut:
    with _open(source, ending(source), "rb") as file:
        data = file.read(HEAD)
        more = bool(file.read(1))
    text = data.decode("utf-8-sig", "ignore" if more else "strict")
    chosen, count = _choose(
        _items(text, more), n, names, lambda item: isinstance(item, dict) and names.among(item.values())
    )
    whole = "[\n" + ",\n".join(chosen) + "\n]\n"
    _write(target, ending(source), [whole.encode().decode("latin-1")])
    return _told("item", len(chosen), count, more)


def _items(text: str, cut_off: bool) -> Iterator[tuple[object, str]]:
    """Each item of a JSON list and its text; of one that is `cut_off`, those that are whole."""
    read = json.JSONDecoder().raw_decode
    at = _blank(text, 0)
    if text[at : at + 1] != "[":
        raise Unfit("not a list")
    at = _blank(text, at + 1)
    while text[at : at + 1] != "]":
        try:
            item, end = read(text, at)
            after = _blank(text, end)
            if text[after : after + 1] not in (",", "]"):
                raise ValueError("not a list of values with commas between them")
        except ValueError:
            if cut_off:
                return
            raise
        yield item, text[at:end]
        at = after if text[after] == "]" else _blank(text, after + 1)
    if _blank(text, at + 1) < len(text):
        raise Unfit("there is more after the list")


def _blank(text: str, at: int) -> int:
    """The place of the first character from `at` on that is not blank."""
    while text[at : at + 1] in (" ", "\n", "\r", "\t"):
        at += 1
    return at


def _choose(
    items: Iterable[tuple[Any, Any]], n: int, names: Names, fits: Callable[[Any], bool]
) -> tuple[list[Any], int]:
    """The texts of `n` items, evenly; if some name kept files (`fits`), of these. And how many items there are."""
    every, fitting = Stream[Any](n), Stream[Any](n)
    for item, raw in items:
        every.add(raw)
        if names and fits(item):
            fitting.add(raw)
    return (fitting if fitting.count else every).chosen(), every.count


def _write(target: str, kind: str, rows: Iterable[str]) -> None:
    with _open(target, kind, "wb") as file:
        for row in rows:
            file.write((row if row.endswith(("\n", "\r")) else row + "\n").encode("latin-1"))


def _told(unit: str, kept: int, count: int, more: bool) -> Cut:
    start = f" of its beginning ({HEAD >> 20} MiB)" if more else ""
    if kept == count and not more:
        return Cut(f"all {kept} {unit}s" if kept != 1 else f"its one {unit}", kept, count)
    return Cut(f"{kept} of {count:,} {unit}s{start}", kept, count)


# -- binary ------------------------------------------------------------------------------------------------------------


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise Unfit(f"{name.partition('.')[0]} is not there: pip install 'axil[sample]'") from None


def _parquet(source: str, target: str, n: int, names: Names) -> Cut:
    parquet, arrow = _module("pyarrow.parquet"), _module("pyarrow")
    with parquet.ParquetFile(source) as file:
        count = file.metadata.num_rows
        groups = evenly(range(file.num_row_groups), min(n, _GROUPS))
        parts = []
        for place, group in enumerate(groups):
            part = file.read_row_group(group)
            share = n * (place + 1) // len(groups) - n * place // len(groups)
            parts.append(part.take(arrow.array(evenly(range(part.num_rows), share), arrow.int64())))
        table = arrow.concat_tables(parts) if parts else file.read()
    parquet.write_table(table, target)
    return _told("row", table.num_rows, count, False)


def _npy(source: str, target: str, n: int, names: Names) -> Cut:
    numpy = _module("numpy")
    array = numpy.load(source, mmap_mode="r", allow_pickle=False)
    if not array.ndim:
        raise Unfit("a single value")
    with open(target, "wb") as file:
        numpy.save(file, array[evenly(range(len(array)), n)])
    return _told("row", min(n, len(array)), len(array), False)


def _npz(source: str, target: str, n: int, names: Names) -> Cut:
    numpy = _module("numpy")
    if os.stat(source).st_size > _ARRAYS:
        raise Unfit("larger than 4 GiB")
    arrays = {}
    most = 0
    with numpy.load(source, allow_pickle=False) as found:
        for name in found.files:
            array = found[name]
            if array.ndim:
                most = max(most, len(array))
                array = array[evenly(range(len(array)), n)]
            arrays[name] = array
    with open(target, "wb") as file:
        numpy.savez(file, **arrays)
    return _told("row", min(n, most), most, False)


_CUTTERS: dict[str, Cutter] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".parquet": _parquet,
    ".npy": _npy,
    ".npz": _npz,
}
