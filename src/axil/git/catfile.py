"""Objects of git read through one long-lived `git cat-file --batch` process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import BadInput, Damaged, GitFailed
from axil.git.process import Git, text

if TYPE_CHECKING:
    from axil.git.process import Process

# Requests are written only while no answer is pending, so a pipe's capacity bounds how many may go at once.
_WINDOW = 4096


class Found(NamedTuple):
    """An object: its id, its type (b"blob", b"tree", b"commit", b"tag") and its bytes."""

    oid: str
    type: bytes
    data: bytes


class TreeEntry(NamedTuple):
    """An entry of a git tree; `mode` as git writes it: 100644, 100755, 120000, 40000, 160000."""

    name: str
    mode: str
    oid: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a folder."""
        return self.mode == "40000"


class CatFile:
    """Reads objects by any name git understands (`HEAD:a/b`, an object id); starts git at the first question.

    Use as a context manager, or `close` it. Not for use by several threads at once.
    """

    __slots__ = ("_git", "_process")

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process: Process | None = None

    def get(self, spec: str) -> tuple[bytes, bytes] | None:
        """Type and bytes of `spec`, or None if there is no such object."""
        found = self.find(spec)
        return (found.type, found.data) if found else None

    def find(self, spec: str) -> Found | None:
        """The object `spec`, or None if there is no such object."""
        return next(self.read_many((spec,)))

    def blob(self, spec: str) -> bytes | None:
        """Bytes of the blob `spec`; None if it is missing or not a blob."""
        found = self.find(spec)
        return found.data if found and found.type == b"blob" else None

    def read_many(self, specs: Iterable[str]) -> Iterator[Found | None]:
        """The objects of `specs` in order, None for missing ones; many are asked for at once."""
        window: list[tuple[str, bytes]] = []
        size = 0
        for spec in specs:
            line = self._line(spec)
            if window and size + len(line) > _WINDOW:
                yield from self._ask(window)
                window, size = [], 0
            window.append((spec, line))
            size += len(line)
        if window:
            yield from self._ask(window)

    def entries(self, tree: str) -> list[TreeEntry]:
        """The entries of the tree `tree` (any name of a tree or commit), in git's order."""
        found = self.find(tree)
        if found and found.type in (b"commit", b"tag"):
            found = self.find(found.oid + "^{tree}")
        if found is None or found.type != b"tree":
            raise GitFailed(f"git has no tree {tree}", "", "run `git fsck`, or fetch the missing history")
        return parse_tree(found.data, len(found.oid) // 2)

    def close(self) -> None:
        """End the process; the next question starts a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()

    def __enter__(self) -> CatFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line(self, spec: str) -> bytes:
        if "\n" in spec:
            # The protocol is line by line: such a name is resolved by an argument first.
            result = self._git.call("rev-parse", "--verify", "--quiet", "--end-of-options", spec)
            spec = text(result.out).strip() or "missing:"
        return os.fsencode(spec) + b"\n"

    def _ask(self, window: list[tuple[str, bytes]]) -> list[Found | None]:
        process = self._process
        if process is None:
            process = self._process = self._git.start("cat-file", "--batch")
        assert process.stdin and process.stdout
        answers: list[Found | None] = []
        try:
            process.stdin.write(b"".join(line for _, line in window))
            process.stdin.flush()
            for spec, _ in window:
                answers.append(self._answer(process, spec))
        except BrokenPipeError:
            raise self._failed(process, window[len(answers)][0]) from None
        except BaseException:
            self.close()  # answers not read would be taken for those of the next question
            raise
        return answers

    def _answer(self, process: Process, spec: str) -> Found | None:
        assert process.stdout
        header = process.stdout.readline()
        if header.endswith((b" missing\n", b" ambiguous\n")):
            # A damaged object is answered like a missing one, but git complains about it first.
            if words := _heard(process):
                raise self._failed(process, spec, words)
            return None
        parts = header.split()
        if len(parts) != 3 or not parts[2].isdigit():
            raise self._failed(process, spec)
        size = int(parts[2])
        data = process.stdout.read(size + 1)
        if len(data) != size + 1:
            raise self._failed(process, spec)
        return Found(parts[0].decode(), parts[1], data[:-1])

    def _failed(self, process: Process, spec: str, words: str = "") -> GitFailed:
        for pipe in (process.stdin, process.stdout):
            if pipe:  # both closed, git ends, so that what it complained about has an end too
                with contextlib.suppress(OSError):
                    pipe.close()
        words = words or _heard(process, ended=True)
        self.close()
        return GitFailed(f"git cannot read {spec}", words, "run `git fsck` to see what is damaged")


def read_blobs(git: Git, specs: Sequence[str]) -> list[bytes | None]:
    """The blobs of a few names, None for those that are missing or no blob."""
    asked = b"".join(os.fsencode(spec) + b"\n" for spec in specs)
    if len(asked) <= _WINDOW and asked.count(b"\n") == len(specs):
        # Asked all at once, git needs no pipes that stay open, nor axil the modules for them.
        result = git.call("cat-file", "--batch", input=asked)
        if not result.code and not result.err:
            found = _answers(result.out, len(specs))
            return [one.data if one and one.type == b"blob" else None for one in found]
    with CatFile(git) as cat:
        return [cat.blob(spec) for spec in specs]


def _answers(out: bytes, count: int) -> list[Found | None]:
    """What `cat-file --batch` said to `count` questions."""
    found: list[Found | None] = []
    at = 0
    for _ in range(count):
        end = out.index(b"\n", at)
        header, at = out[at:end], end + 1
        if header.endswith((b" missing", b" ambiguous")):
            found.append(None)
            continue
        oid, kind, size = header.split()
        found.append(Found(oid.decode(), kind, out[at : at + int(size)]))
        at += int(size) + 1
    return found


def begin_read_file(git: Git, tree: str, path: str) -> Callable[[], tuple[str, bytes] | None]:
    """Mode and bytes of the file `path` in `tree` (or a commit), asked now and waited for when the answer is called.

    None if there is no such file. For one file this is less than a `CatFile`.
    """
    if "\n" in path:
        raise BadInput(f"{path!r} cannot be read from git", "its name has a line end")
    folder, _, name = path.rpartition("/")
    finish = git.begin("cat-file", "--batch", input=os.fsencode(f"{tree}:{folder}\n{tree}:{path}\n"))

    def answer() -> tuple[str, bytes] | None:
        above, file = _answers(finish(), 2)
        if above is None or file is None or file.type != b"blob":
            return None
        modes = {entry.name: entry.mode for entry in parse_tree(above.data, len(above.oid) // 2)}
        return modes[name], file.data

    return answer


def _heard(process: Process, *, ended: bool = False) -> str:
    """What git complained about so far (or until its end); warnings are none of ours."""
    assert process.stderr
    os.set_blocking(process.stderr.fileno(), ended)
    said = text(process.stderr.read() or b"")
    return "\n".join(line for line in said.splitlines() if line.startswith(("error:", "fatal:")))


def parse_tree(data: bytes, oid_size: int) -> list[TreeEntry]:
    """The entries of a raw tree object whose ids have `oid_size` bytes. Raises `Damaged` for anything else."""
    entries = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at)
        end = data.find(b"\0", space + 1)
        if space < 0 or end < 0 or end + 1 + oid_size > len(data):
            raise Damaged("a git tree is cut short", "", "run `git fsck`")
        oid = data[end + 1 : end + 1 + oid_size].hex()
        entries.append(TreeEntry(text(data[space + 1 : end]), data[at:space].decode("ascii", "replace"), oid))
        at = end + 1 + oid_size
    return entries
