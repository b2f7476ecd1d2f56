"""How long a command takes before it does anything: `axil --version` and `axil status` beside bare Python.

    python bench/startup.py --dvc PEERS/dvc/bin/dvc

The small project has three stages, all up to date, and a tracked folder of 20 files. The tools take turns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from measure import Bench, Figure, Timed, median, parser, peer, seconds, table, write

STAGES = """
[stages.prepare]
cmd = "cat data/* > prepared.txt"
deps = ["data"]
outs = ["prepared.txt"]

[stages.train]
cmd = "cat prepared.txt params.yaml > model.txt"
deps = ["prepared.txt"]
params = ["train"]
outs = ["model.txt"]

[stages.evaluate]
cmd = "wc model.txt > metrics.txt"
deps = ["model.txt"]
outs = ["metrics.txt"]
"""
DVC_STAGES = """stages:
  prepare: {cmd: 'cat data/* > prepared.txt', deps: [data], outs: [prepared.txt]}
  train: {cmd: 'cat prepared.txt params.yaml > model.txt', deps: [prepared.txt], params: [train], outs: [model.txt]}
  evaluate: {cmd: 'wc model.txt > metrics.txt', deps: [model.txt], outs: [metrics.txt]}
"""
COUNT_MODULES = (
    "import sys; before = set(sys.modules); from axil.cli.main import main; main({words!r});"
    " print(len(set(sys.modules) - before), file=sys.stderr)"
)


def project(bench: Bench, folder: str, commands: Sequence[str]) -> str:
    """A small repository with data and parameters, on which `commands` are run."""
    os.makedirs(os.path.join(folder, "data"))
    for number in range(20):
        write(os.path.join(folder, "data", f"{number}.txt"), f"{number}\n" * 100)
    write(os.path.join(folder, "params.yaml"), "train:\n  lr: 0.1\n")
    bench.do("git init -q", folder)
    for command in commands:
        bench.do(command, folder)
    bench.do("git add -A && git commit -q --allow-empty -m start", folder)
    return folder


def axil_project(bench: Bench, axil: str) -> str:
    folder = bench.path("axil")
    os.makedirs(folder)
    write(os.path.join(folder, "axil.toml"), f'[project]\nname = "small"\n{STAGES}')
    return project(bench, folder, [f"{axil} init", f"{axil} add data", "git add -A", f"{axil} run -m start"])


def dvc_project(bench: Bench, dvc: str) -> str:
    folder = bench.path("dvc")
    os.makedirs(folder)
    write(os.path.join(folder, "dvc.yaml"), DVC_STAGES)
    return project(bench, folder, [f"{dvc} init -q", f"{dvc} add -q data", f"{dvc} repro -q"])


def modules(bench: Bench, words: list[str], folder: str) -> str:
    """How many modules a command loads beyond those of bare Python."""
    return bench.do([sys.executable, "-c", COUNT_MODULES.format(words=words)], folder).split()[-1]


def main() -> int:
    options = parser(__doc__, 30)
    peer(options, "dvc")
    args = options.parse_args()
    with Bench(args.work, [args.axil, args.dvc or ""]) as bench:
        small = axil_project(bench, args.axil)
        commands = {
            "python -c pass": ([sys.executable, "-c", "pass"], small),
            "git --version": (["git", "--version"], small),
            "git status": (["git", "status"], small),
            "axil --version": ([args.axil, "--version"], small),
            "axil status": ([args.axil, "status"], small),
            "axil runs": ([args.axil, "runs"], small),
            "axil tree": ([args.axil, "tree"], small),
        }
        if args.dvc:
            other = dvc_project(bench, args.dvc)
            commands |= {
                "dvc --version": ([args.dvc, "--version"], other),
                "dvc status": ([args.dvc, "status"], other),
            }
        figures = take_turns(bench, commands, args.runs)
        bare = figures["python -c pass"].seconds
        rows = [[f"`{name}`", seconds(f.seconds), f"{f.seconds / bare:.1f}×"] for name, f in figures.items()]
        print(table(["", "time", "of bare Python"], rows))
        print(f"\nMedians of {args.runs} runs. Modules beyond bare Python:", end=" ")
        print(f"--version {modules(bench, ['--version'], small)}, status {modules(bench, ['status'], small)}")
    return 0


def take_turns(bench: Bench, commands: dict[str, tuple[list[str], str]], runs: int) -> dict[str, Figure]:
    """Time all commands one after the other, `runs` times over; the first round only warms up."""
    found: dict[str, list[Timed]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, (command, folder) in commands.items():
            run = bench.time(command, folder, sync=number == 0)
            if number:
                found[name].append(run)
    return {name: median(runs) for name, runs in found.items()}


if __name__ == "__main__":
    sys.exit(main())
