"""A place where somebody shares evil, and somebody who clones from it, watched."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.cli.sharing import Person, Place, Said
from tests.transfer_builder import Object, put_index, put_pack

from axil.formats import pointer
from axil.remotes.folder import Folder
from axil.store import Store
from axil.store.verify import verify

MEMORY = 3 << 30
"""A process of the victim may have so much."""


class Trap:
    """A place where somebody shares evil: Bob clones from it, a spy watches everything around his clone."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        self.remote = Folder(str(self.place.store))
        self.ann = self.place.found()
        self.bob = Person(folder / "bob", "Bob")
        (folder / "outside").mkdir()
        (folder / "outside/precious").write_bytes(b"precious")

    def around(self) -> dict[str, tuple[int, int, bytes]]:
        """Everything but Bob's clone: mode, size and content."""
        found = {}
        for path in sorted(self.place.folder.rglob("*")):
            name = str(path.relative_to(self.place.folder))
            if name.partition("/")[0] in ("bob", "again"):
                continue
            info = path.lstat()
            small = path.is_file() and not path.is_symlink() and info.st_size < 1 << 20
            found[name] = (info.st_mode, info.st_size, path.read_bytes() if small else b"")
        return found

    def put(self, objects: Iterable[Object]) -> None:
        """Objects onto the remote, with an index."""
        put_index(self.remote, [put_pack(self.remote, objects)])

    def point(self, top: Object, name: str = "data/raw", size: int = -1, kind: str = "tree") -> None:
        """The branch says that `name` is `top`."""
        made = pointer.Pointer(kind, top.oid, len(top.data) if size < 0 else size, 1)  # type: ignore[arg-type]
        self.ann.write({f"{name}.axil": pointer.render(made)})
        self.ann.run("add", "-f", f"{name}.axil")
        self.ann.run("commit", "-qm", "evil")
        self.ann.run("push", "-q", "origin", "main")

    def meet(self, *commands: list[str]) -> list[Said]:
        """Bob clones, then gives `commands`; nothing around changes, nothing raw is said, his store is sound."""
        before = self.around()
        starting = Person(self.place.folder, "Bob")
        said = [axil(starting, "clone", str(self.place.hub), "bob")]
        if self.bob.path.exists():
            said += [axil(self.bob, *words) for words in (*commands, ["status"], ["pull"])]
        assert self.around() == before
        assert not list(self.place.folder.rglob("owned"))
        for one in said:
            assert one.code in (0, 1, 2), one
            assert "Traceback" not in one.err, one.err
            assert not [char for char in one.out + one.err if char < " " and char not in "\n\t"], one
        if (self.bob.path / ".git/axil/store").exists():
            assert verify(Store(str(self.bob.path / ".git/axil/store"))).faults == ()
        return said


def axil(person: Person, *words: str) -> Said:
    """`axil WORDS` as a process that gets only so much memory."""
    done = subprocess.run(
        [sys.executable, "-m", "axil", *words],
        cwd=person.path,
        env=person.env,
        capture_output=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    return Said(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def refused(said: list[Said], word: str = "") -> None:
    """Raise unless the last command said that something is wrong."""
    assert said[-1].code == 1, said
    assert "error: " in said[-1].err and word in said[-1].err, said[-1]
