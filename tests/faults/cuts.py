"""Commands in a process of their own that meet a fault at their n-th step: a change of the disk, or a remote's answer.

A step is what changes a file or a folder, a git that is started, and every operation on a storage remote. What git does
goes on when axil is killed, as in life; whoever looks afterwards looks when git is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.sharing import Person, Place

from axil.cli.main import main
from axil.remotes import opening
from axil.remotes.base import Remote
from axil.remotes.folder import Folder
from axil.remotes.world import World
from axil.remotes.wrap.faulty import Fault, Faulty
from axil.remotes.wrap.limit import Limit
from axil.remotes.wrap.retry import Retry
from axil.store import Store
from axil.store.verify import verify
from axil.transfer.catalog import Catalog
from axil.transfer.check import check

LONG = os.environ.get("AXIL_MODEL") == "long"
KILLED = 77
CHANGES = frozenset(
    {f"os.{name}" for name in ("rename", "remove", "mkdir", "rmdir", "link", "symlink", "truncate", "utime", "chmod")}
    | {"os.posix_spawn", "subprocess.Popen"}
)
CALLS = [
    "write",
    "sendfile",
    "rename",
    "replace",
    "fsync",
    "link",
    "symlink",
    "unlink",
    "mkdir",
    "makedirs",
    "rmdir",
    "utime",
    "fchmod",
]
"""Functions of `os` that change a disk, for tests that replace them in a process of their own."""
VERBS = ("put", "create", "get", "stat", "list", "delete")
Prepare = Callable[[], Callable[[], object]]
"""Called in the process before the command; what it gives is called afterwards and tells the count of steps."""
_REAPER = 36  # PR_SET_CHILD_SUBREAPER


class Ended(NamedTuple):
    """How a command came to its end: `code` is None if it was killed; `steps` counts those that it did."""

    code: int | None
    said: str
    steps: int
    verb: str = ""
    """What the remote was asked for when it failed first."""


class Steps:
    """Counts the steps of this process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self._lock = threading.Lock()

    def step(self) -> bool:
        """One more; whether it is the one."""
        with self._lock:
            self.count += 1
            return self.count - 1 == self.limit


def run(person: Person, words: Sequence[str], prepare: Prepare) -> Ended:
    """`axil WORDS` in a process of its own, where `prepare` is called first."""
    log = person.path.parent / "log"
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            ctypes.CDLL(None).prctl(_REAPER, 1)
            worker = os.fork()
            if not worker:
                _work(person, words, prepare, str(log))
            _, status = os.waitpid(worker, 0)
            with contextlib.suppress(ChildProcessError):
                while True:  # every git that is still at work
                    os.wait()
            os._exit(os.waitstatus_to_exitcode(status) % 256)
        os._exit(99)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = log.read_text(errors="replace")
    steps, _, verb = (log.parent / "steps").read_text().partition(" ") if code != KILLED else ("-1", "", "")
    return Ended(None if code == KILLED else code, said, int(steps), verb)


def _work(person: Person, words: Sequence[str], prepare: Prepare, log: str) -> None:
    code = 98
    try:
        os.environ.clear()
        os.environ.update(person.env)
        os.chdir(person.path)
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        sys.stdout = sys.stderr = os.fdopen(fd, "w")
        told = prepare()
        code = main(words)
        count = told()
        sys.stdout.flush()
        Path(log).with_name("steps").write_text(str(count))
    finally:
        os._exit(code)


