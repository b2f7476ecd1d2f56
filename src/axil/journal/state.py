"""What the journal's records add up to: which experiments exist, under which names, from which parents.

The fold is pure and does not depend on the order in which records arrive: it sorts them by id. An experiment keeps
one identity through renames; a name that is used again means another experiment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.journal.rows import Experiment, by_name

if TYPE_CHECKING:
    from axil.formats.record import AnyRecord, Archive, Delete, Fork, Note, Rename, Restore, Retract

__all__ = ["Experiment", "Inferred", "State", "by_name", "fold", "implicit", "infer_parents"]


class State(NamedTuple):
    """The folded journal, without its runs."""

    experiments: dict[str, Experiment]
    """By identity. An experiment that only runs mention is not here: see `implicit`."""
    spans: dict[str, list[tuple[str, str]]]
    """Name -> (record id from which on, identity), ascending: whom the name meant at which time."""
    notes: list[tuple[Note, str]]
    """Notes that count, in order, each with the identity it is about ("" for a note about a run)."""
    retracted: frozenset[str]
    """Ids of records that no longer count."""

    def identity(self, name: str, at: str) -> str:
        """The identity that `name` meant when the record `at` (an id) was made."""
        return _meaning(self.spans, name, at)

    def current(self, name: str) -> str:
        """The identity that `name` means now."""
        return _meaning(self.spans, name, "~")


def implicit(identity: str, state: State) -> Experiment:
    """The experiment behind an identity that no fork record made: a branch of plain git, known from its runs only."""
    name = identity.rpartition("@")[0]
    replaced = state.current(name) != identity
    return Experiment(name, None, True, "", "", 0.0, "", "", False, replaced, identity)


def fold(records: Iterable[AnyRecord]) -> State:
    """What `records`, in any order, add up to; runs among them only make their experiments known."""
    from axil.formats import record as kinds

    ordered = sorted({(r.id, kinds.kind_of(r)): r for r in records}.items(), key=lambda item: item[0])
    retracted = _retracted([r for _, r in ordered if isinstance(r, kinds.Retract)])
    book = _Book()
    steps = {
        kinds.Fork: book.fork,
        kinds.Rename: book.rename,
        kinds.Archive: book.archive,
        kinds.Restore: book.restore,
        kinds.Delete: book.delete,
        kinds.Note: book.note,
    }
    for _, record in ordered:
        step = steps.get(type(record))
        if step and record.id not in retracted:
            step(record)  # type: ignore[operator]
    state = State(book.experiments(), book.spans, book.notes, retracted)
    for _, record in ordered:
        if isinstance(record, kinds.Run) and record.experiment and record.id not in retracted:
            identity = state.identity(record.experiment, record.id)
            if identity not in state.experiments:
                state.experiments[identity] = implicit(identity, state)
    return state


def _retracted(retracts: Sequence[Retract]) -> frozenset[str]:
    """Targets of the retracts that count. A retract falls only to a later one, so two cannot cancel each other."""
    ids = {r.id for r in retracts}
    off: set[str] = set()
    for one in reversed(retracts):
        if one.id not in off and (one.target not in ids or one.target < one.id):
            off.add(one.target)
    return frozenset(off)


def _meaning(spans: Mapping[str, list[tuple[str, str]]], name: str, at: str) -> str:
    bound = spans.get(name, ())
    place = bisect_right(bound, at, key=lambda span: span[0])
    return bound[place - 1][1] if place else f"{name}@"


class _Entry:
    """An experiment while the fold is under way."""

    __slots__ = ("archived", "deleted", "fork", "name", "parent", "tip")

    def __init__(self, name: str, fork: Fork | None, parent: str) -> None:
        self.name = name
        self.fork = fork
        self.parent = parent
        self.tip = ""
        self.archived = False
        self.deleted = False


class _Book:
    """The fold's working state: one method a kind of record, called in the order of ids."""

    def __init__(self) -> None:
        self.entries: dict[str, _Entry] = {}
        self.spans: dict[str, list[tuple[str, str]]] = {}
        self.notes: list[tuple[Note, str]] = []
        self._ousted: dict[tuple[str, str], str] = {}
        """(name, who was renamed to it) -> whom the name meant before."""

    def fork(self, record: Fork) -> None:
        parent = self._meant(record.parent) if record.parent else ""
        living = self._living(record.name)
        twin = self.entries[living].fork if living else None
        if twin and twin.commit == record.commit and self.entries[living].parent == parent:
            return  # two clones made the same fork
        self._take(record.name, record.id, record.id)
        self.entries[record.id] = _Entry(record.name, record, parent)

    def rename(self, record: Rename) -> None:
        identity = self._meant(record.old, deleted=False)
        entry = self.entries[identity]
        if record.old == record.new:
            return
        if not entry.archived:
            self._free(record.old, record.id)
            self._give_back(record.old, record.id, identity)
            self._ousted[record.new, identity] = self._now(record.new)
            self._take(record.new, record.id, identity)
        entry.name = record.new

    def archive(self, record: Archive) -> None:
        if not self._living(record.name) and self._gone(record.name, record.commit, archived=True):
            return  # two clones archived it
        entry = self.entries[self._ensure(self._now(record.name))]
        entry.archived, entry.tip = True, record.commit
        self._free(record.name, record.id)

    def restore(self, record: Restore) -> None:
        identity = (
            self._gone(record.name, record.commit, archived=True)
            or self._gone(record.name, archived=True)
            or self._gone(record.name, record.commit)
        )
        if identity:
            self._take(record.name, record.id, identity)
            entry = self.entries[identity]
            entry.archived, entry.deleted, entry.tip = False, False, ""

    def delete(self, record: Delete) -> None:
        gone = self._gone(record.name, record.commit, archived=True)
        if gone and not self._living(record.name):
            self.entries[gone].deleted = True
            return
        if not self._living(record.name) and self._gone(record.name, record.commit):
            return  # two clones deleted it
        entry = self.entries[self._ensure(self._now(record.name))]
        entry.deleted, entry.tip = True, record.commit
        self._free(record.name, record.id)

    def note(self, record: Note) -> None:
        from axil.base.ids import is_id

        self.notes.append((record, "" if is_id(record.target) else self._meant(record.target)))

    def experiments(self) -> dict[str, Experiment]:
        """The entries as values, parents by their names of now."""
        return {identity: self._value(identity, entry) for identity, entry in sorted(self.entries.items())}

    def _value(self, identity: str, entry: _Entry) -> Experiment:
        fork = entry.fork
        return Experiment(
            name=entry.name,
            parent=self._parent_name(entry),
            inferred=fork is None,
            hypothesis=fork.hypothesis if fork else "",
            author=fork.author if fork else "",
            created=fork.time if fork else 0.0,
            commit=fork.commit if fork else "",
            run=fork.run if fork else "",
            archived=entry.archived and not entry.deleted,
            deleted=entry.deleted,
            identity=identity,
            parent_identity=entry.parent,
            tip=entry.tip,
        )

    def _parent_name(self, entry: _Entry) -> str | None:
        """The name of the nearest ancestor whose name does not mean another experiment now."""
        while parent := self.entries.get(entry.parent):
            if self._living(parent.name) in ("", entry.parent):
                return parent.name
            entry = parent
        return None

    def _now(self, name: str) -> str:
        return _meaning(self.spans, name, "~")

    def _ensure(self, identity: str) -> str:
        if identity not in self.entries:
            self.entries[identity] = _Entry(identity.rpartition("@")[0], None, "")
        return identity

    def _living(self, name: str) -> str:
        """The identity that bears `name` as a branch and that some record has mentioned, or ""."""
        identity = self._now(name)
        return identity if identity in self.entries else ""

    def _gone(self, name: str, commit: str = "", *, archived: bool = False) -> str:
        """The youngest archived (or else: deleted) identity called `name` (with the tip `commit` if given), or ""."""
        found = ""
        for identity, entry in self.entries.items():
            state = entry.archived and not entry.deleted if archived else entry.deleted
            if state and entry.name == name and (not commit or entry.tip == commit):
                found = max(found, identity)
        return found

    def _meant(self, name: str, *, deleted: bool = True) -> str:
        """Whom a record that says `name` means: the living, else the archived, else the deleted, else a new one."""
        found = self._living(name) or self._gone(name, archived=True)
        if not found and deleted and name in self.spans:
            found = self._gone(name)
        return found or self._ensure(self._now(name))

    def _take(self, name: str, at: str, identity: str) -> None:
        """From record `at` on, `name` means `identity`; whoever bore it must have lost its branch."""
        if living := self._living(name):
            self.entries[living].deleted = living != identity
        self.spans.setdefault(name, []).append((at, identity))

    def _give_back(self, name: str, at: str, identity: str) -> None:
        """`identity` no longer has the `name` it was renamed to, which means again what it meant before."""
        ousted = self._ousted.pop((name, identity), "")
        entry = self.entries.get(ousted)
        if ousted and (entry is None or entry.name == name):
            self.spans[name].append((at, ousted))
            if entry is not None:
                entry.deleted = False

    def _free(self, name: str, at: str) -> None:
        self.spans.setdefault(name, []).append((at, f"{name}@{at}"))


