"""The data of a DVC project: found by its md5 in the work tree or DVC's cache, and put into the store."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, Blocked
from axil.formats.pointer import Pointer
from axil.formats.tree import DIR, EXEC, FILE, Entry
from axil.imports.dvc.cache import Found, files_of, find, listed
from axil.imports.dvc.files import Out

if TYPE_CHECKING:
    from axil.project import Project
    from axil.store.batch import Batch


class Located(NamedTuple):
    """Where the content of one tracked path is."""

    out: Out
    files: dict[str, Found]
    """Path inside the folder ("" for a file) -> where its bytes are."""
    missing: int = 0
    """How many files are nowhere (1 if the list of files itself is)."""
    wrong: tuple[str, ...] = ()
    """Project paths in the work tree that have other content than DVC noted."""
    links: tuple[str, ...] = ()
    """Project paths in the work tree that are links, as DVC makes them for some cache types."""


def locate(root: str, out: Out, caches: Sequence[str]) -> Located:
    """Look for the content of `out`. Raises `BadInput` for a list of files that must not be followed."""
    full = os.path.join(root, out.path)
    if not out.folder:
        return _located(root, out, {"": (out.md5, out.executable)}, caches)
    if os.path.islink(full):
        return Located(out, {}, links=(out.path,))
    listing = files_of(out, caches) or listed(full, out.md5, old_hash=out.old_hash)
    if listing is None:
        return Located(out, {}, missing=1)
    return _located(root, out, listing, caches)


def _located(root: str, out: Out, listing: Mapping[str, tuple[str, bool]], caches: Sequence[str]) -> Located:
    found: dict[str, Found] = {}
    missing, wrong, links = 0, [], []
    for inner, (md5, executable) in listing.items():
        path = posixpath.join(out.path, inner) if inner else out.path
        full = os.path.join(root, path)
        where = find(md5, caches, beside=full, old_hash=out.old_hash)
        if os.path.islink(full):
            links.append(path)
        elif os.path.lexists(full) and (where is None or where.path != full):
            wrong.append(path)
        if where is None:
            missing += 1
        else:
            found[inner] = where if where.path == full else where._replace(executable=executable)
    return Located(out, found, missing, tuple(wrong), tuple(links))


def refuse_edits(located: Iterable[Located]) -> None:
    """Raise `Blocked` where the work tree has something else than DVC noted: axil would have to overwrite it."""
    wrong = [path for one in located for path in one.wrong]
    if links := [path for one in located for path in one.links]:
        raise Blocked(
            f"{_some(links)} {'is a link' if len(links) == 1 else 'are links'} into DVC's cache",
            "axil keeps real files, and a link would be read and written through",
            "let DVC put files there: dvc config cache.type reflink,copy && dvc checkout --relink   then try again",
            tuple(links),
        )
    if wrong:
        raise Blocked(
            f"{_some(wrong)} {'is' if len(wrong) == 1 else 'are'} not as the .dvc file says",
            "the work tree has edits that DVC does not know, and importing would overwrite them",
            "keep them: dvc commit && git commit -a -m data   or drop them: dvc checkout --force",
            tuple(wrong),
        )


def store(project: Project, located: Sequence[Located], progress: Progress = SILENT) -> dict[str, Pointer]:
    """Put the content of everything `located` into the store; tracked path -> pointer.

    Raises `AxilError` if a file changed after its md5 was looked at.
    """
    paths = list(dict.fromkeys(found.path for one in located for found in one.files.values()))
    pointers: dict[str, Pointer] = {}
    with project.store.batch() as batch:
        saved = dict(zip(paths, batch.put_files(paths, progress), strict=True))

        def content(found: Found) -> Entry:
            one = saved[found.path]
            if isinstance(one, OSError):
                raise AxilError(f"{found.path} could not be read", one.strerror or str(one))
            if (one.mtime_ns, one.ctime_ns, one.inode) != found.stamp:
                raise AxilError(f"{found.path} changed while it was read", "", "give the same command again")
            return Entry(b"", (EXEC if found.executable else FILE)[0], one.size, one.oid)

        for one in located:
            pointers[one.out.path] = _pointer(batch, one, content)
        batch.commit()
    return pointers


def _pointer(batch: Batch, located: Located, content: Callable[[Found], Entry]) -> Pointer:
    if not located.out.folder:
        entry = content(located.files[""])
        return Pointer("file", entry.oid, entry.size, 1, entry.kind == EXEC[0])
    folders: dict[str, list[Entry]] = {"": []}
    for inner, found in located.files.items():
        folder, _, name = inner.rpartition("/")
        folders.setdefault(folder, []).append(content(found)._replace(name=os.fsencode(name)))
        while folder:
            folder = folder.rpartition("/")[0]
            folders.setdefault(folder, [])
    for folder in sorted(folders, key=lambda path: -path.count("/") if path else 1):
        oid = batch.put_tree(folders[folder])
        size = sum(entry.size for entry in folders[folder])
        if folder:
            above, _, name = folder.rpartition("/")
            folders[above].append(Entry(os.fsencode(name), DIR[0], size, oid))
    return Pointer("tree", oid, size, len(located.files))


def fetch(project: Project, folder: str, targets: Sequence[str]) -> str:
    """Let the user's own `dvc` bring what `targets` (its files) track into its cache; what it said if it failed.

    Without such a program nothing comes, which is told.
    """
    import shutil
    import signal
    import tempfile

    from axil.base import processes

    program = shutil.which("dvc", path=project.environ.get("PATH"))
    if program is None:
        project.tell("dvc is not installed, so only what remotes in folders of this machine have is fetched")
        return ""
    with tempfile.TemporaryFile(dir=project.home) as output:
        command = [program, "fetch", "--", *(os.path.relpath(target, folder or ".") for target in targets)]
        running = processes.start(command, project.path(folder), project.environ, output.fileno())
        try:
            code = running.wait()
        except BaseException:
            processes.signal_group(running.pid, signal.SIGTERM)
            running.wait()
            raise
        output.seek(0)
        words = output.read(1 << 20).decode("utf-8", "replace").strip().splitlines()
    return "" if code == 0 else words[-1] if words else f"exit code {code}"


def _some(paths: Sequence[str]) -> str:
    return paths[0] + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
