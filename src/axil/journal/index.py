"""The journal's SQLite index (docs/formats/journal-index.md): a cache that may be deleted or broken at any time.

A rollback journal and short transactions, not WAL: it must work on network file systems and be readable where nothing
can be written.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from operator import itemgetter

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import Busy
from axil.journal.rows import Experiment, Problem

if TYPE_CHECKING:
    from axil.formats.record import AnyRecord, Run, StageRecord

SCHEMA = 8
MEMORY = ":memory:"
_TIMEOUT = 60.0

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE runs (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, identity TEXT, state TEXT NOT NULL,
  time REAL NOT NULL, ended REAL NOT NULL, message TEXT NOT NULL, author TEXT NOT NULL, retracted INTEGER NOT NULL,
  sample INTEGER NOT NULL, sweep TEXT NOT NULL, trial INTEGER NOT NULL, seed INTEGER, is_group INTEGER NOT NULL,
  attempt INTEGER NOT NULL, resumes TEXT NOT NULL, pruned INTEGER, snapshot BLOB NOT NULL);
CREATE INDEX runs_sweep ON runs (sweep, id) WHERE sweep != '';
CREATE INDEX runs_identity ON runs (identity, id);
CREATE INDEX runs_name ON runs (name);
CREATE INDEX runs_resumes ON runs (resumes, attempt) WHERE resumes != '';
CREATE TABLE details (n INTEGER PRIMARY KEY, params TEXT NOT NULL, metrics TEXT NOT NULL);
CREATE TABLE params (key TEXT, run INTEGER, num REAL, text TEXT, PRIMARY KEY (key, run)) WITHOUT ROWID;
CREATE TABLE metrics (name TEXT, run INTEGER, num REAL, PRIMARY KEY (name, run)) WITHOUT ROWID;
CREATE TABLE names (kind TEXT, name TEXT, PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE stages (
  run TEXT, pos INTEGER, name TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (run, name, pos));
CREATE INDEX stages_key ON stages (key, run) WHERE key != '' AND state = 'succeeded';
CREATE INDEX stages_name ON stages (name, run);
CREATE TABLE outputs (run TEXT, stage TEXT, role TEXT, path BLOB, oid BLOB, kind TEXT);
CREATE TABLE records (id TEXT, kind TEXT, data BLOB NOT NULL, PRIMARY KEY (id, kind)) WITHOUT ROWID;
CREATE TABLE retracted (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE notes (id TEXT PRIMARY KEY, identity TEXT, target TEXT, text TEXT, author TEXT, time REAL) WITHOUT ROWID;
CREATE TABLE spans (name TEXT, since TEXT, identity TEXT, PRIMARY KEY (name, since)) WITHOUT ROWID;
CREATE TABLE experiments (identity TEXT PRIMARY KEY, name TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE problems (path TEXT PRIMARY KEY, why TEXT NOT NULL) WITHOUT ROWID;
"""

_UNWRITABLE = frozenset({3, 8, 10, 13, 14, 23})
"""Primary result codes PERM, READONLY, IOERR, FULL, CANTOPEN, AUTH: the index cannot be kept on this disk."""
_WAITED = frozenset({5, 6})
"""BUSY, LOCKED: somebody else was writing for longer than the timeout."""
_MOVED = 1032
"""READONLY_DBMOVED: another process replaced the file under us."""


class Batch(NamedTuple):
    """What one update brings to the index."""

    records: Sequence[AnyRecord]
    problems: Sequence[Problem] = ()


class Index:
    """The index in the file `path`, opened when first used; `connection` is for reading."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The open database, its schema the right one; raises `sqlite3.Error` for a file that is no good."""
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def commit(self) -> str:
        """The journal commit that the index shows, "" for none."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = 'commit'").fetchone()
        return str(row[0]) if row else ""

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def recover(self, error: sqlite3.Error) -> None:
        """Make the index usable again after `error`: empty, and in memory if the disk refuses. Raises `Busy`."""
        code = getattr(error, "sqlite_errorcode", 0)
        self.close()
        if code & 0xFF in _WAITED:
            raise Busy(
                "the journal's index is in use",
                f"another axil process has held {self.path} for over {_TIMEOUT:.0f} s",
                "wait for it to finish, or stop it, and try again",
            ) from error
        if code == _MOVED:
            return
        if code & 0xFF in _UNWRITABLE:
            self.path = MEMORY
            return
        try:
            for suffix in ("", "-journal", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path + suffix)
        except OSError:
            self.path = MEMORY

    def update(self, expected: str, commit: str, batch: Batch, *, anew: bool = False) -> bool:
        """Bring the index from `expected` to `commit` in one transaction; `anew` empties it first.

        False, and nothing changed, if it does not show `expected` any more: another process was faster.
        """
        db = self.connection
        db.execute("BEGIN IMMEDIATE")
        try:
            if self.commit() != expected:
                db.execute("ROLLBACK")
                return False
            if anew:
                _create(db)
            _add(db, batch)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('commit', ?)", (commit,))
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        return True

    def _open(self) -> sqlite3.Connection:
        if self.path != MEMORY:
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
        db = sqlite3.connect(self.path, timeout=_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA synchronous = NORMAL")
            if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
                db.execute("BEGIN IMMEDIATE")
                if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
                    _create(db)
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db


def _create(db: sqlite3.Connection) -> None:
    """Empty tables, inside the caller's transaction (`executescript` would end it)."""
    for name, kind in db.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
        if not name.startswith("sqlite_"):
            quoted = name.replace('"', '""')
            db.execute(f'DROP {kind} "{quoted}"')
    for statement in _TABLES.split(";"):
        if statement.strip():
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA}")


