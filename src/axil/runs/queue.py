"""Which waiting run begins next (docs/formats/run-directory.md): in order, while slots and accelerators are free.

There is no daemon: every waiting run has a supervisor that asks again and again, and what runs is known by locks that
die with their process.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.locks import FileLock
from axil.errors import AxilError
from axil.runs import rundir
from axil.runs.rundir import QUEUE, RunDir

if TYPE_CHECKING:
    from axil.formats.machine import Machine
    from axil.formats.runfiles import Spec, State

RANK = "rank"
"""File of a waiting run whose place was changed: a number, the lowest goes first, 0 where there is none."""


class Place(NamedTuple):
    """A detached run that waits or goes on."""

    id: str
    spec: Spec
    state: State
    rank: float
    alive: bool
    """Whether a supervisor looks after it."""

    @property
    def waiting(self) -> bool:
        """Whether it has not begun."""
        return self.state.admitted is None


def places(runs: str) -> list[Place]:
    """The detached runs that wait or go on, in the order in which they begin; finished ones are left out."""
    found = []
    for run in rundir.ids(runs):
        folder = RunDir(os.path.join(runs, run))
        try:
            spec = folder.spec()
            if spec.detached and (state := folder.state()).run is None:
                found.append(Place(run, spec, state, _rank(folder), rundir.is_live(runs, run)))
        except AxilError:
            continue  # It ended meanwhile, or is of a newer axil.
    return sorted(found, key=lambda place: (place.waiting, place.rank, place.id))


def changed(runs: str) -> int:
    """When a run last began, ended or was moved forward, as a number to compare with; a killed one does not count."""
    try:
        return os.stat(os.path.join(runs, QUEUE)).st_mtime_ns
    except OSError:
        return 0


def accelerators() -> tuple[str, ...]:
    """The accelerators of this machine, by number, as far as device files tell (NVIDIA's do)."""
    try:
        names = os.listdir("/dev")
    except OSError:
        return ()
    found = [name.removeprefix("nvidia") for name in names if name.startswith("nvidia")]
    return tuple(sorted((number for number in found if number.isdecimal()), key=int))


def admit(runs: str, folder: RunDir, machine: Machine, now: float) -> tuple[str, ...] | None:
    """Let the waiting run in `folder` begin if it is its turn: the accelerators it gets, or None: ask again.

    Raises `AxilError` if it wants more accelerators than the machine has.
    """
    from axil.formats.runfiles import Admitted

    with _queue(runs):
        every = [place for place in places(runs) if place.alive]
        mine = next((place for place in every if place.id == folder.id), None)
        if mine is None:
            return None
        going = [place for place in every if not place.waiting]
        wanted = mine.spec.gpus
        gpus = accelerators() if machine.gpus is None else machine.gpus
        if wanted > len(gpus):
            raise AxilError(
                f"run {folder.id} wants {wanted} accelerators",
                f"this machine has {len(gpus)}",
                "list them in axil.local.toml, [machine] gpus = [0, 1], or ask for fewer",
            )
        taken = {gpu for place in going if place.state.admitted for gpu in place.state.admitted.gpus}
        free = [gpu for gpu in gpus if gpu not in taken]
        first = next(place for place in every if place.waiting)
        if first.id != folder.id or len(going) >= machine.jobs or wanted > len(free):
            return None
        folder.record(Admitted(now, free[:wanted]))
        rundir.tell(runs)
        return tuple(free[:wanted])


def reorder(runs: str, wanted: Sequence[str]) -> None:
    """Bring the waiting runs `wanted`, in this order, before all others."""
    from axil.base.atomic import write_atomic

    with _queue(runs):
        ranks = [place.rank for place in places(runs) if place.waiting]
        first = min([0.0, *ranks]) - len(wanted)
        for number, run in enumerate(wanted):
            write_atomic(os.path.join(runs, run, RANK), f"{first + number:g}\n".encode(), sync=False)
        rundir.tell(runs)


def _queue(runs: str) -> FileLock:
    os.makedirs(runs, exist_ok=True)
    return FileLock(os.path.join(runs, QUEUE), what="the queue of runs")


def _rank(folder: RunDir) -> float:
    try:
        with open(folder.file(RANK), encoding="ascii") as file:
            return float(file.read(64))
    except (OSError, ValueError):
        return 0.0
