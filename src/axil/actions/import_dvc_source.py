"""A DVC project as it lies in the work tree: what git has, DVC's settings, its caches."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Sequence

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.data.pointers import check_place
from axil.errors import BadInput, Blocked, NotFound
from axil.formats.project import FILE
from axil.imports.dvc.cache import files_of, listed
from axil.imports.dvc.files import MAX_BYTES, Config, Out, config
from axil.imports.dvc.remotes import local_folder
from axil.imports.dvc.stages import InGit

if TYPE_CHECKING:
    from axil.project import Project


class Source(NamedTuple):
    """The DVC project as it lies in the work tree."""

    git: InGit
    config: Config
    caches: tuple[str, ...]
    remotes: tuple[str, ...]
    """Remotes that are folders of this machine."""
    roots: tuple[str, ...]
    """Folders with a `.dvc` in them, the deepest first."""


def source(project: Project) -> Source:
    """What git has of the project. Raises `NotFound` if it is none of DVC's, `BadInput` if it is one of axil's."""
    entries = [entry.partition("\t")[::2] for entry in project.git.fields("ls-files", "-z", "--stage", "--full-name")]
    names = [name for _, name in entries]
    links = [name for facts, name in entries if facts.startswith("120000")]
    if FILE in names or os.path.lexists(project.path(FILE)):
        raise BadInput(f"there is an {FILE} already", f"{project.root} is an axil project", "go to a branch without it")
    folders = sorted({posixpath.dirname(name) for name in names if name.endswith(".dvc/config")}, key=len)
    folders = [folder for folder in folders if posixpath.basename(folder) == ".dvc"] or [".dvc"]
    if not any(name.endswith(("dvc.yaml", ".dvc")) or "/.dvc/" in f"/{name}" for name in names):
        raise NotFound(
            "this is no DVC project", f"git has no dvc.yaml and no .dvc file in {project.root}", "axil init starts anew"
        )
    settings: list[Config] = []
    caches: list[str] = []
    for folder in folders:
        texts = [(_text(project, f"{folder}/config"), False), (_text(project, f"{folder}/config.local"), True)]
        settings.append(config(texts, folder))
        cache = settings[-1].cache or "cache"
        if cache.startswith("~/"):
            cache = os.path.join(project.environ.get("HOME", "~"), cache[2:])
        caches.append(os.path.normpath(os.path.join(project.root, folder, cache)))
    roots = tuple(posixpath.dirname(folder) for folder in reversed(folders))
    local = (local_folder(settings[0], name, project.root) for name in settings[0].remotes)
    return Source(InGit(names, links), settings[0], tuple(caches), tuple(filter(None, local)), roots)


def require_clean(project: Project) -> tuple[str, str]:
    """The current branch and its commit. Raises unless everything is committed: what is not would be left behind."""
    from axil.git.worktree import status

    head = project.head
    if head.branch is None or head.commit is None:
        raise BadInput(
            "there is no branch to start from",
            "HEAD is detached" if head.branch is None else f"{head.branch} has no commit yet",
            "git switch BRANCH" if head.branch is None else 'git add -A && git commit -m "start"',
        )
    state = status(project.git)
    paths = [entry.path for entry in state.entries]
    if paths:
        raise Blocked(
            "there are uncommitted changes",
            f"in {paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else ""),
            'commit them: git commit -a -m "before axil"   or put them aside: git stash',
            tuple(paths),
        )
    strays = [path for path in state.untracked if path.endswith(".dvc") or posixpath.basename(path) == "dvc.yaml"]
    if strays:
        raise Blocked(
            f"{strays[0]} is not in git yet",
            "only what is committed is imported",
            f"git add {' '.join(strays[:3])} && git commit -m data",
            tuple(strays),
        )
    return head.branch, head.commit


def read(project: Project, path: str) -> bytes | None:
    """A file of the work tree. Raises `BadInput` for links, other special files, and what is too big."""
    check_place(project.root, path)
    try:
        fd = os.open(project.path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path} cannot be read", error.strerror or str(error)) from None
    with os.fdopen(fd, "rb") as file:
        try:
            data = file.read(MAX_BYTES + 1)
        except IsADirectoryError:
            raise BadInput(f"{path} cannot be read", "it is a folder") from None
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path} cannot be read", f"it has more than {MAX_BYTES} bytes")
    return data


def files_in(project: Project, out: Out, caches: Sequence[str]) -> Collection[str] | None:
    """The files in the folder `out`, from DVC's cache or from the work tree if it is unchanged."""
    if not out.folder or not out.md5:
        return None
    try:
        return files_of(out, caches) or listed(project.path(out.path), out.md5, old_hash=out.old_hash)
    except BadInput:
        return None


def _text(project: Project, path: str) -> str:
    return (read(project, path) or b"").decode("utf-8", "replace")
