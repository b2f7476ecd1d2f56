"""What runs with a work tree of their own have left: copies of data and work trees that no run needs any more."""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError
from axil.git.linked import forget_worktree
from axil.git.worktree import list_worktrees

if TYPE_CHECKING:
    from axil.project import Project


class Leftovers(NamedTuple):
    """Absolute paths of what nobody needs."""

    copies: tuple[str, ...]
    work_trees: tuple[str, ...]


def leftovers(project: Project) -> Leftovers:
    """What is left in all work trees of the repository; what waiting and running runs need is not."""
    from axil.runs import isolated, rundir
    from axil.runs.checkouts import Checkouts

    places = [
        place.path for place in list_worktrees(project.git) if os.path.isdir(os.path.dirname(_folder(place.path)))
    ]
    if not places:
        return Leftovers((), ())
    trees = [path for place in places for path in isolated.leftovers(place)]
    # Looked at after the trees: a run is in sight before its tree is.
    going, needed, here = set(), set(), os.uname().nodename
    alone = True
    for run in rundir.ids(project.runs_folder):
        going.add(run)
        try:
            spec = rundir.RunDir(os.path.join(project.runs_folder, run)).spec()
        except AxilError:
            alone = False
            continue
        alone = alone and spec.host in ("", here)
        needed |= {bytes.fromhex(out.oid) for out in spec.data.values()}
    copies = [path for place in places for path in Checkouts(_folder(place), project.store).unused(needed, alone=alone)]
    over = [path for path in trees if os.path.basename(path).removesuffix(isolated.KEPT) not in going]
    return Leftovers(tuple(copies), tuple(over))


def clear(project: Project, found: Leftovers) -> None:
    """Remove what `leftovers` found, but copies that a run has begun to use meanwhile."""
    from axil.runs.checkouts import Checkouts, remove

    for path in found.copies:
        Checkouts(_above(path), project.store).discard(path)
    for path in found.work_trees:
        remove(path)
        forget_worktree(project.git, path)


def _folder(place: str) -> str:
    """Where the copies of a work tree are."""
    from axil.runs import isolated

    return os.path.join(place, isolated.FOLDER, isolated.DATA)


def _above(path: str) -> str:
    """The folder of copies that `path` is in."""
    from axil.runs import isolated

    while os.path.basename(path) != isolated.DATA:
        path = os.path.dirname(path)
    return path
