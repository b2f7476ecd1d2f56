"""The only module that starts git: environment, failures and overlapped processes.

What makes git's output parseable is set on every call; the user's hooks, credentials, filters and
signing stay in force. The folder alone decides which repository is meant: variables such as
`GIT_DIR`, which git sets for the hooks it runs, are dropped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.spawn import MAX_INPUT, Child
from axil.errors import AxilError, BadInput, Busy, GitFailed, NotFound

if TYPE_CHECKING:
    import subprocess

    Process = subprocess.Popen[bytes]

MINIMUM = (2, 30)

# `git rev-parse --local-env-vars` without the configuration given by `git -c`, and what bends pathspecs and diffs.
_DROPPED = frozenset(
    (
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIFF_OPTS",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    )
)
_ALWAYS = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PAGER": "cat",
}
GLOBS = {"GIT_LITERAL_PATHSPECS": "0"}
"""Environment of a call whose pathspecs are patterns; everywhere else a path is just a path."""

DURABLE = (
    "-c",
    "core.fsync=objects,reference",
    "-c",
    "core.fsyncObjectFiles=true",
)
"""Options of calls whose objects must survive a power cut once the call is over (the last is for git before 2.36)."""

BATCH = ("-c", "core.fsyncMethod=batch")
"""One flush of the disk for all objects of a call: dearer for a handful of objects, far cheaper for many."""

_LOCK_PATIENCE = 3.0


class Result(NamedTuple):
    """A finished git process."""

    code: int
    out: bytes
    err: str


class Git:
    """git in the folder `cwd` (a path inside the work tree); `env` is added to the inherited environment."""

    __slots__ = ("_base", "_git_dir", "cwd")

    def __init__(self, cwd: str, *, env: Mapping[str, str] | None = None, git_dir: str = "") -> None:
        self.cwd = cwd
        self._git_dir = git_dir
        # A child process inherits its surroundings; nothing here is read to decide what axil does.
        self._base = {key: value for key, value in os.environ.items() if key not in _DROPPED}
        self._base.update(_ALWAYS)
        if env:
            self._base.update(env)

    @property
    def git_dir(self) -> str:
        """Absolute path of this work tree's own git folder; asks git once if it was not given."""
        if not self._git_dir:
            self._git_dir = text(self.run("rev-parse", "--absolute-git-dir").removesuffix(b"\n"))
        return self._git_dir

    def run(
        self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None, check: bool = True
    ) -> bytes:
        """Output of `git ARGS`. With `check`, a failure raises `GitFailed`, or a clearer error for known causes."""
        result = self.call(*args, input=input, env=env)
        if check and result.code:
            raise failure(self, args, result)
        return result.out

    def call(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> Result:
        """Run `git ARGS` to its end, whatever its exit code. Raises only if git cannot be started."""
        return self.begin_call(*args, input=input or b"", env=env)()

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> Process:
        """Start `git ARGS` with all three streams in pipes and return at once; the caller writes, reads and waits."""
        import subprocess  # Only here: the quick commands do not need it.

        pipe = subprocess.PIPE
        with self._starting():
            return subprocess.Popen(
                self._command(args), env=self._environment(env), stdin=pipe, stdout=pipe, stderr=pipe
            )

    def begin_call(self, *args: str, input: bytes = b"", env: Mapping[str, str] | None = None) -> Callable[[], Result]:
        """Like `call`, started now and waited for when the answer is called.

        With more than `MAX_INPUT` bytes of input it has ended already when this returns.
        """
        if len(input) > MAX_INPUT:
            process = self.start(*args, env=env)
            out, err = process.communicate(input)
            return lambda: self._result(process.returncode, out, err)
        with self._starting():
            child = Child(self._command(args), self._environment(env), input)
        return lambda: self._result(*child.finish())

    def _command(self, args: tuple[str, ...]) -> tuple[str, ...]:
        return ("git", "-C", self.cwd, "--no-pager", "-c", "core.quotePath=false", *args)

    def _environment(self, more: Mapping[str, str] | None) -> Mapping[str, str]:
        return {**self._base, **more} if more else self._base

    @contextmanager
    def _starting(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFound(
                "git is not installed",
                "there is no program `git` on the search path",
                f"install git {MINIMUM[0]}.{MINIMUM[1]} or later (https://git-scm.com) and try again",
            ) from None
        except ValueError as error:  # a NUL byte in an argument
            raise BadInput("a name given to git is not valid", str(error)) from None

    def _result(self, code: int, out: bytes, err: bytes) -> Result:
        words = _words(err)
        if code == 128 and words.startswith("cannot change to"):
            gone = not os.path.lexists(self.cwd)
            raise NotFound(f"the folder {self.cwd} does not exist" if gone else f"{self.cwd} is not a folder", words)
        return Result(code, out, words)

    def begin(self, *args: str, input: bytes = b"", env: Mapping[str, str] | None = None) -> Callable[[], bytes]:
        """Start `git ARGS` now; calling the answer waits for it and returns its output or raises as `run` does."""
        result_of = self.begin_call(*args, input=input, env=env)

        def finish() -> bytes:
            result = result_of()
            if result.code:
                raise failure(self, args, result)
            return result.out

        return finish

    def ok(self, *args: str, env: Mapping[str, str] | None = None) -> bool:
        """Whether `git ARGS` answers yes (exit code 0) rather than no (1); anything else raises."""
        result = self.call(*args, env=env)
        if result.code > 1 or result.code < 0:
            raise failure(self, args, result)
        return result.code == 0

    def lines(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> list[str]:
        """Output of `git ARGS` cut at line ends."""
        return text(self.run(*args, input=input, env=env)).splitlines()

    def fields(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> list[str]:
        """Output of `git ARGS` cut at NUL bytes (for `-z`)."""
        return split_nul(self.run(*args, input=input, env=env))

    def writing(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """Like `run`, for commands that write the user's index: waits a little while another git holds its lock."""
        result = self.writing_call(*args, input=input, env=env)
        if result.code:
            raise failure(self, args, result)
        return result.out

    def writing_call(self, *args: str, input: bytes | None = None, env: Mapping[str, str] | None = None) -> Result:
        """Like `call`, waiting up to three seconds for the index lock; git takes it before it changes anything."""
        deadline = time.monotonic() + _LOCK_PATIENCE
        pause = 0.01
        while True:
            result = self.call(*args, input=input, env=env)
            if not result.code or "index.lock': File exists" not in result.err or time.monotonic() >= deadline:
                return result
            time.sleep(pause)
            pause = min(pause * 2, 0.2)

    def version(self) -> tuple[int, ...]:
        """Version of the git on the search path, e.g. `(2, 39, 5)`."""
        import re

        words = text(self.run("version"))
        match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", words)
        return tuple(int(part) for part in match.groups() if part) if match else ()


def text(data: bytes) -> str:
    """Bytes from git as text; names that are not UTF-8 survive the way back."""
    return os.fsdecode(data)


def split_nul(data: bytes) -> list[str]:
    """The items of NUL-terminated output."""
    return text(data).split("\0")[:-1] if data else []


def join_nul(items: list[str] | tuple[str, ...]) -> bytes:
    """NUL-terminated input for git's `-z` and `--stdin`."""
    return b"".join(os.fsencode(item) + b"\0" for item in items)


def no_option(name: str) -> str:
    """`name` unless git could take it for an option: revisions and branches never begin with a dash."""
    if not name or name.startswith("-") or "\0" in name:
        raise BadInput(f"{name!r} is not a name", "a branch, tag or commit never begins with “-” and is not empty")
    return name


def failure(git: Git, args: tuple[str, ...], result: Result) -> AxilError:
    """The error that says why `git ARGS` failed, in git's own words, and what to do about it."""
    words = result.err
    verb = _verb(args)
    if "index.lock': File exists" in words:
        return Busy(
            "another git process is changing this repository",
            words.splitlines()[0],
            "wait for it to end; if none is running, remove the file named above",
        )
    if result.code == 129 or "unknown command: " in words:
        require_version(git)
    if "detected dubious ownership" in words or "unsafe repository" in words:
        return _dubious(words)
    if result.code < 0:
        return GitFailed(f"git {verb} was killed by signal {-result.code}", words)
    return GitFailed(f"git {verb} failed", words or f"exit code {result.code}", _hint(words))


def require_version(git: Git) -> None:
    """Raise `BadInput` if git is older than axil needs."""
    version = git.version()
    if version < MINIMUM:
        found = ".".join(map(str, version))
        raise BadInput(
            f"git {found} is too old",
            f"axil needs git {MINIMUM[0]}.{MINIMUM[1]} or later",
            "install a newer git (https://git-scm.com) and try again",
        )


def _verb(args: tuple[str, ...]) -> str:
    rest = iter(args)
    for arg in rest:
        if arg in ("-c", "-C"):
            next(rest, None)
        elif not arg.startswith("-"):
            return arg
    return ""


def _hint(words: str) -> str:
    import re

    if re.search(r"bad object|missing (blob|tree|commit)|unable to read tree|Could not read|promisor", words):
        return "part of the history is not in this clone: `git fetch --unshallow`, or `git fsck` if it is not shallow"
    if "No space left on device" in words:
        return "free some disk space and run the same command again"
    return ""


def _dubious(words: str) -> AxilError:
    command = next((line.strip() for line in words.splitlines() if "safe.directory" in line), "")
    return BadInput(
        "git does not trust this repository, because it belongs to another user",
        words.splitlines()[0],
        f"if you trust it: {command}" if command else "if you trust it, add it to git's safe.directory",
    )


def _words(err: bytes | None) -> str:
    lines = text(err or b"").strip().splitlines()
    kept = [line for line in lines if "core.fsyncObjectFiles is deprecated" not in line]
    return "\n".join(kept).removeprefix("fatal: ").removeprefix("error: ").strip()
