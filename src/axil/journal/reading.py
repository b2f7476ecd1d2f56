"""Questions to the journal's index, answered from SQLite alone: each function takes an open connection."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.quickjson import loads
from axil.journal.rows import Experiment, NoteRow, OutputRef, OutputRow, Problem, RunRow, StageRow, Summary

if TYPE_CHECKING:
    from axil.journal import query

_RUN = "SELECT r.id, coalesce(e.name, r.name), r.state, r.time, r.ended, r.message, r.author, d.params, d.metrics,"
_MARKS = "r.retracted, r.sample, r.sweep, r.trial, r.seed, r.is_group, r.attempt, r.resumes, r.pruned"
_FROM = " FROM runs r LEFT JOIN experiments e ON e.identity = r.identity"
_STAGE = (
    "SELECT s.body, s.run, r.author, r.time, coalesce(e.name, r.name) FROM {} JOIN {}"
    " LEFT JOIN experiments e ON e.identity = r.identity WHERE "
)


_EARLIER = (
    "SELECT resumes FROM runs WHERE resumes != '' AND NOT retracted UNION SELECT a.id FROM runs a JOIN runs b"
    " ON b.resumes = a.resumes AND b.attempt > a.attempt WHERE a.resumes != '' AND b.resumes != '' AND NOT b.retracted"
)
"""Attempts of which there is a later one."""
_MEAN = (
    "(SELECT avg(m.num) FROM runs x JOIN metrics m ON m.run = x.n AND m.name = w.name WHERE x.sweep = r.sweep"
    " AND x.sweep != '' AND x.state = 'succeeded' AND NOT x.retracted)"
)
"""Of the metric `w`, over the replicates that `r` is one of."""


_AT_ONCE = 500
"""Values bound in one question, well below what any SQLite takes."""


class Asked(NamedTuple):
    """Which runs are wanted; `None` means any."""

    identities: Sequence[str] | None = None
    states: Sequence[str] | None = None
    where: str | None = None
    sort: str | None = None
    descending: bool | None = None
    limit: int | None = None
    retracted: bool = False
    attempts: bool = False
    """Earlier attempts of resumed runs too."""
    samples: bool = False
    """Rehearsals too."""
    directions: Mapping[str, str] = {}
    """Metric -> "max" or "min": which end is the better one, and so comes first."""
    together: bool = False
    """Replicates are sorted by the mean of their metric."""


def runs(db: sqlite3.Connection, asked: Asked, now: float) -> list[RunRow]:
    """The runs asked for; without `sort` the newest first. Runs without the sorted value come last."""
    conditions, values = ["NOT r.retracted"] if not asked.retracted else [], list[object]()
    if not asked.attempts:
        conditions.append(f"r.id NOT IN ({_EARLIER})")
    if not asked.samples:
        conditions.append("NOT r.sample")
    for column, wanted in (("r.identity", asked.identities), ("r.state", asked.states)):
        if wanted is not None:
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    join, order, known = "", " ORDER BY r.id DESC", None
    if asked.where or asked.sort:
        from axil.journal import query
    if asked.where and asked.where.strip():
        known = _known(db)
        clause = query.where(asked.where, known, now)
        conditions.append(clause.sql)
        values += clause.values
    if asked.sort:
        field = query.resolve(asked.sort, known or _known(db))
        join, order, first = _order(field, asked)
        values = [*first, *values]
    elif asked.descending is False:
        order = " ORDER BY r.id"
    chosen = f"SELECT r.n AS n, row_number() OVER ({order.strip()}) AS place{_FROM}{join}"
    chosen += f" WHERE {' AND '.join(conditions) or '1'}{order} LIMIT ?"
    values.append(-1 if asked.limit is None else max(asked.limit, 0))
    # Two steps: sorting moves narrow rows, and only the rows returned are read whole.
    sql = (
        f"WITH chosen AS ({chosen}) {_RUN} {_MARKS} FROM chosen JOIN runs r ON r.n = chosen.n"
        " JOIN details d ON d.n = r.n LEFT JOIN experiments e ON e.identity = r.identity ORDER BY chosen.place"
    )
    return [_run_row(row) for row in db.execute(sql, values)]


def run(db: sqlite3.Connection, id: str) -> RunRow | None:
    """The run with that whole id, retracted or not."""
    sql = f"{_RUN} {_MARKS}{_FROM} JOIN details d ON d.n = r.n WHERE r.id = ?"
    row = db.execute(sql, (id,)).fetchone()
    return _run_row(row) if row else None


def sweeps(db: sqlite3.Connection) -> list[tuple[str, bytes]]:
    """Id and bytes of every sweep that counts, the oldest first."""
    sql = "SELECT id, data FROM records WHERE kind = 'sweep' AND id NOT IN (SELECT id FROM retracted) ORDER BY id"
    return db.execute(sql).fetchall()


def members(db: sqlite3.Connection, sweep: str) -> list[RunRow]:
    """The runs of a sweep or group, the oldest first."""
    sql = f"{_RUN} {_MARKS}{_FROM} JOIN details d ON d.n = r.n WHERE r.sweep = ? AND NOT r.retracted ORDER BY r.id"
    return [_run_row(row) for row in db.execute(sql, (sweep,))]


def attempts(db: sqlite3.Connection, id: str) -> list[RunRow]:
    """All attempts of the run of which `id` is one, in their order."""
    row = run(db, id)
    if row is None:
        return []
    first = row.resumes or row.id
    same = "(r.id = ? OR (r.resumes != '' AND r.resumes = ?))"
    sql = f"{_RUN} {_MARKS}{_FROM} JOIN details d ON d.n = r.n WHERE NOT r.retracted AND {same}"
    return [_run_row(row) for row in db.execute(f"{sql} ORDER BY r.attempt, r.id", (first, first))]


def of_snapshots(db: sqlite3.Connection, trees: Sequence[str], seed: int | None) -> dict[str, list[RunRow]]:
    """Git tree -> the runs with exactly that code, that seed (None for none) and no sample, the newest first."""
    found: dict[str, list[RunRow]] = {}
    for at in range(0, len(trees), _AT_ONCE):
        wanted = [bytes.fromhex(tree) for tree in trees[at : at + _AT_ONCE]]
        test = f"snapshot IN ({', '.join('?' * len(wanted))}) AND NOT retracted AND sample = 0 AND seed IS ?"
        for key, tree in db.execute(
            f"SELECT id, hex(snapshot) FROM runs WHERE {test} ORDER BY id DESC", (*wanted, seed)
        ):
            if (row := run(db, key)) is not None:
                found.setdefault(tree.lower(), []).append(row)
    return found


def run_ids(db: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """Up to `limit` run ids that begin with `prefix` (upper case), ascending."""
    rows = db.execute("SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (prefix, prefix + "~", limit))
    return [row[0] for row in rows]


def run_ids_ending(db: sqlite3.Connection, end: str, limit: int) -> list[str]:
    """Up to `limit` run ids that end with `end` (upper case), ascending."""
    rows = db.execute("SELECT id FROM runs WHERE substr(id, ?) = ? ORDER BY id LIMIT ?", (-len(end), end, limit))
    return [row[0] for row in rows]


def experiments(db: sqlite3.Connection) -> list[Experiment]:
    """Every experiment, archived and deleted ones too, by identity."""
    return [Experiment(*loads(row[0])) for row in db.execute("SELECT data FROM experiments ORDER BY identity")]


def renamed(db: sqlite3.Connection) -> dict[str, str]:
    """Former name -> present name, of experiments that were not deleted; without names that another one bears now."""
    living = {one.identity: one.name for one in experiments(db) if not one.deleted}
    found = {identity.rpartition("@")[0]: name for identity, name in living.items()}
    for name, identity in db.execute("SELECT name, identity FROM spans ORDER BY since"):
        if identity in living:
            found[name] = living[identity]
    borne = {"", *living.values()}
    return {old: new for old, new in found.items() if old not in borne}


def summaries(db: sqlite3.Connection, metric: str | None, lower: bool) -> dict[str, Summary]:
    """Identity -> what its runs come to: how many, the newest, and the best of `metric` among the succeeded."""
    sql = "SELECT identity, count(*), max(id), state, time FROM runs"
    sql += f" WHERE NOT retracted AND NOT sample AND identity != '' AND id NOT IN ({_EARLIER}) GROUP BY identity"
    found = {row[0]: Summary(row[1], row[2], row[3], row[4]) for row in db.execute(sql)}
    if metric is not None:
        # SQLite takes the bare column of a query with one min() or max() from the row that holds it.
        best = "min" if lower else "max"
        sql = (
            f"SELECT r.identity, {best}(m.num), r.id FROM metrics m JOIN runs r ON r.n = m.run WHERE m.name = ?"
            " AND m.num IS NOT NULL AND r.state = 'succeeded' AND NOT r.retracted AND NOT r.is_group AND NOT r.sample"
            " GROUP BY r.identity"
        )
        for identity, value, run_id in db.execute(sql, (metric,)):
            if identity in found:
                found[identity] = found[identity]._replace(best=value, best_run=run_id)
        _count_replicates(db, metric, lower, found)
    return found


def _count_replicates(db: sqlite3.Connection, metric: str, lower: bool, found: dict[str, Summary]) -> None:
    """Let groups of replicates, each with its mean, count among the results of `found`."""
    groups = (
        "SELECT r.identity AS identity, avg(m.num) AS mean, max(r.id) AS last, r.sweep AS sweep FROM runs r"
        " CROSS JOIN metrics m ON m.name = ? AND m.run = r.n WHERE r.sweep != '' AND r.is_group"
        " AND m.num IS NOT NULL AND r.state = 'succeeded' AND NOT r.retracted AND NOT r.sample"
        " GROUP BY r.identity, r.sweep"
    )
    later = "SELECT 1 FROM runs o WHERE o.identity = g.identity AND o.id > g.last AND o.state = 'succeeded'"
    later += " AND NOT o.retracted AND NOT o.sample"
    sql = f"SELECT identity, mean, last, sweep, NOT EXISTS ({later}) FROM ({groups}) g"
    newest = set()
    for identity, mean, run_id, group, is_newest in db.execute(sql, (metric,)):
        summary = found.get(identity)
        if summary is None or identity in newest:
            continue
        if is_newest:
            newest.add(identity)
        if is_newest or summary.best is None or (mean < summary.best if lower else mean > summary.best):
            found[identity] = summary._replace(best=mean, best_run=run_id, group=group)


def cached(db: sqlite3.Connection, key: str) -> StageRow | None:
    """The newest succeeded stage with that key, in a run that counts."""
    sql = _STAGE.format("stages s", "runs r ON r.id = s.run")
    sql += "s.key = ? AND s.key != '' AND s.state = 'succeeded' AND NOT r.retracted ORDER BY s.run DESC LIMIT 1"
    row = db.execute(sql, (key,)).fetchone()
    return _stage_row(row) if row else None


def last_stage(db: sqlite3.Connection, name: str, identities: Sequence[str], sample: int) -> StageRow | None:
    """The newest record of the stage that was not skipped: of the first identity that has one, else of any run.

    Only runs on all data count, or with a `sample` only rehearsals on so many.
    """
    test = f"s.name = ? AND s.state != 'skipped' AND NOT r.retracted AND r.sample = {sample:d}"
    for identity in identities:
        sql = _STAGE.replace("JOIN", "CROSS JOIN", 1).format("runs r", "stages s ON s.run = r.id")
        row = db.execute(f"{sql}{test} AND r.identity = ? ORDER BY r.id DESC LIMIT 1", (name, identity)).fetchone()
        if row:
            return _stage_row(row)
    sql = _STAGE.format("stages s", "runs r ON r.id = s.run")
    row = db.execute(f"{sql}{test} ORDER BY s.run DESC LIMIT 1", (name,)).fetchone()
    return _stage_row(row) if row else None


def stages(db: sqlite3.Connection, run_id: str) -> list[StageRow]:
    """All stages of a run, in their order."""
    sql = _STAGE.format("stages s", "runs r ON r.id = s.run") + "s.run = ? ORDER BY s.pos"
    return [_stage_row(row) for row in db.execute(sql, (run_id,))]


def notes(db: sqlite3.Connection, identity: str, run_id: str) -> list[NoteRow]:
    """Notes about the experiment `identity`, or, if that is "", about the run; the oldest first."""
    column, value = ("identity", identity) if identity else ("identity = '' AND target", run_id)
    sql = f"SELECT id, target, text, author, time FROM notes WHERE {column} = ? ORDER BY id"
    return [NoteRow(*row) for row in db.execute(sql, (value,))]


def outputs(db: sqlite3.Connection, *, retracted: bool) -> Iterator[OutputRef]:
    """Every object a run needs: outs, logs, series, checkpoints and data; those of retracted runs only if asked."""
    sql = "SELECT o.oid, o.run, o.stage, o.role, o.path, o.kind FROM outputs o JOIN runs r ON r.id = o.run"
    for oid, run_id, stage, role, path, kind in db.execute(sql if retracted else f"{sql} WHERE NOT r.retracted"):
        yield OutputRef(oid, run_id, stage, role, os.fsdecode(path), kind)


def problems(db: sqlite3.Connection) -> list[Problem]:
    """Entries of the journal that were passed over, with the reason."""
    return [Problem(*row) for row in db.execute("SELECT path, why FROM problems ORDER BY path")]


def names(db: sqlite3.Connection, kind: str) -> list[str]:
    """The names of all metrics or params ever recorded; `kind` is "metric" or "param"."""
    return [row[0] for row in db.execute("SELECT name FROM names WHERE kind = ? ORDER BY name", (kind,))]


def _known(db: sqlite3.Connection) -> query.Known:
    from axil.journal import query

    empty = db.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is None
    return query.Known(frozenset(names(db, "metric")), frozenset(names(db, "param")), empty)


def _order(field: query.Field, asked: Asked) -> tuple[str, str, list[object]]:
    """The join, the ORDER BY and the first bound values that sort by `field`."""
    from axil.journal import query

    down = asked.descending
    if field.kind == "built-in":
        if down is None:
            down = field.name in ("time", "seconds", "id")
        column = query.column_of("time" if field.name == "age" else field.name)
        # The older, the greater the age: its order is that of the time turned round.
        way = "DESC" if down != (field.name == "age") else "ASC"
        return "", f" ORDER BY {column} IS NULL, {column} {way}, r.id DESC", []
    if down is None:
        down = field.kind == "metric" and asked.directions.get(field.name, "max") != "min"
    way = "DESC" if down else "ASC"
    if field.kind == "metric":
        join = " CROSS JOIN (SELECT ? AS name) w LEFT JOIN metrics k ON k.name = w.name AND k.run = r.n"
        if asked.together:
            value = f"(CASE WHEN r.is_group THEN {_MEAN} ELSE k.num END)"
            return join, f" ORDER BY {value} IS NULL, {value} {way}, r.id DESC", [field.name]
        return join, f" ORDER BY k.num IS NULL, k.num {way}, r.id DESC", [field.name]
    join = " LEFT JOIN params k ON k.key = ? AND k.run = r.n"
    order = " ORDER BY k.num IS NULL AND k.text IS NULL, k.num IS NULL"
    return join, f"{order}, k.num {way}, k.text {way}, r.id DESC", [field.name]


def _run_row(row: tuple[str, ...]) -> RunRow:
    run_id, experiment, state, time, ended, message, author, params, metrics, retracted, sample, *marks = row
    sweep, trial, seed, is_group, attempt, resumes, pruned = marks
    return RunRow(
        run_id, experiment, state, float(time), float(ended), message, author,
        loads(params), loads(metrics), bool(retracted), int(sample),
        "" if is_group else sweep, int(trial), sweep if is_group else "", None if seed is None else int(seed),
        int(attempt), resumes, None if pruned is None else int(pruned),
    )  # fmt: skip


def _stage_row(row: tuple[bytes, str, str, float, str]) -> StageRow:
    import zlib

    body, run_id, author, time, experiment = row
    read = loads(zlib.decompress(body)).get
    return StageRow(
        name=read("name"),
        state=read("state"),
        reason=read("reason"),
        cmd=read("cmd"),
        cwd=read("cwd", ""),
        key=read("key", ""),
        deps=read("deps", {}),
        params=read("params", {}),
        code=read("code", {}),
        seen=read("seen", []),
        env=read("env", {}),
        outs={path: OutputRow(**out) for path, out in read("outs", {}).items()},
        metrics=read("metrics", {}),
        run=run_id,
        author=author,
        time=time,
        experiment=experiment,
        started=read("started", 0.0),
        seconds=read("seconds", 0.0),
        exit_code=read("exit_code"),
        source=read("source", ""),
        log=read("log", ""),
        tail=read("tail", ""),
        read=read("read", []),
        start=read("start", {}),
        checkpoint={path: OutputRow(**out) for path, out in read("checkpoint", {}).items()},
        sample=read("sample", 0),
    )