def killing(limit: int) -> Prepare:
    """Ends the process, without any cleanup, at the step `limit`; a write gets half through."""

    def prepare() -> Callable[[], object]:
        on = [True]
        steps = Steps(limit)

        def step(half: Callable[[], object] = lambda: None) -> None:
            if on[0] and steps.step():
                half()
                os._exit(KILLED)

        def hook(event: str, args: Any) -> None:
            opened = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            if event in CHANGES or opened:
                step()

        real = os.write

        def write(fd: int, data: Any) -> int:
            step(lambda: real(fd, bytes(data[: len(data) // 2])))
            return real(fd, data)

        os.write = write
        for verb in VERBS:
            setattr(Folder, verb, _counted(getattr(Folder, verb), step))
        sys.addaudithook(hook)

        def told() -> object:
            on[0] = False
            return steps.count

        return told

    return prepare


def _counted(real: Callable[..., Any], step: Callable[[], None]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        step()
        return real(*args, **options)

    return call


def failing(limit: int, names: Sequence[str], code: int) -> Prepare:
    """The call number `limit` of those of `os` named `names`, pipes left out, fails with the error `code`."""

    def prepare() -> Callable[[], object]:
        steps = Steps(limit)
        for name in names:
            setattr(os, name, _failing(getattr(os, name), name, steps, code))
        return lambda: steps.count

    return prepare


def _failing(real: Callable[..., Any], name: str, steps: Steps, code: int) -> Callable[..., Any]:

    def call(*args: Any, **options: Any) -> Any:
        if name == "write" and not stat.S_ISREG(os.fstat(args[0]).st_mode):
            return real(*args, **options)  # a pipe to git, the terminal
        if steps.step():
            raise OSError(code, os.strerror(code))
        return real(*args, **options)

    return call


def faulty(plan: dict[int, Fault], lag: int = 0) -> Prepare:
    """The storage remote does what `plan` says, one request at a time; they are tried again without waiting."""

    def prepare() -> Callable[[], object]:
        made: list[Faulty] = []

        def opened(name: str, settings: Mapping[str, Any], world: World) -> Remote:
            if not made:
                made.append(Faulty(Folder(opening.folder_path(name, str(settings["url"]), world), jobs=1), plan, lag))
            return Retry(Limit(made[0]), world.clock, lambda seconds: None, world.random)

        opening.open_remote = opened

        def told() -> object:
            done = made[0].operations
            first = min(plan, default=len(done))
            return f"{len(done)} {done[first].verb if first < len(done) else ''}"

        return told

    return prepare


def sampled(count: int, most: int) -> list[int]:
    """All steps of a command that does `count`, or `most` of them, evenly spread."""
    if LONG or count <= most:
        return list(range(count))
    return [number * count // most for number in range(most)]


class Stage:
    """A place with people that can be set back to how it was, at the same path, as often as wanted."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._kept = folder.parent / "kept"
        self.place = Place(folder)

    def keep(self) -> None:
        """From now on, `reset` leads back here."""
        subprocess.run(["cp", "-a", str(self.place.folder), str(self._kept)], check=True)

    def reset(self) -> None:
        shutil.rmtree(self.place.folder)
        subprocess.run(["cp", "-a", str(self._kept), str(self.place.folder)], check=True)

    def cuts(self, person: Person, words: Sequence[str], most: int) -> Iterator[Ended]:
        """`axil WORDS` killed at (a sample of) every step, each time from the kept state; how it ended."""
        whole = run(person, words, killing(-1))
        assert whole.code == 0, whole.said
        # A few more than were counted: threads make the number of steps differ a little.
        for number in sampled(whole.steps, most):
            self.reset()
            yield run(person, words, killing(number))

    def clean(self, *people: Person) -> None:
        """Raise unless the stores of `people` and the remote are sound to the last byte."""
        for person in people:
            report = verify(Store(str(person.path / ".git/axil/store")))
            assert report.faults == (), report.faults
        self.restorable()

    def restorable(self) -> None:
        """Raise unless every root of the remote can be restored, each object decoded and hashed."""
        if not (self.place.store / "format").exists():
            return
        catalog = Catalog(Folder(str(self.place.store)), str(self.place.folder / f"look{os.urandom(4).hex()}"))
        report = check(catalog, depth="restore", clock=time.time)
        assert report.sound, report
