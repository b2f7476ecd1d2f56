"""What a pipeline tool adds to the commands it runs: chains of trivial stages, and a fork with a run.

    python bench/pipeline.py --dvc PEERS/dvc/bin/dvc --snakemake PEERS/snakemake/bin/snakemake

In a chain, stage i copies the file of stage i-1; the first also reads a parameter. Timed are the first run, a run with
nothing to do, one with a new parameter value, and one back at the old value, whose results were all made before.
`fork + run` makes an experiment from the current one, changes the parameter of one trivial stage, and runs it
(`axil fork NAME --set p=N && axil run`, `dvc exp run --temp -S p=N`). `sh` runs the same commands with no tool.
"""

from __future__ import annotations

import os
import sys

from measure import Bench, Figure, Timed, compared, finish, median, parser, peer, seconds, table, write


class Tool:
    """A pipeline in `folder`; `run` is the command that brings it up to date."""

    def __init__(self, bench: Bench, program: str, folder: str, length: int) -> None:
        self.bench = bench
        self.program = program
        self.folder = folder
        files = ["in.txt", *(f"s{number}.txt" for number in range(1, length + 1))]
        self.stages = [(f"s{number}", files[number - 1], files[number]) for number in range(1, length + 1)]
        self.file("in.txt", "input\n")
        self.set_p(1)
        self.file(".gitignore", "/ran.log\n/.snakemake/\n" + "".join(f"/{out}\n" for _, _, out in self.stages))
        self.prepare()

    def file(self, name: str, text: str) -> None:
        write(os.path.join(self.folder, name), text)

    def set_p(self, value: int) -> None:
        self.file("params.yaml", f"p: {value}\n")

    def do(self, command: str) -> None:
        self.bench.do(command, self.folder)

    def commands(self) -> list[str]:
        """The shell command of each stage; each leaves a line in ran.log."""
        first, *others = [f"cp {source} {out} && echo {name} >> ran.log" for name, source, out in self.stages]
        return [f"{first} && cat params.yaml >> {self.stages[0][2]}", *others]

    def prepare(self) -> None:
        raise NotImplementedError

    def run(self) -> str:
        raise NotImplementedError


class Shell(Tool):
    def prepare(self) -> None:
        self.file("run.sh", "set -e\n" + "".join(f"sh -c '{command}'\n" for command in self.commands()))

    def run(self) -> str:
        return "sh run.sh"


class Axil(Tool):
    def prepare(self) -> None:
        text = '[project]\nname = "chain"\n'
        for (name, source, out), command in zip(self.stages, self.commands(), strict=True):
            text += f'\n[stages.{name}]\ncmd = "{command}"\ndeps = ["{source}"]\nouts = ["{out}"]\n'
            text += 'params = ["p"]\n' if name == "s1" else ""
        self.file("axil.toml", text)
        self.do(f"git init -q && {self.program} init && git add -A && git commit -qm start")

    def run(self) -> str:
        return f"{self.program} run -q"

    def fork(self, number: int) -> str:
        return f"{self.program} fork -q try{number} --set p={number} && {self.program} run -q"


class Dvc(Tool):
    def prepare(self) -> None:
        text = "stages:\n"
        for (name, source, out), command in zip(self.stages, self.commands(), strict=True):
            text += f"  {name}:\n    cmd: {command}\n    deps: [{source}]\n    outs: [{out}]\n"
            text += "    params: [p]\n" if name == "s1" else ""
        self.file("dvc.yaml", text)
        self.do(f"git init -q && {self.program} init -q && git add -A && git commit -qm start")

    def run(self) -> str:
        return f"{self.program} repro -q"

    def fork(self, number: int) -> str:
        return f"{self.program} exp run -q --temp -S p={number}"


