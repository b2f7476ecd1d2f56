"""What the planner of a resumed run asks: what its earlier attempts did counts before anything else."""

from __future__ import annotations

from collections.abc import Sequence

from axil.journal.rows import StageRow
from axil.pipeline.planner import GOOD, Planner, Results


class Earlier:
    """The results of a journal, with `rows`, the stages of earlier attempts in their order, before all others."""

    def __init__(self, journal: Results, rows: Sequence[StageRow]) -> None:
        self._journal = journal
        self._last = {row.name: row for row in rows if row.state != "skipped"}
        self._done = {row.key: row for row in rows if row.state in GOOD and row.key}

    @property
    def done(self) -> set[str]:
        """The stages that are over."""
        return {row.name for row in self._done.values()}

    def cached(self, key: str) -> StageRow | None:
        """See `Results`."""
        return self._done.get(key) or self._journal.cached(key)

    def last_stage(self, name: str, experiment: str | None) -> StageRow | None:
        """See `Results`."""
        return self._last.get(name) or self._journal.last_stage(name, experiment)


def go_on(planner: Planner, rows: Sequence[StageRow]) -> None:
    """Let `planner` go on where the earlier attempts with the stages `rows` ended: what is done is not done again."""
    earlier = Earlier(planner.journal, rows)
    planner.journal = earlier
    for name in earlier.done & planner.graph.stages.keys():
        planner.graph.stages[name] = planner.graph.stages[name]._replace(always=False)
