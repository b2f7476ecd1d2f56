"""Start a process that supervises a run and outlives this one, its terminal and the user's session."""

from __future__ import annotations

import os
import sys

from axil.base.light import TYPE_CHECKING
from axil.base.processes import start_detached
from axil.errors import AxilError
from axil.runs.rundir import SUPERVISOR

if TYPE_CHECKING:
    from axil.project import Project
    from axil.runs.rundir import RunDir


def detach(project: Project, folder: RunDir) -> int:
    """Hand the run in `folder`, and its lock, to a new process; its pid. If that cannot be started, the run waits."""
    command = (sys.executable, "-m", "axil", "supervise", folder.id, str(folder.lock_fd))
    try:
        log = os.open(folder.file(SUPERVISOR), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            return start_detached(command, project.root, project.environ, log, [folder.lock_fd])
        finally:
            os.close(log)
    except OSError as error:
        raise AxilError(
            f"run {folder.id} waits: no process could be started for it",
            f"{error.filename or command[0]}: {error.strerror or error}",
            f"axil ps tries again; axil queue --cancel {folder.id} takes it out",
        ) from None
    finally:
        folder.release()
