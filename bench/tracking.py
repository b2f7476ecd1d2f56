"""Logging scalars step by step: points a second, CPU time and bytes on the disk, one scalar a call and ten.

    python bench/tracking.py --work /tmp/bench --peers /tmp/peers

Every tool runs alone in a process of the Python in PEERS/NAME/bin (one that is not there is left out, and named), logs
for a few seconds to a folder of its own, and closes. The time is that of all calls and of closing; importing and
opening are not counted. CPU time is that of the process and its children. Servers, consoles, system metrics and reports
are off.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from typing import NamedTuple

from measure import Bench, parser, table

LOOP = """
import json, os, random, resource, sys, time
scalars, budget, limit = int(sys.argv[1]), float(sys.argv[2]), 2_000_000
chance = random.Random(7)
pool = [{f"m{n}": chance.random() for n in range(scalars)} for _ in range(997)]

def cpu():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)

def measure(log, close):
    log(pool[0], 0)
    before, begun, calls = cpu(), time.perf_counter(), 0
    while calls < limit and time.perf_counter() - begun < budget:
        for _ in range(10):
            calls += 1
            log(pool[calls % 997], calls)
    close()
    seconds = time.perf_counter() - begun
    sys.stdout.write("\\nMEASURED " + json.dumps([calls, seconds, cpu() - before]) + "\\n")
    sys.stdout.flush()
    os._exit(0)
"""
TOOLS = {
    "axil": """
os.environ.update(AXIL_RUN_DIR=os.getcwd(), AXIL_STAGE="train")
import axil
log = axil.log
measure(lambda values, step: log(values, step=step), axil.flush)
""",
    "mlflow": """
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("e")
mlflow.start_run()
log = mlflow.log_metrics
measure(lambda values, step: log(values, step=step), mlflow.end_run)
""",
    "aim": """
from aim import Run
run = Run(repo=".", system_tracking_interval=None, log_system_params=False, capture_terminal_logs=False)
measure(lambda values, step: run.track(values, step=step), run.close)
""",
    "wandb": """
import wandb
run = wandb.init(mode="offline", project="p", settings=wandb.Settings(console="off", x_disable_stats=True, silent=True))
measure(lambda values, step: run.log(values, step=step), run.finish)
""",
    "dvclive": """
from dvclive import Live
live = Live("live", save_dvc_exp=False, report=None, dvcyaml=None, monitor_system=False)
def log(values, step):
    live.step = step
    for name, value in values.items():
        live.log_metric(name, value)
    live.next_step()
measure(log, live.end)
""",
    "tensorboardX": """
from tensorboardX import SummaryWriter
writer = SummaryWriter("tb")
def log(values, step):
    for name, value in values.items():
        writer.add_scalar(name, value, step)
measure(log, writer.close)
""",
    "trackio": """
os.environ["TRACKIO_DIR"] = os.path.join(os.getcwd(), "trackio")
import trackio
trackio.init(project="p", embed=False)
measure(lambda values, step: trackio.log(values, step=step), trackio.finish)
""",
}


class Result(NamedTuple):
    """What one process logged: calls, wall and CPU seconds, bytes it left."""

    calls: int
    seconds: float
    cpu: float
    size: int


def run(bench: Bench, tool: str, python: str, scalars: int, seconds: float) -> Result | str:
    """One process; why there is no figure if it fails."""
    import subprocess

    with bench.place(f"{tool}-{scalars}") as folder:
        before = _size(folder)
        try:
            done = subprocess.run(
                [python, "-c", LOOP + TOOLS[tool], str(scalars), str(seconds)], cwd=folder, env=bench.env,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=seconds * 10 + 120,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "does not end"
        for line in done.stdout.splitlines():
            if line.startswith("MEASURED "):
                calls, wall, cpu = json.loads(line.partition(" ")[2])
                return Result(calls, wall, cpu, _size(folder) - before)
        lines = (done.stderr or done.stdout).strip().splitlines()
        return lines[-1][:200] if lines else f"exit code {done.returncode}"


def _size(folder: str) -> int:
    return sum(os.lstat(os.path.join(where, name)).st_size for where, _, names in os.walk(folder) for name in names)


def main() -> int:
    options = parser(__doc__, 3)
    options.add_argument("--peers", metavar="DIR", type=os.path.abspath, default="", help="the peers' environments")
    options.add_argument("--seconds", type=float, default=3.0, help="how long each logs (default: %(default)s)")
    args = options.parse_args()
    pythons = {tool: os.path.join(args.peers, tool, "bin", "python") for tool in TOOLS} | {"axil": sys.executable}
    left_out = {tool: "not installed" for tool, python in pythons.items() if not os.path.exists(python)}
    with Bench(args.work) as bench:
        for scalars in (1, 10):
            found: dict[str, list[Result]] = {}
            for _ in range(args.runs):
                for tool in TOOLS:
                    if tool in left_out:
                        continue
                    result = run(bench, tool, pythons[tool], scalars, args.seconds)
                    if isinstance(result, str):
                        left_out[tool] = result
                    else:
                        found.setdefault(tool, []).append(result)
            print(f"\n#### {scalars} scalar{'s' * (scalars > 1)} a call\n")
            print(show(found, scalars))
    print(f"\nMedians of {args.runs} runs of {args.seconds:g} s; the tools take turns.")
    for tool, why in left_out.items():
        print(f"{tool} is left out: {why}")
    return 0


def show(found: dict[str, list[Result]], scalars: int) -> str:
    """The table: points a second, CPU time a call, bytes a point."""
    rate = {tool: statistics.median(one.calls * scalars / one.seconds for one in all_) for tool, all_ in found.items()}
    rows = [
        [
            tool,
            f"{rate[tool]:,.0f}",
            f"{statistics.median(one.cpu / one.calls for one in results) * 1e6:,.2f} µs",
            f"{statistics.median(one.size / (one.calls * scalars) for one in results):,.1f}",
            "" if tool == "axil" else f"**{rate['axil'] / rate[tool]:,.1f}×**",
        ]
        for tool, results in found.items()
    ]
    return table(["", "points a second", "CPU time a call", "bytes a point", "axil is faster"], rows)


if __name__ == "__main__":
    sys.exit(main())
