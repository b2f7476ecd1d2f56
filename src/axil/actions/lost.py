"""Find runs whose axil was killed and record them as lost, with all they had made."""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    from axil.formats.record import Run
    from axil.project import Project


def adopt(project: Project) -> list[Run]:
    """Record every run that nobody supervises any more; a listing of an almost empty folder when there is none."""
    try:
        with os.scandir(project.runs_folder) as entries:
            if not any(entry.is_dir() for entry in entries):
                return []
    except FileNotFoundError:
        return []
    from axil.pipeline.local import load_machine
    from axil.runs.lost import GRACE, adopt_lost

    return adopt_lost(
        project.runs_folder,
        project.journal,
        project.store,
        project.index,
        project.clock,
        max(GRACE, load_machine(project.root, project.git).grace),
        discard=lambda root: _discard(project, root),
    )


def _discard(project: Project, root: str) -> None:
    from axil.runs.isolated import discard

    discard(project.git, root)
