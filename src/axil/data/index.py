"""The work-tree index: what axil last saw in the work tree, so that unchanged files are not read again.

One SQLite file per work tree, laid out as docs/formats/worktree-index.md says. It is only a cache: a broken or deleted
one is made anew, and then every file is hashed once. Paths are project paths as bytes; the project root is b"".
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from _thread import RLock  # as functools does: the threading module takes longer to load than this one
from collections.abc import Callable, Iterable, Iterator, Mapping

from axil.base.clock import Clock, system_clock
from axil.base.hashing import OID_SIZE, hash_bytes
from axil.base.light import NamedTuple, TypeVar
from axil.data.rows import Folder, Segment, Summary
from axil.errors import Busy
from axil.formats.pointer import Pointer

VERSION = 1
BUSY_SECONDS = 30.0
_SUM = 8
_T = TypeVar("_T")

_SCHEMA = f"""
PRAGMA page_size = 32768;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS folders (
  path BLOB PRIMARY KEY, version BLOB NOT NULL, oid BLOB, size INTEGER NOT NULL, files INTEGER NOT NULL,
  stored INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
  path BLOB NOT NULL, first BLOB NOT NULL, names BLOB NOT NULL, kinds BLOB NOT NULL, stats BLOB NOT NULL,
  oids BLOB NOT NULL, sum BLOB NOT NULL, UNIQUE (path, first)
);
CREATE TABLE IF NOT EXISTS tracked (
  path BLOB PRIMARY KEY, kind TEXT NOT NULL, oid BLOB NOT NULL, size INTEGER NOT NULL, files INTEGER NOT NULL,
  executable INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cache (
  kind TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""


class Update(NamedTuple):
    """The new row of one folder; `old` is what `load` gave for it (None if there was nothing)."""

    old: Folder | None
    segments: list[Segment]
    summary: Summary | None


class WorkTreeIndex:
    """The index in the file `database`. Opened at the first use; safe to use from several threads and processes.

    Reads never fail for a damaged database: it is made anew and answers "unknown". Writes of a read-only or full
    disk are dropped: the only cost is hashing again.
    """

    def __init__(self, database: str, clock: Clock = system_clock) -> None:
        self.database = database
        self.clock = clock
        self._connection: sqlite3.Connection | None = None
        self._lock = RLock()

    def close(self) -> None:
        """Let go of the database; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # Folders

    def load(self, path: bytes, *, below: bool = True) -> dict[bytes, Folder]:
        """The rows of the folder `path` and, if `below`, of all folders in it."""
        if not below:
            return self.folders((path,))
        if path:
            # All paths that start with `path/`: "0" is the byte after "/".
            where = "path = ? OR (path > ? AND path < ?)"
            values: tuple[bytes, ...] = (path, path + b"/", path + b"0")
        else:
            where, values = "1", ()

        def read(db: sqlite3.Connection) -> dict[bytes, Folder]:
            with _transaction(db, "BEGIN"):
                return _fold(db, where, values)

        return self._read(read, {})

    def folders(self, paths: Iterable[bytes]) -> dict[bytes, Folder]:
        """The rows of exactly these folders; unknown ones are left out."""

        def read(db: sqlite3.Connection) -> dict[bytes, Folder]:
            found: dict[bytes, Folder] = {}
            with _transaction(db, "BEGIN"):
                for path in paths:
                    found.update(_fold(db, "path = ?", (path,)))
            return found

        return self._read(read, {})

    def segment(self, path: bytes, name: bytes) -> Segment | None:
        """The segment of the folder `path` that would hold `name`."""

        def read(db: sqlite3.Connection) -> Segment | None:
            row = db.execute(
                "SELECT names, kinds, stats, oids, sum FROM segments WHERE path = ? AND first <= ? "
                "ORDER BY first DESC LIMIT 1",
                (path, name),
            ).fetchone()
            return None if row is None else _segment(row)

        return self._read(read, None)

    def write(self, updates: Mapping[bytes, Update], removed: Iterable[bytes] = ()) -> None:
        """Store the rows of many folders in one transaction; only segments that differ are written.

        A folder that another process wrote since `old` was loaded is replaced as a whole, so that its segments and
        its summary always come from one look at it.
        """
        gone = list(removed)
        if updates or gone:
            self._write(lambda db: _store(db, updates, gone))

    # Tracked data

    def tracked(self, path: str) -> Pointer | None:
        """What the tracked `path` was last saved as or materialised from in this work tree."""
        return self.all_tracked().get(path)

    def all_tracked(self) -> dict[str, Pointer]:
        """Every tracked path of this work tree with what it was last saved as or materialised from."""

        def read(db: sqlite3.Connection) -> dict[str, Pointer]:
            rows = db.execute("SELECT path, kind, oid, size, files, executable FROM tracked ORDER BY path")
            return {
                os.fsdecode(path): Pointer(kind, oid, size, files, bool(executable))
                for path, kind, oid, size, files, executable in rows
                if len(oid) == OID_SIZE
            }

        return self._read(read, {})

    def set_tracked(self, path: str, pointer: Pointer | None) -> None:
        """Note what `path` holds now; None when it is no longer tracked here."""
        key = os.fsencode(path)

        def write(db: sqlite3.Connection) -> None:
            if pointer is None:
                db.execute("DELETE FROM tracked WHERE path = ?", (key,))
            else:
                row = (key, pointer.kind, pointer.oid, pointer.size, pointer.files, pointer.executable)
                db.execute("INSERT OR REPLACE INTO tracked VALUES (?, ?, ?, ?, ?, ?)", row)

        self._write(write)

    # Small values made from files, remembered by the caller's own key

    def cached(self, kind: str, key: bytes) -> bytes | None:
        """The value remembered for `key`, or None."""

        def read(db: sqlite3.Connection) -> bytes | None:
            row = db.execute("SELECT value FROM cache WHERE kind = ? AND key = ?", (kind, key)).fetchone()
            if row is None or len(row[0]) < _SUM or hash_bytes(row[0][_SUM:])[:_SUM] != row[0][:_SUM]:
                return None
            value: bytes = row[0][_SUM:]
            return value

        return self._read(read, None)

    def remember(self, kind: str, values: Mapping[bytes, bytes]) -> None:
        """Keep `values` (key -> value) for later processes; may be forgotten at any time."""
        if not values:
            return
        rows = [(kind, key, hash_bytes(value)[:_SUM] + value) for key, value in values.items()]
        self._write(lambda db: db.executemany("INSERT OR REPLACE INTO cache VALUES (?, ?, ?)", rows))

    # The connection

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            os.makedirs(os.path.dirname(self.database) or ".", exist_ok=True)
            db = sqlite3.connect(
                self.database, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=32
            )
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            self._connection = db
        return self._connection

    def _prepare(self, db: sqlite3.Connection) -> None:
        # No fsync: a power cut may lose or damage the index, which the sums and a rebuild make harmless.
        db.execute("PRAGMA synchronous = OFF")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(_SCHEMA)
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"index format {version}")

    def _read(self, action: Callable[[sqlite3.Connection], _T], default: _T) -> _T:
        with self._lock:
            for attempt in (1, 2):
                try:
                    return action(self._open())
                except sqlite3.OperationalError as error:
                    if _is_busy(error):
                        raise self._busy() from None
                    if attempt == 2 or not _is_broken(error):
                        return default
                    self._discard()
                except (sqlite3.DatabaseError, ValueError):
                    self._discard()
                except OSError:
                    return default
            return default

    def _write(self, action: Callable[[sqlite3.Connection], object]) -> None:
        with self._lock:
            for attempt in (1, 2):
                try:
                    with _transaction(self._open()) as db:
                        action(db)
                    return
                except sqlite3.OperationalError as error:
                    if _is_busy(error):
                        raise self._busy() from None
                    if attempt == 2 or not _is_broken(error):
                        self.close()
                        return
                    self._discard()
                except sqlite3.DatabaseError:
                    self._discard()
                except OSError:
                    return

    def _discard(self) -> None:
        self.close()
        for suffix in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                os.unlink(self.database + suffix)

    def _busy(self) -> Busy:
        return Busy(
            "the work-tree index is in use",
            f"another axil process has held {self.database} for over {BUSY_SECONDS:.0f} s",
            "wait for it to finish, or stop it, and try again",
        )


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
    db.execute(begin)
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def _fold(db: sqlite3.Connection, where: str, values: tuple[bytes, ...]) -> dict[bytes, Folder]:
    found: dict[bytes, Folder] = {}
    rows = db.execute(f"SELECT path, version, oid, size, files, stored FROM folders WHERE {where}", values)
    for path, version, oid, size, files, stored in rows:
        found[path] = Folder(None if oid is None else Summary(oid, size, files, bool(stored)), [], version)
    rows = db.execute(
        f"SELECT names, kinds, stats, oids, sum, path FROM segments WHERE {where} ORDER BY path, first", values
    )
    for row in rows:
        if (folder := found.get(row[5])) is not None:
            folder.segments.append(_segment(row))
    return found


def _segment(row: tuple[bytes, ...]) -> Segment:
    names, kinds, stats, oids, checksum = row[:5]
    if _sum(names, kinds, stats, oids) != checksum:
        raise ValueError("a row of the index is damaged")
    return Segment(names, kinds, stats, oids)


def _sum(*columns: bytes) -> bytes:
    return hash_bytes(b"".join(columns))[:_SUM]


def _store(db: sqlite3.Connection, updates: Mapping[bytes, Update], removed: list[bytes]) -> None:
    for path in removed:
        db.execute("DELETE FROM folders WHERE path = ?", (path,))
        db.execute("DELETE FROM segments WHERE path = ?", (path,))
    for path, update in updates.items():
        _store_one(db, path, update)


def _store_one(db: sqlite3.Connection, path: bytes, update: Update) -> None:
    old = update.old if update.old is not None else Folder(None, [], b"")
    row = db.execute("SELECT version FROM folders WHERE path = ?", (path,)).fetchone()
    keep: dict[bytes, Segment] = {}
    if row is not None and row[0] == old.version:
        keep = {segment.first: segment for segment in old.segments}
    else:
        db.execute("DELETE FROM segments WHERE path = ?", (path,))
    for segment in update.segments:
        if keep.pop(segment.first, None) != segment:
            db.execute(
                # A row that keeps its size is overwritten where it is.
                "INSERT INTO segments (path, first, names, kinds, stats, oids, sum) VALUES (?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (path, first) DO UPDATE SET names = excluded.names, kinds = excluded.kinds, "
                "stats = excluded.stats, oids = excluded.oids, sum = excluded.sum",
                (path, segment.first, *segment, _sum(*segment)),
            )
    for first in keep:
        db.execute("DELETE FROM segments WHERE path = ? AND first = ?", (path, first))
    summary = update.summary if update.summary is not None else (None, 0, 0, False)
    db.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?, ?, ?, ?)", (path, os.urandom(8), *summary))


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_broken(error: sqlite3.OperationalError) -> bool:
    # A missing table or column means that something else wrote this file.
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR
