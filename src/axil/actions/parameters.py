"""Changing parameters: in the work tree (`axil run --set`) or in a commit (`axil fork --set`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from axil.base.atomic import write_atomic
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import BadInput, NotFound
from axil.formats import params
from axil.pipeline.load import parse_params

if TYPE_CHECKING:
    from axil.formats.params import Assignment
    from axil.git.fastimport import Commit
    from axil.git.status import Status
    from axil.project import Project


class Edit(NamedTuple):
    """The params file, its bytes now, and its bytes with the changes."""

    path: str
    old: bytes
    new: bytes


def edited(project: Project, changes: Sequence[Assignment]) -> Edit:
    """What `changes` make of the params file; raises `BadInput` for unknown keys, changes nothing."""
    path = _file(project)
    with open(project.path(path), "rb") as file:
        old = file.read()
    return Edit(path, old, assigned(old, path, changes))


def write(project: Project, path: str, data: bytes) -> None:
    """Replace the params file of the work tree."""
    write_atomic(project.path(path), data)
    project.forget()


class Begun(NamedTuple):
    """What git is being asked for a commit of changed parameters (`begin_commit`)."""

    path: str
    status: Callable[[], Status]
    committer: Callable[[], str]
    file: Callable[[], tuple[str, bytes] | None]


def begin_commit(project: Project, tree: str) -> Begun:
    """Ask git what `commit_with` needs to change the params file as it is in `tree` (or in a commit)."""
    from axil.git.catfile import begin_read_file
    from axil.git.commits import begin_stamp
    from axil.git.status import begin_status

    path = _file(project)
    state = begin_status(project.git, untracked="no")
    return Begun(path, state, begin_stamp(project.git, "COMMITTER"), begin_read_file(project.git, tree, path))


def commit_with(
    project: Project,
    begun: Begun,
    commit: str,
    changes: Sequence[Assignment],
    name: str,
    author: str,
    also: Sequence[Commit] = (),
) -> Callable[[], list[str]]:
    """A commit on top of `commit` in which the params file has `changes`, and those of `also`; no ref points at them.

    git writes while the caller goes on; calling the answer waits for their ids. `author` is from `begin_stamp`. Raises
    `BadInput` if the params file of the work tree has uncommitted edits: git could not carry both.
    """
    from axil.git.fastimport import Commit, begin_commits

    path = begun.path
    if any(entry.path == path for entry in begun.status().entries):
        raise BadInput(
            f"{path} has uncommitted changes",
            f"--set commits a new {path} on the new experiment, and both cannot be carried there",
            f"commit it first, or fork without --set and edit {path} there",
        )
    old = begun.file()
    if old is None:
        raise NotFound(
            f"{path} is not in the commit {commit[:9]}", "", f"commit it first: git add {path} && git commit"
        )
    mode, data = old
    new = assigned(data, path, changes)
    message = f"{name}: {', '.join(described(change) for change in changes)}\n"
    changed = Commit(commit, {path: (mode, new)}, message, author, begun.committer())
    made = begin_commits(project.git, [changed, *also])
    parse_params(path, new, project.index)  # Now, while the parser is loaded anyway: the next command finds it done.
    return made


def described(change: Assignment) -> str:
    """The assignment as a person reads it: `train.lr = 0.1`."""
    import json

    if change.op == "remove":
        return f"without {change.key}"
    value = change.value if isinstance(change.value, str) else json.dumps(change.value, ensure_ascii=False)
    return f"{change.key} = {value}"


def _file(project: Project) -> str:
    if not project.params.path:
        raise NotFound(
            "there is no params file", "--set changes a value in params.yaml, .toml or .json", "make params.yaml first"
        )
    return project.params.path


def assigned(data: bytes, path: str, changes: Sequence[Assignment]) -> bytes:
    """The bytes of the params file `path`, `data` until now, with `changes`. Raises `BadInput`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8", str(error), f"save {path} as UTF-8") from None
    return params.assign(text, params.kind_of(path), changes, path).encode("utf-8")
