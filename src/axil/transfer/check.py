"""Whether a remote holds what its roots need, and holds it undamaged (docs/formats/remote.md, Checking and repairing).

Reads only: nothing on the remote is ever changed or deleted.
"""

from __future__ import annotations

from collections.abc import Iterable

from axil.base.clock import Clock
from axil.base.hashing import Oid
from axil.base.light import Literal
from axil.base.progress import SILENT, Progress
from axil.transfer.catalog import Catalog
from axil.transfer.checked import Checked
from axil.transfer.findings import CheckReport, Fault, Missing
from axil.transfer.inspection import Inspection
from axil.transfer.structure import Structure

__all__ = ["CheckReport", "Depth", "Fault", "Missing", "check"]

Depth = Literal["structure", "data", "restore"]


def check(
    catalog: Catalog,
    *,
    depth: Depth,
    roots: Iterable[Oid] = (),
    sample: float | None = None,
    max_seconds: float | None = None,
    clock: Clock,
    progress: Progress = SILENT,
) -> CheckReport:
    """Checks the remote: its structure, also the data of each pack, or also that each object can be restored.

    `roots` are needed besides what the remote's own name. `sample` is the share of all bytes to read, `max_seconds` the
    time after which to stop reading; packs that were not read for the longest time come first.
    """
    started = clock()
    job = Structure(catalog, progress)
    job.check(roots)
    if depth == "structure":
        return job.report(0, 0)
    note = Checked(catalog.folder, depth)
    until = None if max_seconds is None else started + max_seconds
    inspection = Inspection(job, note, clock, until, deep=depth == "restore")
    checked = inspection.run(sample)
    return job.report(checked, len(job.packs) - checked)
