"""Many small files under version control: add, status, one changed file, and switching between two experiments.

    python bench/data.py --work /mnt/bench --dvc PEERS/dvc/bin/dvc --git-lfs

The data are FILES files of 1 to 4 KiB in 100 folders, the same bytes for every tool, in a fresh repository each time.
`add` includes the commit of the pointer. `status + add` follows after one file was written anew. `switch` goes to a
branch whose data differ in SHARE of the files, and back (`axil switch`; `git checkout` and `dvc checkout`).
`physical` is the least the machine can do: `cp -r` for add, `find -printf` for status, and for switch `cp` of the
differing files. Memory is that of the largest process. dvc is used as it comes, without configuration.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence

from measure import Bench, Figure, Timed, compared, finish, median, parser, peer

FOLDERS = 100
SEED = 1


class Tool:
    """Shell commands run in the repository, whose data lie in `data/`."""

    init = ""
    add = ""
    status = ""
    switch = ""

    def __init__(self, program: str) -> None:
        self.program = program

    def command(self, name: str, branch: str = "") -> str:
        return str(getattr(self, name)).format(program=self.program, branch=branch)


class Axil(Tool):
    init = "git init -q && {program} init && git add -A . ':!data' && git commit -qm init"
    add = "{program} add -q data && git add -A && git commit -qm data"
    status = "{program} status"
    switch = "{program} switch -q {branch}"


class Dvc(Tool):
    init = "git init -q && {program} init -q && git add -A . ':!data' && git commit -qm init"
    add = "{program} add -q data && git add data.dvc .gitignore && git commit -qm data"
    status = "{program} status"
    switch = "git checkout -q {branch} && {program} checkout -q"


class Lfs(Tool):
    init = (
        "git init -q && git lfs install --local && git lfs track 'data/**' && git add .gitattributes"
        " && git commit -qm init"
    )
    add = "git add data && git commit -qm data"
    status = "git status"
    switch = "git checkout -q {branch}"


class Physical(Tool):
    init = "git init -q && git commit -q --allow-empty -m init"
    add = "cp -r data copy"
    status = "find data -type f -printf '%s %T@ %C@ %i' > /dev/null"
    switch = "xargs -a differing cp --parents -t copy"


TOOLS: dict[str, type[Tool]] = {"axil": Axil, "dvc": Dvc, "git-lfs": Lfs, "physical": Physical}
ADD, STATUS, ONE, SWITCH, AFTER = "add", "status", "status + add, 1 file changed", "switch", "status after switch"


def generate(folder: str, files: int) -> None:
    """The data: the same bytes every time."""
    chance = random.Random(SEED)
    for number in range(FOLDERS):
        os.makedirs(os.path.join(folder, f"d{number:03}"))
    for number in range(files):
        path = os.path.join(folder, f"d{number % FOLDERS:03}", f"f{number // FOLDERS:05}.bin")
        with open(path, "wb") as file:
            file.write(chance.randbytes(chance.randint(1024, 4096)))


def rewrite(folder: str, names: Sequence[str], seed: int) -> None:
    """Give files new bytes as an editor does: a new file, renamed over the old one."""
    chance = random.Random(seed)
    for name in names:
        path = os.path.join(folder, name)
        with open(path + "~", "wb") as file:
            file.write(chance.randbytes(chance.randint(1024, 4096)))
        os.replace(path + "~", path)


def all_files(folder: str) -> list[str]:
    """Every file of `data`, as paths from `folder`."""
    found = subprocess.run(["find", "data", "-type", "f"], cwd=folder, capture_output=True, text=True, check=True)
    return sorted(found.stdout.split())


class Scenario:
    """One tool in one fresh repository, from the first add to the last switch."""

    def __init__(self, bench: Bench, tool: Tool, folder: str, source: str, share: float) -> None:
        self.bench = bench
        self.tool = tool
        self.folder = folder
        self.share = share
        self.times: dict[str, list[Timed]] = {}
        bench.do(["cp", "-r", source, os.path.join(folder, "data")], folder)
        bench.do("find data -type f -exec cat {} + > /dev/null", folder)
        bench.do(tool.command("init"), folder)

    def timed(self, operation: str, command: str, branch: str = "") -> Timed:
        taken = self.bench.time(self.tool.command(command, branch), self.folder)
        self.times.setdefault(operation, []).append(taken)
        return taken

    def play(self, repeats: int) -> dict[str, list[Timed]]:
        names = all_files(self.folder)
        self.timed(ADD, "add")
        if isinstance(self.tool, Physical):
            return self.play_physical(names, repeats)
        for _ in range(repeats):
            self.timed(STATUS, "status")
        for number in range(repeats):
            rewrite(self.folder, [names[number * 7]], number)
            looked = self.bench.time(self.tool.command("status"), self.folder)
            added = self.bench.time(self.tool.command("add"), self.folder)
            self.times.setdefault(ONE, []).append(_sum(looked, added))
        first = self.bench.do("git branch --show-current", self.folder).strip()
        self.bench.do("git checkout -qb other", self.folder)
        rewrite(self.folder, names[:: round(1 / self.share)], 99)
        self.bench.do(self.tool.command("add"), self.folder)
        for _ in range(repeats):
            for branch in (first, "other"):
                self.timed(SWITCH, "switch", branch)
                self.timed(AFTER, "status")
        return self.times

    def play_physical(self, names: list[str], repeats: int) -> dict[str, list[Timed]]:
        with open(os.path.join(self.folder, "differing"), "w", encoding="ascii") as file:
            file.write("\n".join(names[:: round(1 / self.share)]))
        for _ in range(repeats):
            for operation, command in ((STATUS, "status"), (ONE, "status"), (SWITCH, "switch"), (AFTER, "status")):
                self.timed(operation, command)
        return self.times


def _sum(first: Timed, second: Timed) -> Timed:
    return Timed(first.seconds + second.seconds, max(first.peak_mb, second.peak_mb), max(first.others, second.others))


def main() -> int:
    options = parser(__doc__, 3)
    options.add_argument("--files", type=int, default=100_000, help="how many (default: %(default)s)")
    options.add_argument("--share", type=float, default=0.01, help="part that differs (default: %(default)s)")
    options.add_argument("--rounds", type=int, default=1, help="fresh repositories a tool (default: %(default)s)")
    peer(options, "dvc")
    options.add_argument("--git-lfs", action="store_true", help="measure git-lfs too (it must be on the PATH)")
    args = options.parse_args()
    programs = {"axil": args.axil, "dvc": args.dvc, "git-lfs": "git" if args.git_lfs else "", "physical": "cp"}
    found: dict[str, dict[str, list[Timed]]] = {operation: {} for operation in (ADD, STATUS, ONE, SWITCH, AFTER)}
    with Bench(args.work, [args.axil, args.dvc or ""]) as bench:
        source = bench.path("source")
        generate(source, args.files)
        for _ in range(args.rounds):
            for name, program in programs.items():
                if not program:
                    continue
                with bench.place(f"repo-{name}") as folder:
                    scenario = Scenario(bench, TOOLS[name](program), folder, source, args.share)
                    for operation, times in scenario.play(args.runs).items():
                        found[operation].setdefault(name, []).extend(times)
    results: dict[str, dict[str, Figure]] = {
        operation: {name: median(times) for name, times in tools.items()} for operation, tools in found.items()
    }
    print(f"\n### {args.files:,} files of 1 to 4 KiB in {FOLDERS} folders; switch: {args.share:.0%} of them differ\n")
    print(compared(results, "axil", memory=True))
    finish(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
