"""Data shared through a folder or a bucket: push, pull into a fresh clone, large files, small edits, a million files.

    python bench/sharing.py --work /mnt/bench --dvc PEERS/dvc/bin/dvc --git-lfs small
    python bench/sharing.py --work /mnt/bench --dvc PEERS/dvc/bin/dvc --rclone PEERS/rclone --restic restic s3
    python bench/sharing.py --work /mnt/bench --dvc PEERS/dvc/bin/dvc large csv text
    python bench/sharing.py --work /mnt/bench million flat

`small`: FILES files of 1 to 4 KiB in 100 folders, pushed to a folder and pulled into a fresh clone (`axil push`,
`axil clone`; `dvc push` and `git push`, `git clone` and `dvc pull`). `s3`: a tenth of them, through `rclone serve s3`
on this machine; rclone copies them as they are, and the same bytes as a few big files. `large`: one file of 4 GiB,
random bytes. `csv`: 1 GB of rows, one inserted in the middle; how much the remote grows. `text`: log lines, what the
remote takes. `million`: ten times FILES of 1 KiB beside FILES of them, a thousand in each folder, axil alone; `flat`:
all in one folder. A million of them takes 10 GB of disk and 2.1 million inodes. `cp` copies the same bytes, as a few
big files or as they are, with a `sync`, since axil's writes are on the disk when it ends. Peers are used as they come.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from data import generate, rewrite
from measure import DISTURBED, Bench, Figure, Timed, compared, finish, median, parser, peer, seconds, table, write

KEY = "benchbench"
Times = dict[str, dict[str, list[Timed]]]


class Tool:
    """Shell commands in a repository with data in `data/`; `{store}` is where data are shared."""

    name = ""
    init = ""
    add = ""
    push = ""
    pull = ""
    status = ""

    def __init__(self, program: str) -> None:
        self.program = program


class Axil(Tool):
    name = "axil"
    init = "{program} init && {program} remote add store {store} && git add axil.toml && git commit -qm init"
    add = "{program} add -q data && git add -A && git commit -qm data"
    push = "{program} push -q"
    pull = "{program} clone -q {origin} {clone}"
    status = "{program} status"


class Dvc(Tool):
    name = "dvc"
    init = (
        "{program} init -q && {program} remote add -q -d store {store} && git add -A . ':!data' && git commit -qm init"
    )
    add = "{program} add -q data && git add data.dvc .gitignore && git commit -qm data"
    push = "{program} push -q && git push -q origin HEAD"
    pull = "git clone -q {origin} {clone} && cd {clone} && {program} pull -q"
    status = "{program} status"


class Lfs(Tool):
    name = "git-lfs"
    init = "git lfs install --local && git lfs track 'data/**' && git add .gitattributes && git commit -qm init"
    add = "git add data && git commit -qm data"
    push = "git push -q origin HEAD"
    pull = "git clone -q {origin} {clone}"
    status = "git status"


class Place:
    """One tool in a fresh repository with a bare one beside it, and a place for data."""

    def __init__(self, bench: Bench, tool: Tool, folder: str, store: str) -> None:
        self.bench, self.tool = bench, tool
        self.repo, self.store = os.path.join(folder, "repo"), store
        self.words = {
            "program": tool.program,
            "store": store,
            "origin": f"file://{folder}/origin.git",
            "clone": os.path.join(folder, "clone"),
        }
        os.makedirs(self.repo)
        bench.do(
            f"git init -q --bare {folder}/origin.git && git init -q . && git remote add origin {folder}/origin.git",
            self.repo,
        )
        self.do("init")

    def do(self, name: str) -> str:
        return self.bench.do(str(getattr(self.tool, name)).format(**self.words), self.repo)

    def time(self, name: str) -> Timed:
        return self.bench.time(str(getattr(self.tool, name)).format(**self.words), self.repo)


def size_of(folder: str) -> int:
    """Bytes of all files below `folder`."""
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)


def note(times: Times, operation: str, tool: str, taken: Timed) -> None:
    times.setdefault(operation, {}).setdefault(tool, []).append(taken)


def show(title: str, times: Times, own: str = "axil") -> None:
    results: dict[str, dict[str, Figure]] = {
        operation: {name: median(taken) for name, taken in tools.items()} for operation, tools in times.items()
    }
    print(f"\n### {title}\n")
    print(compared(results, own, memory=True))
    finish(results)
    sys.stdout.flush()


class Sharing:
    """The tools that were asked for, and the workloads."""

    def __init__(self, bench: Bench, args: argparse.Namespace) -> None:
        self.bench = bench
        self.files: int = args.files
        self.runs: int = args.runs
        self.rclone: str | None = args.rclone
        self.restic: str | None = args.restic
        self.gigabytes: int = args.gigabytes
        self.tools: list[Tool] = [Axil(args.axil)]
        if args.dvc:
            self.tools.append(Dvc(args.dvc))
        if args.git_lfs:
            self.tools.append(Lfs("git"))

    def small(self) -> None:
        """Many small files through a folder."""
        times: Times = {}
        source = self.bench.path("source")
        generate(source, self.files)
        big = self.joined(source)
        for _ in range(self.runs):
            for tool in self.tools:
                with self.bench.place(f"small-{tool.name}") as folder:
                    place = Place(self.bench, tool, folder, os.path.join(folder, "store"))
                    self.bench.do(["cp", "-r", source, os.path.join(place.repo, "data")], folder)
                    place.do("add")
                    note(times, "push", tool.name, place.time("push"))
                    note(times, "pull into a fresh clone", tool.name, place.time("pull"))
            with self.bench.place("small-physical") as folder:
                note(times, "push", "cp", self.bench.time(f"cp -r {big} copy && sync copy/* copy", folder))
                note(times, "pull into a fresh clone", "cp", self.bench.time(f"cp -r {source} copy2", folder))
        show(f"{self.files:,} files of 1 to 4 KiB through a folder", times)

    def joined(self, source: str) -> str:
        """A folder with the bytes of the files of `source` as a few big ones."""
        big = source + "-big"
        os.makedirs(big)
        self.bench.do(f"find {source} -type f -exec cat {{}} + | split -b 32M - {big}/part-", self.bench.folder)
        return big

    def s3(self) -> None:
        """Fewer small files through a bucket."""
        times: Times = {}
        source = self.bench.path("source-s3")
        generate(source, self.files // 10)
        big = self.joined(source)
        assert self.rclone, "s3 needs --rclone, a program of version 1.65 or later"
        for _ in range(self.runs):
            with self.served() as (endpoint, folder):
                self._s3_once(times, source, big, endpoint, folder)
        show(f"{self.files // 10:,} files of 1 to 4 KiB through S3 (`rclone serve s3`)", times)

    @contextlib.contextmanager
    def served(self) -> Iterator[tuple[str, str]]:
        """An S3 server over a new folder; its address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.bench.env.update(
            AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=KEY, AWS_DEFAULT_REGION="us-east-1",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        )  # fmt: skip
        with self.bench.place("bucket") as folder:
            os.makedirs(os.path.join(folder, "root", "bench"))
            server = subprocess.Popen(
                [str(self.rclone), "serve", "s3", os.path.join(folder, "root"), "--addr", f"127.0.0.1:{port}",
                 "--auth-key", f"{KEY},{KEY}", "--vfs-cache-mode", "off"],
                env=self.bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                for _ in range(200):
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                        break
                    time.sleep(0.05)
                yield f"http://127.0.0.1:{port}", folder
            finally:
                server.terminate()
                server.wait()

    def _s3_once(self, times: Times, source: str, big: str, endpoint: str, folder: str) -> None:
        for tool in self.tools:
            if isinstance(tool, Lfs):
                continue
            with self.bench.place(f"s3-{tool.name}") as where:
                place = Place(self.bench, tool, where, f"s3://bench/{tool.name}")
                if isinstance(tool, Dvc):
                    self.bench.do(
                        f"{tool.program} remote modify store endpointurl {endpoint} && git commit -qam endpoint",
                        place.repo,
                    )
                self.bench.do(["cp", "-r", source, os.path.join(place.repo, "data")], where)
                place.do("add")
                note(times, "push", tool.name, place.time("push"))
                note(times, "pull into a fresh clone", tool.name, place.time("pull"))
        with self.bench.place("s3-physical") as where:
            flags = f":s3,provider=Other,env_auth,endpoint='{endpoint}',force_path_style=true:bench/rclone"
            note(times, "push", "rclone", self.bench.time(f'{self.rclone} copy {source} "{flags}"', where))
            note(times, "push", "rclone, big files", self.bench.time(f'{self.rclone} copy {big} "{flags}-big"', where))
            note(
                times, "pull into a fresh clone", "rclone", self.bench.time(f'{self.rclone} copy "{flags}" back', where)
            )
            if self.restic:
                self.bench.env["RESTIC_PASSWORD"] = KEY
                repo = f"{self.restic} -q -r s3:{endpoint}/bench/restic"
                self.bench.do(f"{repo} init", where)
                note(times, "push", "restic", self.bench.time(f"{repo} backup {source}", where))
                note(
                    times,
                    "pull into a fresh clone",
                    "restic",
                    self.bench.time(f"{repo} restore latest --target r", where),
                )

    def large(self) -> None:
        """One large file of random bytes."""
        times: Times = {}
        source = self.bench.path("large.bin")
        self.bench.do(f"head -c {self.gigabytes}G /dev/urandom > {source}", self.bench.folder)
        for _ in range(self.runs):
            for tool in self.tools:
                with self.bench.place(f"large-{tool.name}") as folder:
                    place = Place(self.bench, tool, folder, os.path.join(folder, "store"))
                    os.makedirs(os.path.join(place.repo, "data"))
                    self.bench.do(["cp", source, os.path.join(place.repo, "data", "large.bin")], folder)
                    for operation in ("add", "push"):
                        self.warm(source)
                        note(times, operation, tool.name, place.time(operation))
            with self.bench.place("large-hardlink") as folder:
                place = Place(self.bench, self.tools[0], folder, os.path.join(folder, "store"))
                write(os.path.join(place.repo, "axil.toml"), '[store]\nlink = "hardlink"\n')
                os.makedirs(os.path.join(place.repo, "data"))
                self.bench.do(["cp", source, os.path.join(place.repo, "data", "large.bin")], folder)
                note(times, 'add, link = "hardlink"', "axil", place.time("add"))
            with self.bench.place("large-physical") as folder:
                for operation in ("add", "push"):
                    self.warm(source)
                    taken = self.bench.time(f"cp {source} {operation} && sync {operation}", folder)
                    note(times, operation, "cp + sync", taken)
        os.unlink(source)
        show(f"One file of {self.gigabytes} GiB", times)

    def warm(self, source: str) -> None:
        """Let go of as much page cache as the next command will take: a virtual machine gives memory that it has not
        used lately back to its host, and then a copy takes twice as long. No tool is to pay that alone.
        """
        self.bench.do(f"cp {source} warm && sync warm && rm warm", self.bench.folder)

    def csv(self) -> None:
        """A large table, and the same with one more row in the middle."""
        times: Times = {}
        grown: dict[str, int] = {}
        one, two = self.bench.path("one.csv"), self.bench.path("two.csv")
        rows(one, two, 1_000_000_000)
        for tool in self.tools:
            with self.bench.place(f"csv-{tool.name}") as folder:
                store = os.path.join(folder, "store")
                place = Place(self.bench, tool, folder, store)
                os.makedirs(os.path.join(place.repo, "data"))
                sizes = [0]
                for number, path in enumerate((one, two)):
                    self.bench.do(["cp", path, os.path.join(place.repo, "data", "table.csv")], folder)
                    added, pushed = place.time("add"), place.time("push")
                    kind = "first" if not number else "one row inserted"
                    both = Timed(added.seconds + pushed.seconds, max(added.peak_mb, pushed.peak_mb), added.others)
                    note(times, f"add + push, {kind}", tool.name, both)
                    sizes.append(
                        size_of(store) if not isinstance(tool, Lfs) else size_of(os.path.join(folder, "origin.git"))
                    )
                grown[tool.name] = sizes[2] - sizes[1]
                print(f"{tool.name}: remote {sizes[1] / 1e6:.1f} MB, then {grown[tool.name] / 1e6:.2f} MB more")
        show("A table of 1 GB, one row inserted in the middle", times)

    def text(self) -> None:
        """Text in many small files and one large one: what the remote takes."""
        found = []
        with self.bench.place("text") as folder:
            place = Place(self.bench, self.tools[0], folder, os.path.join(folder, "store"))
            chance = random.Random(3)
            data = os.path.join(place.repo, "data")
            os.makedirs(data)
            words = [
                f"{chance.choice(('step', 'loss', 'epoch', 'valid', 'batch'))}={chance.randrange(1000)}"
                for _ in range(500)
            ]
            for number in range(2000):
                lines = [
                    f"2026-11-26T03:{number % 60:02}:{i % 60:02} {' '.join(chance.choices(words, k=8))}\n"
                    for i in range(100)
                ]
                write(os.path.join(data, f"log{number:05}.txt"), "".join(lines))
            self.bench.do(f"cat {data}/* {data}/* {data}/* > {folder}/all && mv {folder}/all {data}/all.log", folder)
            place.do("add")
            place.do("push")
            found.append(["log lines", f"{size_of(data) / 1e6:.1f} MB", f"{size_of(place.store) / 1e6:.1f} MB"])
        print("\n### Text\n")
        print(table(["", "data", "remote"], found))

    def million(self) -> None:
        """A million files in a thousand folders beside a hundred thousand in a hundred, axil alone."""
        self._grow("Files of 1 KiB, a thousand in each folder", 1000)

    def flat(self) -> None:
        """The same, all in one folder."""
        self._grow("Files of 1 KiB, all in one folder", 1 << 30)

    def _grow(self, title: str, each: int) -> None:
        taken: dict[str, list[Timed]] = {}
        for files in (self.files, 10 * self.files):
            with self.bench.place(f"files-{files}") as folder:
                self._grow_once(taken, folder, files, each)
        rows = [
            [operation, *(f"{seconds(one.seconds)} ({one.peak_mb:.0f} MB)" for one in both), _growth(both)]
            for operation, both in taken.items()
        ]
        print(f"\n### {title}\n")
        print(table(["", f"{self.files:,}", f"{10 * self.files:,}", "times as long"], rows))
        sys.stdout.flush()

    def _grow_once(self, taken: dict[str, list[Timed]], folder: str, files: int, each: int) -> None:
        tool = self.tools[0]
        place = Place(self.bench, tool, folder, os.path.join(folder, "store"))
        names = kilobytes(os.path.join(place.repo, "data"), files, each)

        def do(operation: str, command: str) -> None:
            print(f"{files:,}: {operation} …", file=sys.stderr)
            words = {**place.words, "first": first}
            taken.setdefault(operation, []).append(self.bench.time(command.format(**words), place.repo))

        first = self.bench.do("git branch --show-current", place.repo).strip()
        do("add", tool.add)
        do("status", tool.status)
        self.bench.do("git checkout -qb other", place.repo)
        rewrite(os.path.join(place.repo, "data"), names[::100], 7)
        do("add, 1 % changed", tool.add)
        do("switch, 1 % changed", "{program} switch -q {first}")
        do("push", tool.push)
        do("pull into a fresh clone", tool.pull)
        shutil.rmtree(place.words["clone"])
        do("verify", "{program} verify")
        do("gc", "{program} gc")
        do("remote check", "{program} remote check")
        do("remote prune", "{program} remote prune")


def _growth(both: list[Timed]) -> str:
    """How many times as long the second took; other work that kept the machine busy is told apart."""
    small, big = both
    return f"{big.seconds / small.seconds:.1f}{'*' * any(one.others > DISTURBED for one in both)}"


def kilobytes(folder: str, files: int, each: int) -> list[str]:
    """Files of 1 KiB, `each` in every folder; their paths."""
    chance = random.Random(5)
    names = []
    for number in range(files):
        if number % each == 0:
            os.makedirs(os.path.join(folder, f"d{number // each:04}"))
        names.append(f"d{number // each:04}/f{number % each:06}.bin")
        with open(os.path.join(folder, names[-1]), "wb") as file:
            file.write(chance.randbytes(1024))
    return names


def rows(one: str, two: str, size: int) -> None:
    """A CSV file of about `size` bytes, and one with a row more in the middle."""
    chance = random.Random(11)
    head = "id,time,sensor,x,y,z,label\n"
    written, number = 0, 0
    with open(one, "w", encoding="ascii") as first, open(two, "w", encoding="ascii") as second:
        for file in (first, second):
            file.write(head)
        inserted = False
        while written < size:
            block = "".join(
                f"{number + i},{1700000000 + number + i},s{chance.randrange(64)},{chance.random():.6f},"
                f"{chance.random():.6f},{chance.random():.6f},{chance.randrange(10)}\n"
                for i in range(10_000)
            )
            number += 10_000
            first.write(block)
            second.write(block)
            written += len(block)
            if not inserted and written > size / 2:
                second.write("999999999,0,inserted,0.5,0.5,0.5,1\n")
                inserted = True


def main() -> int:
    options = parser(__doc__, 1)
    options.add_argument("workloads", nargs="+", choices=("small", "s3", "large", "csv", "text", "million", "flat"))
    options.add_argument(
        "--files",
        type=int,
        default=100_000,
        help="files of `small` and `million`; a tenth for s3 (default: %(default)s)",
    )
    options.add_argument(
        "--gigabytes", type=int, default=4, help="size of the large file in GiB (default: %(default)s)"
    )
    peer(options, "dvc")
    peer(options, "rclone", "the program, 1.65 or later; also the S3 server")
    options.add_argument("--restic", metavar="PATH", help="the program; left out if not given")
    options.add_argument("--git-lfs", action="store_true", help="measure git-lfs too (it must be on the PATH)")
    args = options.parse_args()
    with Bench(args.work, [args.axil, args.dvc or ""]) as bench:
        sharing = Sharing(bench, args)
        for name in args.workloads:
            workload: Callable[[], None] = getattr(sharing, name)
            workload()
    return 0


if __name__ == "__main__":
    sys.exit(main())