class Snakemake(Tool):
    def prepare(self) -> None:
        text = f"configfile: 'params.yaml'\nrule all:\n    input: '{self.stages[-1][2]}'\n"
        for (name, source, out), command in zip(self.stages, self.commands(), strict=True):
            text += f"rule {name}:\n    input: '{source}'\n    output: '{out}'\n"
            text += "    params: p=config['p']\n" if name == "s1" else ""
            text += f"    shell: '{command}'\n"
        self.file("Snakefile", text)

    def run(self) -> str:
        return f"{self.program} --cores 1 -q"


TOOLS: dict[str, type[Tool]] = {"sh": Shell, "axil": Axil, "dvc": Dvc, "snakemake": Snakemake}
STEPS = ("first", "nothing to do", "new parameter", "old parameter")


def chain(bench: Bench, name: str, program: str, length: int) -> dict[str, tuple[Timed, int]]:
    """Each step's time, and how many commands really ran."""
    with bench.place(f"{name}-{length}") as folder:
        tool = TOOLS[name](bench, program, folder, length)
        log = os.path.join(folder, "ran.log")
        found = {}
        for step, value in zip(STEPS, (1, 1, 2, 1), strict=True):
            tool.set_p(value)
            with open(log, "w", encoding="ascii"):
                pass
            timed = bench.time(tool.run(), folder)
            with open(log, encoding="ascii") as file:
                found[step] = timed, len(file.readlines())
            with open(os.path.join(folder, tool.stages[-1][2]), encoding="ascii") as file:
                if not file.read().endswith(f"p: {value}\n"):
                    sys.exit(f"{name}: wrong result after {step!r}")
        return found


def chains(bench: Bench, programs: dict[str, str], length: int, runs: int) -> None:
    """Measure and print the chain of `length` stages."""
    found: dict[str, dict[str, list[tuple[Timed, int]]]] = {step: {} for step in STEPS}
    for _ in range(runs):
        for name, program in programs.items():
            for step, result in chain(bench, name, program, length).items():
                found[step].setdefault(name, []).append(result)
    results: dict[str, dict[str, Figure]] = {
        step: {name: median([timed for timed, _ in taken]) for name, taken in tools.items()}
        for step, tools in found.items()
    }
    print(f"\n### A chain of {length} stages\n")
    print(compared(results, "axil"))
    print("\nCommands really run: ", end="")
    print("; ".join(f"{step}: " + ", ".join(f"{n} {r[-1][1]}" for n, r in t.items()) for step, t in found.items()))
    bare = results["first"]["sh"].seconds
    rows = [
        [name, seconds((figure.seconds - bare) / length)] for name, figure in results["first"].items() if name != "sh"
    ]
    print("\n" + table(["first run's overhead a stage", "over sh"], rows))
    finish(results)


def forks(bench: Bench, programs: dict[str, str], runs: int) -> None:
    """Measure and print making an experiment and running it."""
    row: dict[str, Figure] = {}
    for name in ("axil", "dvc"):
        if name not in programs:
            continue
        with bench.place(f"fork-{name}") as folder:
            tool = TOOLS[name](bench, programs[name], folder, 1)
            tool.do(f"{tool.run()} && git add -A && git commit -qm first --allow-empty")
            assert isinstance(tool, Axil | Dvc)
            row[name] = median([bench.time(tool.fork(number), folder) for number in range(10, 10 + runs)])
    print("\n### An experiment of one trivial stage: fork and run\n")
    print(compared({"fork + run": row}, "axil"))
    finish({"fork": row})


def main() -> int:
    options = parser(__doc__, 3)
    options.add_argument("--lengths", default="10,100", metavar="N,…", help="stages in a chain (default: %(default)s)")
    peer(options, "dvc")
    peer(options, "snakemake")
    args = options.parse_args()
    programs = {"sh": "sh", "axil": args.axil, "dvc": args.dvc, "snakemake": args.snakemake}
    programs = {name: program for name, program in programs.items() if program}
    with Bench(args.work, list(programs.values())) as bench:
        for length in args.lengths.split(","):
            chains(bench, programs, int(length), args.runs)
        forks(bench, programs, max(args.runs, 5))
    return 0


if __name__ == "__main__":
    sys.exit(main())
