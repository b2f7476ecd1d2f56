"""Run directories `.git/axil/runs/<id>/`: what a run in progress is, on disk (docs/formats/run-directory.md).

A run is alive while its supervisor holds the lock in its folder. The folder goes once the journal has the record.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from axil.base.atomic import write_all, write_atomic
from axil.base.ids import is_id
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.locks import FileLock
from axil.errors import AxilError, Blocked, NotFound

if TYPE_CHECKING:
    from axil.formats.runfiles import Event, Spec, State

SPEC, STATE, LOCK, PARAMS, READ, SERIES, LOGGED, SYSTEM, LOGS, TRACE, ARTIFACTS = (
    "spec.json",
    "state.jsonl",
    "lock",
    "params.json",
    "read.jsonl",
    "series.jsonl",
    "logged.jsonl",
    "system.jsonl",
    "logs",
    "trace",
    "artifacts",
)
SUPERVISOR = "supervisor.log"
"""What the supervisor of a detached run had to say, tracebacks included."""
QUEUE = "queue.lock"
"""Beside the folders of runs: under its lock a waiting run begins; its time tells when the queue changed."""
_NEW, _GONE = ".new-", ".gone-"
_ABANDONED_SECONDS = 3600.0


class RunDir:
    """One run's folder, for its supervisor (`create`), an adopter (`take`) or a reader (`RunDir(path)`)."""

    def __init__(self, path: str, lock: FileLock | None = None) -> None:
        self.path = path
        self.id = os.path.basename(path)
        self._lock = lock
        self._state = -1

    def file(self, *names: str) -> str:
        """The absolute path of something in the folder."""
        return os.path.join(self.path, *names)

    def log(self, stage: str) -> str:
        """The absolute path of a stage's log."""
        return os.path.join(self.path, LOGS, f"{stage}.log")

    def record(self, event: Event) -> None:
        """Append one event to state.jsonl: in one write, so that a crash of axil loses at most a part of the last.

        Raises `AxilError` if it cannot be written; nothing may be appended after that.
        """
        from axil.formats.runfiles import encode_event

        try:
            if self._state < 0:
                self._state = os.open(self.file(STATE), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            write_all(self._state, encode_event(event))
        except OSError as error:
            raise AxilError(
                f"run {self.id} cannot go on: its state cannot be written",
                f"{self.file(STATE)}: {error.strerror or error}",
                "mend that; the next axil command records what the run had done",
            ) from None

    def spec(self) -> Spec:
        """What was asked. Raises `Damaged`, or `NotFound` if the run ended meanwhile."""
        from axil.formats.runfiles import decode_spec

        return decode_spec(_read(self.file(SPEC), self.id), self.file(SPEC))

    def state(self) -> State:
        """How far the run has come."""
        from axil.formats.runfiles import fold

        try:
            return fold(_read(self.file(STATE), self.id))
        except NotFound:
            return fold(b"")

    @property
    def lock_fd(self) -> int:
        """The descriptor that holds the run's lock, for a process that goes on with the run; -1 if it is not held."""
        return self._lock.fd if self._lock else -1

    def release(self) -> None:
        """Let the lock go and keep the folder, for an adopter to find."""
        self._close()

    def remove(self) -> None:
        """Take the folder away; readers see all of it or nothing. If that fails, the next adopter does it."""
        # The lock is held until the folder is out of sight, so that nobody adopts what is being removed.
        gone = os.path.join(os.path.dirname(self.path), f"{_GONE}{self.id}-{os.urandom(4).hex()}")
        with contextlib.suppress(OSError):
            os.rename(self.path, gone)
            self._close()
            tell(os.path.dirname(self.path))
            _remove(gone)
        self._close()

    def _close(self) -> None:
        if self._state >= 0:
            os.close(self._state)
            self._state = -1
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def tell(runs: str) -> None:
    """Let the runs that wait know that something changed (see `queue.changed`)."""
    with contextlib.suppress(OSError):
        os.utime(os.path.join(runs, QUEUE))


def inherited(runs: str, run: str, fd: int) -> RunDir:
    """The folder of a run whose lock another process took and passed on as the descriptor `fd`."""
    path = os.path.join(runs, run)
    return RunDir(path, FileLock.inherited(os.path.join(path, LOCK), fd))


def create(runs: str, spec: Spec, params: bytes) -> RunDir:
    """A new run's folder in `runs`, its lock held: it comes into sight whole.

    Raises `Blocked` if a live run of the same work tree may write one of the same outs, `AxilError` if the folder
    cannot be made. Only this is locked, not the run: two runs with different outs go on side by side.
    """
    try:
        os.makedirs(runs, exist_ok=True)
        with FileLock(os.path.join(runs, "admission.lock"), what="the list of running runs"):
            _refuse_overlap(runs, spec)
            return _create(runs, spec, params)
    except OSError as error:
        raise AxilError(
            "the run cannot start: its folder cannot be made",
            f"{error.filename or runs}: {error.strerror or error}",
            "mend that and try again; nothing was changed",
        ) from None


def _create(runs: str, spec: Spec, params: bytes) -> RunDir:
    from axil.formats.runfiles import encode_spec

    folder, path = os.path.join(runs, _NEW + spec.id), os.path.join(runs, spec.id)
    lock = FileLock(os.path.join(folder, LOCK))
    try:
        for part in (LOGS, TRACE):
            os.makedirs(os.path.join(folder, part))
        lock.acquire()
        write_atomic(os.path.join(folder, SPEC), encode_spec(spec), sync=False)
        write_atomic(os.path.join(folder, PARAMS), params, sync=False)
        os.rename(folder, path)
    except BaseException:
        import shutil

        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return RunDir(path, lock)


def ids(runs: str) -> list[str]:
    """The runs that have a folder: live ones and lost ones, oldest first. Cheap: one listing."""
    try:
        return sorted(name for name in os.listdir(runs) if is_id(name))
    except FileNotFoundError:
        return []


def is_live(runs: str, run: str) -> bool:
    """Whether a supervisor holds the run's lock now."""
    lock = FileLock(os.path.join(runs, run, LOCK), shared=True)
    try:
        free = lock.try_acquire()
    except FileNotFoundError:
        return False
    lock.release()
    return not free


def exists(runs: str, run: str) -> bool:
    """Whether the run has a folder: it waits, goes on, or was killed and is not recorded yet."""
    return os.path.exists(os.path.join(runs, run, SPEC))


class LiveRun(NamedTuple):
    """A run in progress on this machine."""

    id: str
    experiment: str
    root: str
    time: float
    pid: int
    targets: tuple[str, ...]
    outs: tuple[str, ...]
    resumes: str = ""
    """Of a later attempt: the id of the run's first one."""


def live(runs: str, root: str | None = None) -> Iterator[LiveRun]:
    """The runs in progress (of the work tree `root`, if given)."""
    for run in ids(runs):
        if is_live(runs, run):
            try:
                spec = RunDir(os.path.join(runs, run)).spec()
            except AxilError:
                continue
            if root is None or spec.root == root:
                yield LiveRun(
                    run,
                    spec.experiment,
                    spec.root,
                    spec.time,
                    spec.pid,
                    tuple(spec.targets),
                    tuple(spec.outs),
                    spec.resumes,
                )


def take(runs: str, run: str) -> RunDir | None:
    """The folder of a run whose supervisor is gone, its lock held; None if it lives or somebody else took it."""
    path = os.path.join(runs, run)
    lock = FileLock(os.path.join(path, LOCK))
    try:
        if not lock.try_acquire():
            return None
    except FileNotFoundError:
        return None
    # Another adopter may have finished between our look and our lock: then the folder is gone.
    if not os.path.exists(os.path.join(path, SPEC)):
        lock.release()
        return None
    return RunDir(path, lock)


def sweep(runs: str, now: float) -> None:
    """Remove what creating or removing left behind when it was killed."""
    import shutil

    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(runs):
            path = os.path.join(runs, name)
            if name.startswith((_NEW, _GONE)):
                with contextlib.suppress(OSError):
                    if now - os.stat(path).st_mtime > _ABANDONED_SECONDS:
                        shutil.rmtree(path, ignore_errors=True)


def _refuse_overlap(runs: str, spec: Spec) -> None:
    for run in ids(runs) if spec.resumes else ():
        with contextlib.suppress(AxilError):
            other_spec = RunDir(os.path.join(runs, run)).spec()
            if other_spec.resumes == spec.resumes:
                raise Blocked(f"run {run} goes on with it already", "", f"axil attach {run} shows it")
    for other in live(runs, spec.root):
        for mine in spec.outs:
            for theirs in other.outs:
                if mine == theirs or mine.startswith(theirs + "/") or theirs.startswith(mine + "/"):
                    raise Blocked(
                        f"run {other.id} is writing {theirs} in this work tree",
                        f"both runs would write it; that one was started by process {other.pid}",
                        "wait for it or stop it (Ctrl-C there), or run stages with other outputs",
                        (mine,),
                    )


def _remove(folder: str) -> None:
    """Remove the folder with all that is in it. A run has few files, and loading `shutil` takes longer than this."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(folder)


def _read(path: str, run: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"run {run} is not in progress here", f"{path} does not exist") from None