class Inferred(NamedTuple):
    """Where a branch made with plain git seems to come from."""

    parent: str | None
    commit: str
    """The nearest commit that belongs to the parent, "" without one."""


def infer_parents(
    tips: Mapping[str, str],
    forks: Mapping[str, str],
    parents: Mapping[str, Sequence[str]],
    trunk: str | None = None,
) -> dict[str, Inferred]:
    """The origin of every experiment of `tips` (name -> commit) that is not in `forks` (name -> recorded fork point).

    `parents` is the ancestry as one `git log --format='%H %P'` gives it. Each commit belongs to one experiment: the
    `trunk` (main branch) claims its line of first parents, recorded forks theirs down to the fork point, and then the
    others, shortest line first, down to the first claimed commit, whose owner is the parent. Linear in the commits.
    """
    owner: dict[str, str] = {}
    found: dict[str, Inferred] = {}
    lengths = _line_lengths(tips.values(), parents)

    def rank(name: str) -> tuple[int, int, str]:
        return (0 if name == trunk else 1 if name in forks else 2, lengths[tips[name]], name)

    for name in sorted(tips, key=rank):
        stop, commit, line = forks.get(name, ""), tips[name], []
        while commit and commit != stop and commit not in owner:
            line.append(commit)
            commit = next(iter(parents.get(commit, ())), "")
        owner.update(dict.fromkeys(line, name))
        if name not in forks:
            found[name] = Inferred(owner.get(commit), commit)
    return found


def _line_lengths(tips: Iterable[str], parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Commit -> number of commits in its line of first parents, for all commits below `tips`."""
    lengths: dict[str, int] = {"": 0}
    for tip in tips:
        path, seen, commit = [], set[str](), tip
        while commit not in lengths and commit not in seen:
            path.append(commit)
            seen.add(commit)
            commit = next(iter(parents.get(commit, ())), "")
        base = lengths.get(commit, 0)
        for offset, one in enumerate(reversed(path), 1):
            lengths[one] = base + offset
    return lengths
