"""The journal: records appended to a git ref, and its index kept up to date and asked."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from axil.base.clock import Clock, iso, system_clock
from axil.base.ids import ALPHABET, LENGTH, is_id
from axil.base.light import TYPE_CHECKING, TypeVar
from axil.errors import BadInput, Busy, Damaged, NotFound
from axil.git.process import Git
from axil.git.refs import LostRace, read_commit, update_refs
from axil.journal import REF, reading
from axil.journal.index import Batch, Index
from axil.journal.rows import Experiment, NoteRow, OutputRef, Problem, RunRow, StageRow, Summary, by_name

if TYPE_CHECKING:
    from axil.formats.record import AnyRecord, Run, Sweep
    from axil.git.catfile import CatFile
    from axil.journal import tree
    from axil.journal.draft import Draft

_PATIENCE = 30.0
_SHORTEST_END = 4
_UNKNOWN = "?"
T = TypeVar("T")


class Journal:
    """The journal of the repository of `git`, with its index in the file `database`.

    The index is brought up to date at the first question and after every `append` and `merge`; a process that lives
    long calls `refresh` to see others' records. `tip` is where the ref is ("" for no ref), if the caller
    knows: a ref that has moved on since is followed at the next `append` or `refresh`.
    """

    REF = REF

    def __init__(self, git: Git, database: str, *, clock: Clock = system_clock, tip: str | None = None) -> None:
        self._git = git
        self._clock = clock
        self._index = Index(database)
        self._tip = _UNKNOWN if tip is None else tip
        self._fresh = False

    # -- writing ---------------------------------------------------------------------------------------------------

    def append(
        self, records: Sequence[AnyRecord], *, snapshots: Mapping[str, str] | None = None, author: str = ""
    ) -> list[str]:
        """Commit `records` in one step, durable on return; their ids that were not in the journal before.

        A record whose id is there already is left out: what is written is never edited. `snapshots` maps ids to git
        trees, kept reachable beside the record. `author` ("Name <mail>") defaults to the first record's. Raises `Busy`
        when other processes kept winning for 30 s, `BadInput` for a record that could not be read back.
        """
        from axil.git.fastimport import fast_import
        from axil.journal import draft as drafts
        from axil.journal import tree

        encoded, checked = drafts.encoded(records)
        for attempt in self._attempts():
            if attempt:
                self._tip, self._fresh = _UNKNOWN, False
            self._ask(lambda db: None)
            parent = self._tip
            new = [place for place in encoded if not self._has(*place)]
            if not new:
                return []
            files = drafts.files({place: encoded[place] for place in new})
            trees = {
                f"{tree.folder(kind, key)}/{tree.SNAPSHOT}": ("040000", (snapshots or {})[key])
                for kind, key in new
                if key in (snapshots or {})
            }
            with suppress(LostRace):
                commit = fast_import(
                    self._git, self.REF, parent or None, files, entries=trees, message=drafts.message(new),
                    author=author or records[0].author or drafts.NOBODY, time=self._clock(),
                )  # fmt: skip
                self._bring_forward(parent, commit, [checked[place] for place in new if place in checked])
                return [place[1] for place in new]
        raise AssertionError("unreachable")

    def draft(self, records: Sequence[AnyRecord]) -> Draft:
        """What appends `records`, whose ids are new, for a caller who has git write other commits too.

        Raises `BadInput` for a record that could not be read back.
        """
        from axil.git.fastimport import Commit, stamp
        from axil.journal import draft as drafts

        encoded, checked = drafts.encoded(records)
        self._ask(lambda db: None)
        author = stamp(records[0].author or drafts.NOBODY, self._clock())
        files = {path: ("100644", data) for path, data in drafts.files(encoded).items()}
        commit = Commit(self._tip, files, drafts.message(list(encoded)), author, author)
        return drafts.Draft(tuple(checked.values()), commit)

    def publish(self, draft: Draft, commit: str) -> None:
        """Move the journal to the `commit` made of `draft`, durable on return; the same as `append` from then on.

        If others were quicker, the records are appended to what they wrote.
        """
        try:
            update_refs(self._git, [(self.REF, commit, draft.commit.base or None)], durable=True)
        except (LostRace, Busy):
            self._tip, self._fresh = _UNKNOWN, False
            self.append(draft.records)
        else:
            self._bring_forward(draft.commit.base, commit, draft.records)

    def merge(self, other: str) -> None:
        """Make this journal the union of itself and the journal commit `other`.

        Raises `BadInput` if `other` is no commit that git has, `Busy` when others kept moving the ref for 30 s.
        """
        from axil.git.catfile import CatFile
        from axil.journal.merge import check_commits, merge_commit

        with CatFile(self._git) as cat:
            check_commits(cat, (other,))
            for _ in self._attempts():
                tip = self._read_tip()
                with suppress(LostRace):
                    if not tip or self._is_ancestor(tip, other):
                        if tip != other:
                            update_refs(self._git, [(self.REF, other, tip or None)])
                    elif not self._is_ancestor(other, tip):
                        merge_commit(self._git, cat, self.REF, tip, other)
                    self.refresh()
                    return

    # -- listing ---------------------------------------------------------------------------------------------------

    def experiments(self) -> dict[str, Experiment]:
        """Name -> experiment: of several that bore a name the living one, else the archived, else the deleted."""
        return by_name(self.all_experiments())

    def all_experiments(self) -> list[Experiment]:
        """Every experiment there ever was; names may repeat, identities do not."""
        return self._ask(reading.experiments)

    def renamed(self) -> dict[str, str]:
        """Former name -> present name of experiments, where the former one means nothing else now."""
        return self._ask(reading.renamed)

    def summaries(self, metric: str | None = None, direction: str = "max") -> dict[str, Summary]:
        """Identity -> number of runs, newest run, and best value of `metric` among the succeeded runs."""
        return self._ask(lambda db: reading.summaries(db, metric, direction == "min"))

    def runs(
        self,
        *,
        experiment: str | None = None,
        states: Sequence[str] | None = None,
        where: str | None = None,
        sort: str | None = None,
        descending: bool | None = None,
        limit: int | None = None,
        retracted: bool = False,
        attempts: bool = False,
        samples: bool = False,
        directions: Mapping[str, str] | None = None,
        together: bool = False,
    ) -> list[RunRow]:
        """The runs asked for, the newest first unless `sort` names a metric, parameter or built-in.

        `where` is a condition (journal/query.py). Without `descending`, a metric's better end comes first: `directions`
        says which ("max", "min"), "max" where it does not. `attempts`: not only the last one of a resumed run.
        `samples`: rehearsals too. With `together` replicates are sorted by the mean of their metric. Raises `NotFound`
        for an unknown experiment and `BadInput` for a wrong condition or an unknown name.
        """
        chosen = self._identities(experiment) if experiment is not None else None
        asked = reading.Asked(
            chosen, states, where, sort, descending, limit, retracted, attempts, samples, directions or {}, together
        )
        return self._ask(lambda db: reading.runs(db, asked, self._clock()))

    def latest(self, experiment: str, state: str | None = "succeeded") -> RunRow | None:
        """The newest run of the experiment in that state (any state for None); None if there is no such run."""
        if experiment not in self.experiments():
            return None
        found = self.runs(experiment=experiment, states=None if state is None else (state,), limit=1)
        return found[0] if found else None

    def notes(self, target: str) -> list[NoteRow]:
        """Notes about the experiment or the run (a whole id) `target`, the oldest first; [] if there is none."""
        known = self.experiments().get(target)
        if known is None and not is_id(target):
            return []
        return self._ask(lambda db: reading.notes(db, known.identity if known else "", target))

    def outputs(self, *, retracted: bool = True) -> list[OutputRef]:
        """Every stored object that a run of the journal needs, with the run and what it is there."""
        return self._ask(lambda db: list(reading.outputs(db, retracted=retracted)))

    def all_outputs(self, *, retracted: bool = True) -> Iterator[bytes]:
        """Oids of every stored object that a run of the journal needs; trees stand for all below them."""
        return iter({output.oid for output in self.outputs(retracted=retracted)})

    def sweeps(self) -> list[Sweep]:
        """Every sweep and group of replicates that was not taken back, the oldest first."""
        from axil.formats import record

        rows = self._ask(reading.sweeps)
        found = [record.decode(data, f"sweep {key}") for key, data in rows]
        return [one for one in found if isinstance(one, record.Sweep)]

    def members(self, sweep: str) -> list[RunRow]:
        """The runs of the sweep or group with that whole id, the oldest first."""
        return self._ask(lambda db: reading.members(db, sweep))

    def of_snapshots(self, trees: Sequence[str], seed: int | None = None) -> dict[str, list[RunRow]]:
        """Git tree -> the runs with exactly that code, that seed (None for none) and no sample, the newest first."""
        return self._ask(lambda db: reading.of_snapshots(db, trees, seed))

    def problems(self) -> list[Problem]:
        """Entries of the journal that could not be used and were passed over."""
        return self._ask(reading.problems)

    # -- single runs and stages --------------------------------------------------------------------------------------

    def resolve(self, text: str) -> tuple[str, str]:
        """What `text` names: ("experiment", its name) or ("run", whole id). Experiments' names go first.

        A run is named by any unique beginning of its id, or end of at least 4 characters, in either case.
        Raises `NotFound`, with the candidates if there are several.
        """
        if text in self.experiments():
            return "experiment", text
        return "run", self._run_id(text)

    def find(self, text: str) -> RunRow:
        """The run that `text` names, or the newest run of the experiment it names. Raises `NotFound`."""
        kind, name = self.resolve(text)
        found = self._run_row(name) if kind == "run" else self.latest(name, None)
        if found is None:
            raise NotFound(f"{text} has no run", "", "run it: `axil run`")
        return found

    def run(self, text: str) -> Run:
        """The whole record of the run that `find` finds, read from git. Raises `NotFound` or `Damaged`."""
        from axil.formats import record
        from axil.git.catfile import CatFile
        from axil.journal import tree

        run = self.find(text).id
        with CatFile(self._git) as cat:
            data = cat.blob(f"{self._index.commit() or self.REF}:{tree.folder('run', run)}/{tree.RECORD}")
        found = record.decode(data, f"run {run}") if data is not None else None
        if not isinstance(found, record.Run):
            raise Damaged(f"the record of run {run} cannot be read", "git has lost it", "run `git fsck`")
        return found

    def is_rehearsal(self, run: str) -> bool:
        """Whether the run with that whole id was on a sample of the data."""
        row = self._run_row(run)
        return row is not None and row.sample > 0

    def attempts(self, run: str) -> list[RunRow]:
        """All attempts of the run that any of them with the whole id `run` belongs to, in their order."""
        return self._ask(lambda db: reading.attempts(db, run))

    def stages(self, run: str) -> list[StageRow]:
        """All stages of the run with that whole id, in their order."""
        return self._ask(lambda db: reading.stages(db, run))

    def cached(self, key: str) -> StageRow | None:
        """The newest succeeded stage with that key, whoever ran it on whichever branch."""
        return self._ask(lambda db: reading.cached(db, key)) if key else None

    def last_stage(self, name: str, experiment: str | None = None, *, sample: int = 0) -> StageRow | None:
        """The newest record of the stage that was not skipped: of this experiment, else of its ancestors, else any.

        Only runs on all data count; with a `sample` only rehearsals on so many.
        """
        line = self._line(experiment) if experiment else []
        return self._ask(lambda db: reading.last_stage(db, name, line, sample))

    # -- keeping the index -------------------------------------------------------------------------------------------

    @property
    def tip(self) -> str:
        """The journal commit that is shown; "" for an empty journal."""
        self._ask(lambda db: None)
        return self._tip

    def refresh(self, tip: str | None = None) -> None:
        """See what others appended since; `tip` is where the ref is now, if the caller knows ("" for no ref)."""
        self._tip = _UNKNOWN if tip is None else tip
        self._fresh = False
        self._ask(lambda db: None)

    def close(self) -> None:
        """Close the index; the journal opens it again when asked."""
        self._index.close()
        self._fresh = False

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of the up-to-date index; a broken one is made anew, in memory if the disk refuses."""
        for _ in range(3):
            try:
                if not self._fresh:
                    self._catch_up()
                    self._fresh = True
                return question(self._index.connection)
            except sqlite3.Error as error:
                self._index.recover(error)
                self._fresh = False
        self._catch_up()
        return question(self._index.connection)

    def _catch_up(self) -> None:
        if self._tip == _UNKNOWN:
            self._tip = self._read_tip()
        while (have := self._index.commit()) != self._tip:
            from axil.git.catfile import CatFile
            from axil.journal import tree

            if not self._tip:
                self._index.update(have, "", Batch(()), anew=True)
                continue
            with CatFile(self._git) as cat:
                found = tree.changes(cat, have, self._tip)
                if found.lost:
                    # Either the index is ahead of what we took for the tip, or the ref was set back.
                    now = self._read_tip()
                    if now != self._tip:
                        self._tip = now
                        continue
                    found = tree.changes(cat, "", self._tip)
                    self._index.update(have, self._tip, self._batch(cat, found), anew=True)
                else:
                    self._index.update(have, self._tip, self._batch(cat, found))

    def _batch(self, cat: CatFile, found: tree.Changes) -> Batch:
        if not found.places:
            return Batch((), found.problems)
        from axil.formats.record import decode, kind_of
        from axil.journal import tree

        records, problems = [], found.problems
        for place, data in tree.read_records(self._git, cat, found.places, problems):
            try:
                record = decode(data, place.path)
            except BadInput as error:
                problems.append(Problem(place.path, error.why))
                continue
            if record is None or kind_of(record) != place.kind or record.id != place.id:
                problems.append(Problem(place.path, "the record's kind or id is not that of its folder"))
            else:
                records.append(record)
        return Batch(records, problems)

    def _bring_forward(self, parent: str, commit: str, records: Sequence[AnyRecord]) -> None:
        """After an own commit: the index gets the records straight, or catches up later if that fails."""
        self._tip, self._fresh = commit, False
        with suppress(sqlite3.Error, Busy):
            self._fresh = self._index.update(parent, commit, Batch(records))

    def _has(self, kind: str, id: str) -> bool:
        table = "runs WHERE id = ? AND ? = 'run'" if kind == "run" else "records WHERE id = ? AND kind = ?"
        return self._ask(lambda db: db.execute(f"SELECT 1 FROM {table}", (id, kind)).fetchone()) is not None

    def _read_tip(self) -> str:
        return read_commit(self._git, self.REF)

    def _is_ancestor(self, one: str, two: str) -> bool:
        return self._git.ok("merge-base", "--is-ancestor", one, two)

    def _attempts(self) -> Iterator[int]:
        """0, 1, 2 … with growing random pauses between, for 30 s; then raises `Busy`."""
        deadline, attempt = time.monotonic() + _PATIENCE, 0
        while attempt == 0 or time.monotonic() < deadline:
            if attempt:
                # Random, so that two processes that collided once do not go on colliding.
                time.sleep(min(0.2, 0.002 * 2**attempt) * os.urandom(1)[0] / 255)
            yield attempt
            attempt += 1
        raise Busy(
            "the journal could not be written",
            f"other processes kept moving {self.REF} for {_PATIENCE:.0f} s",
            "try again; if no other axil runs, look for a stale .lock file beside the ref",
        )

    # -- names ---------------------------------------------------------------------------------------------------------

    def _identities(self, experiment: str) -> list[str]:
        known = self.experiments()
        if experiment not in known:
            from difflib import get_close_matches

            near = get_close_matches(experiment, list(known), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see `axil tree --all`"
            raise NotFound(f"the journal knows no experiment {experiment}", "it has no run and no fork record", hint)
        return [known[experiment].identity]

    def _line(self, experiment: str) -> list[str]:
        """Identities of an experiment and its ancestors, itself first."""
        by_identity = {one.identity: one for one in self.all_experiments()}
        one = by_name(by_identity.values()).get(experiment)
        line: list[str] = []
        while one is not None and one.identity not in line:
            line.append(one.identity)
            one = by_identity.get(one.parent_identity)
        return line

    def _run_row(self, run: str) -> RunRow | None:
        return self._ask(lambda db: reading.run(db, run))

    def _run_id(self, text: str) -> str:
        wanted = text.strip().upper()
        if not wanted or len(wanted) > LENGTH or any(char not in ALPHABET for char in wanted):
            raise NotFound(f"there is no experiment or run {text}", "", "see `axil tree` and `axil runs`")
        found = self._ask(lambda db: reading.run_ids(db, wanted, 11))
        if not found and len(wanted) >= _SHORTEST_END:
            found = self._ask(lambda db: reading.run_ids_ending(db, wanted, 11))
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFound(f"there is no experiment or run {text}", "", "see `axil tree` and `axil runs`")
        rows = [row for one in found[:10] if (row := self._run_row(one))]
        lines = [f"  {row.id}  {row.experiment}  {iso(row.time)}  {row.state}" for row in rows]
        raise NotFound(
            f"{text} may be any of several runs",
            "\n".join(lines + ["  …"] * (len(found) > 10)),
            "type more characters of the id",
        )
