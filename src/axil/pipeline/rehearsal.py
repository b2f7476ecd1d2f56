"""What the planner of a rehearsal asks: results of rehearsals on as many samples, which share no key with real runs."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    from axil.journal.journal import Journal
    from axil.journal.rows import StageRow
    from axil.pipeline.planner import Planner


class Rehearsed:
    """The results of `journal` as a rehearsal on `sample` samples sees them."""

    def __init__(self, journal: Journal, sample: int) -> None:
        self._journal = journal
        self._sample = sample

    def cached(self, key: str) -> StageRow | None:
        """See `Results`: the sample is a part of every key."""
        return self._journal.cached(key)

    def last_stage(self, name: str, experiment: str | None) -> StageRow | None:
        """See `Results`; before the first rehearsal the last real run tells what the stage reads."""
        return self._journal.last_stage(name, experiment, sample=self._sample) or self._journal.last_stage(
            name, experiment
        )


def rehearse(planner: Planner, journal: Journal, sample: int) -> None:
    """Let `planner` plan a rehearsal on `sample` samples; 0 leaves it as it is."""
    if sample:
        planner.sample = sample
        planner.journal = Rehearsed(journal, sample)