def _add(db: sqlite3.Connection, batch: Batch) -> None:
    from axil.formats import record as kinds
    from axil.formats.record_check import clean_text

    runs = [r for r in batch.records if isinstance(r, kinds.Run)]
    others = [r for r in batch.records if not isinstance(r, kinds.Run)]
    # Names in a hostile tree may be no text at all, which SQLite does not take.
    problems = [(clean_text(problem.path), clean_text(problem.why)) for problem in batch.problems]
    db.executemany("INSERT OR IGNORE INTO problems VALUES (?, ?)", problems)
    last = db.execute("SELECT coalesce(max(n), 0) FROM runs").fetchone()[0]
    if runs:
        _add_runs(db, runs, last)
    if others:
        rows = [(r.id, kinds.kind_of(r), kinds.encode(r)) for r in others]
        db.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?)", rows)
        _refold(db)
    if runs or others:
        _identify(db, last, all_known=bool(others))


def _add_runs(db: sqlite3.Connection, runs: Sequence[Run], last: int) -> None:
    import json

    known = {r.id for r in runs if db.execute("SELECT 1 FROM runs WHERE id = ?", (r.id,)).fetchone()}
    rows: list[tuple[object, ...]] = []
    details: list[tuple[int, str, str]] = []
    params: list[tuple[str, int, float | None, str | None]] = []
    metrics: list[tuple[str, int, float]] = []
    stages: list[tuple[object, ...]] = []
    outputs: list[tuple[object, ...]] = []
    names: set[tuple[str, str]] = set()
    for run in runs:
        if run.id in known or (
            len(runs) <= 100 and db.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone()
        ):
            continue
        known.add(run.id)
        last += 1
        facts = (last, run.id, run.experiment, run.state, run.time, run.ended, run.message, run.author, run.id)
        marks = (run.sample, run.group or run.sweep, run.trial, _seed(run), bool(run.group), run.attempt, run.resumes)
        rows.append((*facts, *marks, run.pruned, bytes.fromhex(run.snapshot)))
        details.append((last, json.dumps(run.params), json.dumps(run.metrics)))
        params += [(key, last, *_value(value)) for key, value in run.params.items()]
        metrics += [(name, last, value) for name, value in run.metrics.items()]
        names.update(("param", key) for key in run.params)
        names.update(("metric", name) for name in run.metrics)
        stages += [_stage_row(run.id, pos, stage) for pos, stage in enumerate(run.stages)]
        outputs += _outputs(run)
    db.executemany(
        "INSERT INTO runs VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, EXISTS (SELECT 1 FROM retracted WHERE id = ?),"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    db.executemany("INSERT INTO details VALUES (?, ?, ?)", details)
    # Sorted rows go to the end of each name's leaf pages: a build from scratch is twice as fast.
    db.executemany("INSERT OR IGNORE INTO params VALUES (?, ?, ?, ?)", sorted(params, key=itemgetter(0, 1)))
    db.executemany("INSERT OR IGNORE INTO metrics VALUES (?, ?, ?)", sorted(metrics, key=itemgetter(0, 1)))
    db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", sorted(names))
    db.executemany("INSERT INTO stages VALUES (?, ?, ?, ?, ?, ?)", stages)
    db.executemany("INSERT INTO outputs VALUES (?, ?, ?, ?, ?, ?)", outputs)


def _seed(run: Run) -> int | None:
    """The seed, if SQLite can hold it."""
    return run.seed if run.seed is not None and abs(run.seed) < 1 << 63 else None


def _value(value: object) -> tuple[float | None, str | None]:
    """A parameter as (number, text) for queries: numbers have no text, truth values have both."""
    if isinstance(value, bool):
        return float(value), "true" if value else "false"
    if isinstance(value, int | float):
        try:
            return float(value), None
        except OverflowError:
            return None, str(value)
    if value is None:
        return None, None
    import json

    return None, value if isinstance(value, str) else json.dumps(value)


def _stage_row(run: str, pos: int, stage: StageRecord) -> tuple[str, int, str, str, str, bytes]:
    import json
    import zlib

    from axil.base.structs import msgspec

    body = zlib.compress(json.dumps(msgspec.to_builtins(stage)).encode(), 1)
    return run, pos, stage.name, stage.key, stage.state, body


def _outputs(run: Run) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for stage in run.stages:
        for path, out in stage.outs.items():
            rows.append((run.id, stage.name, "out", os.fsencode(path), bytes.fromhex(out.oid), out.kind))
        for path, out in stage.checkpoint.items():
            rows.append((run.id, stage.name, "checkpoint", os.fsencode(path), bytes.fromhex(out.oid), out.kind))
        if stage.log:
            rows.append((run.id, stage.name, "log", b"", bytes.fromhex(stage.log), "file"))
    for path, out in run.data.items():
        rows.append((run.id, "", "data", os.fsencode(path), bytes.fromhex(out.oid), out.kind))
    if run.series:
        rows.append((run.id, "", "series", b"", bytes.fromhex(run.series), "file"))
    if run.system:
        rows.append((run.id, "", "system", b"", bytes.fromhex(run.system), "file"))
    if run.artifacts is not None:
        rows.append((run.id, "", "artifacts", b"", bytes.fromhex(run.artifacts.oid), run.artifacts.kind))
    return rows


def _refold(db: sqlite3.Connection) -> None:
    """Fold all records but the runs again; runs whose experiment's name has another meaning now lose their identity."""
    from axil.formats import record as kinds
    from axil.journal.state import fold

    stored = db.execute("SELECT id, kind, data FROM records").fetchall()
    decoded = [kinds.decode(data, f"{kind} {key}") for key, kind, data in stored]
    state = fold(r for r in decoded if r is not None)
    before: dict[str, list[tuple[str, str]]] = {}
    for name, since, identity in db.execute("SELECT name, since, identity FROM spans ORDER BY name, since"):
        before.setdefault(name, []).append((since, identity))
    changed = [(n,) for n in before.keys() | state.spans.keys() if before.get(n) != state.spans.get(n)]
    db.executemany("UPDATE runs SET identity = NULL WHERE name = ?", changed)
    for table in ("spans", "experiments", "notes", "retracted"):
        db.execute(f"DELETE FROM {table}")
    spans = [(name, since, identity) for name, bound in state.spans.items() for since, identity in bound]
    db.executemany("INSERT OR REPLACE INTO spans VALUES (?, ?, ?)", spans)
    _store_experiments(db, state.experiments.values())
    notes = [(n.id, identity, n.target, n.text, n.author, n.time) for n, identity in state.notes]
    db.executemany("INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?)", notes)
    db.executemany("INSERT INTO retracted VALUES (?)", [(target,) for target in sorted(state.retracted)])
    fact = "(id IN (SELECT id FROM retracted))"
    db.execute(f"UPDATE runs SET retracted = {fact} WHERE retracted != {fact}")


def _identify(db: sqlite3.Connection, last: int, *, all_known: bool) -> None:
    """Give the runs after row `last` (or `all_known` that have none) their experiment's identity, known or implicit."""
    scope = "identity IS NULL" if all_known else f"n > {last:d}"
    db.execute(
        "UPDATE runs SET identity = CASE name WHEN '' THEN '' ELSE coalesce((SELECT s.identity FROM spans s"
        " WHERE s.name = runs.name AND s.since <= runs.id ORDER BY s.since DESC LIMIT 1), name || '@') END"
        f" WHERE {scope}"
    )
    scope = "1" if all_known else f"n > {last:d}"
    new = db.execute(
        "SELECT DISTINCT identity FROM runs WHERE identity != '' AND NOT retracted"
        f" AND identity NOT IN (SELECT identity FROM experiments) AND {scope}"
    ).fetchall()
    _store_experiments(db, [_implicit(db, identity) for (identity,) in new])


def _implicit(db: sqlite3.Connection, identity: str) -> Experiment:
    from axil.journal.state import State, implicit

    name = identity.rpartition("@")[0]
    bound = db.execute("SELECT since, identity FROM spans WHERE name = ? ORDER BY since", (name,)).fetchall()
    return implicit(identity, State({}, {name: bound}, [], frozenset()))


def _store_experiments(db: sqlite3.Connection, experiments: Iterable[Experiment]) -> None:
    import json

    rows = [(e.identity, e.name, json.dumps(e)) for e in experiments]
    db.executemany("INSERT OR REPLACE INTO experiments VALUES (?, ?, ?)", rows)
