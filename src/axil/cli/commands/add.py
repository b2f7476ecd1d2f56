"""Put files or folders under axil's care: the bytes go to the store, a small pointer file goes to git.

Without a path, the edits of everything that is tracked are saved.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_json, add_paths
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.add import Added
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, "files or folders of any size", nargs="*")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    project = face.project(_load)
    from axil.actions.add import add

    paths = [face.path(path) for path in args.paths]
    face.show(add(project, paths, progress=face.progress()), render)
    return 0


def _load() -> None:
    import axil.actions.add
    import axil.store.batch  # noqa: F401


def render(face: Face, values: tuple[Added, ...]) -> None:
    if not values:
        face.note("nothing is tracked yet: axil add PATH")
    for one in values:
        facts = face.style.dim(f"{fmt.count(one.files, 'file')}, {fmt.size(one.size)}")
        word = {"new": "added", "changed": "saved", "unchanged": "unchanged"}[one.state]
        face.line(f"{word} {safe(one.path)}  {facts}")
    if any(one.state != "unchanged" for one in values):
        face.hint("the pointers are staged: git commit records them; axil undo takes it back")
