"""Records in git (forks, runs, notes …), their merge, and the SQLite index that answers every listing."""

from axil.journal.journal import Journal
from axil.journal.rows import (
    Experiment,
    NoteRow,
    OutputRef,
    OutputRow,
    Problem,
    RunRow,
    StageRow,
    Summary,
)

__all__ = [
    "Experiment",
    "Journal",
    "NoteRow",
    "OutputRef",
    "OutputRow",
    "Problem",
    "RunRow",
    "StageRow",
    "Summary",
]
