"""Listing many runs, and adding one to them.

    python bench/runs.py --mlflow PEERS/mlflow/bin/python

Every run has 10 parameters and 10 metrics. Timed are whole commands, from the shell and back: the best 100 by a metric,
the newest 100, the runs that meet a condition, and one more run of a trivial stage; each among few runs and among
many. `index built` is the best 100 when the index was deleted. `sqlite` is the least it can cost: a Python program that
asks one indexed table. mlflow (SQLite store, filled by SQL) answers the same in a Python process that imports it.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from functools import partial

from axil.base.ids import new_id
from axil.formats.record import Run, StageRecord
from axil.project import open_project
from measure import Bench, Figure, compared, finish, median, parser, peer, seconds, write

FEW = 10
BATCH = 500
STAGE = '[project]\nname = "many"\nmetrics = { m0 = "max" }\n\n[stages.s]\ncmd = "date > out.txt"\nouts = ["out.txt"]\n'
SQLITE = """
import sqlite3
db = sqlite3.connect("runs.db")
ids = [row[0] for row in db.execute(
    "select run from metric where name = 'm0' order by value desc limit 100")]
marks = ",".join("?" * len(ids))
rows = db.execute(f"select * from metric where run in ({marks})", ids).fetchall()
print(len(rows) + len(db.execute(f"select * from param where run in ({marks})", ids).fetchall()))
"""
MLFLOW_FILL = """
import sqlite3, sys, time, uuid, random
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
e = mlflow.set_experiment("e").experiment_id
db = sqlite3.connect("mlflow.db")
chance = random.Random(7)
for k in range(int(sys.argv[1])):
    u, t = uuid.UUID(int=k + (1 << 96)).hex, int(time.time() * 1000) - k * 1000
    db.execute("insert into runs(run_uuid,name,source_type,source_name,entry_point_name,user_id,status,start_time,"
        "end_time,source_version,lifecycle_stage,artifact_uri,experiment_id) values"
        "(?,?,'UNKNOWN','','','b','FINISHED',?,?,'','active',?,?)", (u, f"run-{k}", t, t + 900, "x", e))
    db.executemany("insert into params(key,value,run_uuid) values(?,?,?)",
        [(f"p{i}", str(chance.randrange(64)), u) for i in range(10)])
    points = [(f"m{i}", chance.random(), t, u, 0, 0) for i in range(10)]
    for table in ("metrics", "latest_metrics"):
        db.executemany(f"insert into {table}(key,value,timestamp,run_uuid,step,is_nan) values(?,?,?,?,?,?)", points)
db.commit()
"""
MLFLOW_BEST = """
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
print(len(mlflow.search_runs(experiment_names=["e"], order_by=["metrics.m0 DESC"], max_results=100)))
"""


def made_runs(count: int, author: str) -> Iterator[Run]:
    """Finished runs, a second apart."""
    chance = random.Random(7)
    start = 1_700_000_000.0
    for number in range(count):
        time = start + number
        run_id = new_id(partial(float, time))
        params = {f"p{i}": chance.randrange(64) if i % 2 else round(chance.random(), 4) for i in range(10)}
        metrics = {f"m{i}": chance.random() for i in range(10)}
        stage = StageRecord(
            name="s", state="succeeded", reason="first run", cmd="date > out.txt", key=chance.randbytes(32).hex(),
            params=dict(params), metrics=metrics, started=time, seconds=0.5, exit_code=0,
        )  # fmt: skip
        yield Run(
            id=run_id, time=time, author=author, experiment="main", state="succeeded",
            ended=time + 0.6, host="bench", exit_code=0, stages=[stage], params=dict(params), metrics=metrics,
        )  # fmt: skip


def project(bench: Bench, axil: str, folder: str, count: int) -> None:
    """A project whose journal holds `count` runs."""
    write(os.path.join(folder, "axil.toml"), STAGE)
    bench.do(f"git init -q && {axil} init && git add -A && git commit -qm start", folder)
    journal = open_project(folder, bench.env).journal
    batch: list[Run] = []
    for run in made_runs(count, "Bench <bench@localhost>"):
        batch.append(run)
        if len(batch) == BATCH:
            journal.append(batch)
            batch = []
    if batch:
        journal.append(batch)


def measure_axil(bench: Bench, axil: str, count: int, repeats: int) -> dict[str, Figure]:
    """Each operation among `count` runs."""
    commands = {
        "best 100": [axil, "runs", "--sort", "m0", "-n", "100"],
        "newest 100": [axil, "runs", "-n", "100"],
        "where m1 > 0.9 and p1 = 7": [axil, "runs", "--where", "m1 > 0.9 and p1 = 7"],
        "add a run": [axil, "run", "-q", "--force"],
    }
    with bench.place(f"runs-{count}") as folder:
        project(bench, axil, folder, count)
        found = {}
        for name, command in commands.items():
            bench.do(command, folder)
            found[name] = median([bench.time(command, folder) for _ in range(repeats)])
        os.unlink(os.path.join(folder, ".git", "axil", "journal.db"))
        found["index built"] = median([bench.time(commands["best 100"], folder)])
        return found


def measure_sqlite(bench: Bench, count: int, repeats: int) -> Figure:
    import sqlite3

    with bench.place("sqlite") as folder:
        database = sqlite3.connect(os.path.join(folder, "runs.db"))
        for table, rows in (("metric", "metrics"), ("param", "params")):
            database.execute(f"create table {table}(run, name, value, primary key (run, name)) without rowid")
            database.execute(f"create index {table}_by_value on {table}(name, value)")
            for run in made_runs(count, ""):
                values = getattr(run, rows).items()
                database.executemany(f"insert into {table} values (?, ?, ?)", [(run.id, *pair) for pair in values])
        database.commit()
        database.close()
        return median([bench.time([sys.executable, "-c", SQLITE], folder) for _ in range(repeats)])


def measure_mlflow(bench: Bench, python: str, count: int, repeats: int) -> Figure:
    with bench.place("mlflow") as folder:
        bench.do([python, "-c", MLFLOW_FILL, str(count)], folder)
        return median([bench.time([python, "-c", MLFLOW_BEST], folder) for _ in range(repeats)])


def main() -> int:
    options = parser(__doc__, 5)
    options.add_argument("--count", type=int, default=10_000, help="how many runs are many (default: %(default)s)")
    peer(options, "mlflow", "the Python of an environment with mlflow")
    args = options.parse_args()
    with Bench(args.work, [args.axil]) as bench:
        few = measure_axil(bench, args.axil, FEW, args.runs)
        many = measure_axil(bench, args.axil, args.count, args.runs)
        rows: dict[str, dict[str, Figure]] = {name: {"axil": figure} for name, figure in many.items()}
        rows["best 100"]["sqlite"] = measure_sqlite(bench, args.count, args.runs)
        if args.mlflow:
            rows["best 100"]["mlflow"] = measure_mlflow(bench, args.mlflow, args.count, min(args.runs, 3))
    print(f"\n### {args.count:,} runs\n")
    print(compared(rows, "axil"))
    print(f"\nAmong {FEW} runs: " + ", ".join(f"{name} {seconds(figure.seconds)}" for name, figure in few.items()))
    finish(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
