"""Before a push: what would travel, and whether a colleague could reproduce the experiment with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from axil.actions import exchange
from axil.actions.belongings import Belonging, best_run, runs_of
from axil.actions.push import Parcel, fetching, pack, unavailable
from axil.actions.sharing import ADD, lacking, on_others, open_storage, storage_name
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.pointers import nested_in
from axil.errors import AxilError, BadInput
from axil.formats.project import FILE, ProjectFile
from axil.journal import REF

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.journal.rows import Experiment
    from axil.project import Project

LOCKS = re.compile(
    r"uv\.lock|pylock(\.[^/]+)?\.toml|requirements[^/]*\.txt|poetry\.lock|pdm\.lock|Pipfile\.lock|pixi\.lock"
    r"|conda-lock\.ya?ml|environment\.ya?ml"
)
"""Files that say which packages the code needs."""


class Reason(NamedTuple):
    """Why a colleague could not reproduce an experiment.

    `kind` is "missing", "uncommitted", "unsaved", "run", "input", "lock" or "remote"; `path` is "" if it is about none.
    """

    kind: str
    path: str
    text: str
    hint: str


class Verdict(NamedTuple):
    """Whether a colleague who clones could reproduce the experiment once it is pushed."""

    experiment: str
    reproducible: bool
    reasons: tuple[Reason, ...]


class Travelling(NamedTuple):
    """One experiment. `state`: "new", "updated", "unchanged", "behind", "diverged"; "unknown" where git is offline."""

    name: str
    commit: str
    state: str
    commits: int
    runs: int


class Preflight(NamedTuple):
    """What a push would do now."""

    git: str
    storage: str
    experiments: tuple[Travelling, ...]
    objects: int
    bytes: int
    verdicts: tuple[Verdict, ...]
    trouble: tuple[str, ...]
    """What could not be asked."""


def preflight(
    project: Project,
    names: Sequence[str] = (),
    *,
    everything: bool = False,
    remote: str = "",
    git: str = "",
    progress: Progress = SILENT,
) -> Preflight:
    """What `push` with the same arguments would send, and what would be missing there; sends nothing."""
    trouble: list[str] = []
    parcel = pack(project, names, everything=everything, git=git)
    travelling = _travelling(project, parcel, trouble)
    storage, objects, size, gone = _data(project, parcel, remote, trouble)
    others = on_others(project, storage, [one.oid for one in gone if one.current]) if gone else {}
    verdicts = []
    for one in parcel.chosen:
        reasons = [*_missing(gone, one.name, others), *_code(project, one), *_pipeline(project, one)]
        if parcel.needed.items and not storage:
            reasons.insert(0, Reason("remote", "", "there is no storage remote for its data and results", ADD))
        verdicts.append(Verdict(one.name, not reasons, tuple(reasons)))
    return Preflight(parcel.git, storage, travelling, objects, size, tuple(verdicts), tuple(trouble))


def _travelling(project: Project, parcel: Parcel, trouble: list[str]) -> tuple[Travelling, ...]:
    try:
        there = exchange.look(project, parcel.git, list(parcel.refs))
    except AxilError as error:
        trouble.append(error.what)
        there = None
    theirs = _known_runs(project, parcel.git, there)
    found = []
    for one, (ref, commit) in zip(parcel.chosen, parcel.refs.items(), strict=True):
        state = "unknown" if there is None else _state(project, commit, there.get(ref, ""))
        has = [tip for name, tip in (there or {}).items() if name != REF and exchange.has(project, tip)]
        commits = 0 if state in ("unchanged", "behind") else _count(project, commit, [*has, f"--remotes={parcel.git}"])
        runs = sum(row.id not in theirs for row in runs_of(project, one.name))
        found.append(Travelling(one.name, commit, state, commits, runs))
    return tuple(found)


def _state(project: Project, mine: str, theirs: str) -> str:
    if not theirs:
        return "new"
    if theirs == mine:
        return "unchanged"
    if exchange.contains(project, mine, theirs):
        return "updated"
    return "behind" if exchange.contains(project, theirs, mine) else "diverged"


def _count(project: Project, commit: str, known: Sequence[str]) -> int:
    """How many commits of the history of `commit` are not in what is `known`."""
    return int(project.git.run("rev-list", "--count", commit, "--not", *known))


def _known_runs(project: Project, remote: str, there: dict[str, str] | None) -> set[str]:
    """Ids of the runs in the remote's journal, as far as that is known here."""
    from axil.git.refs import read_commit

    tip = (there or {}).get(REF, "")
    if not tip or not exchange.has(project, tip):
        tip = read_commit(project.git, exchange.journal_of(remote))
    if not tip:
        return set()
    lines = project.git.run("ls-tree", "-r", "-d", "-z", "--name-only", tip, "--", "run/").split(b"\0")
    return {parts[2].decode("ascii", "replace") for line in lines if len(parts := line.split(b"/")) == 3}


def _data(
    project: Project, parcel: Parcel, remote: str, trouble: list[str]
) -> tuple[str, int, int, tuple[Belonging, ...]]:
    """(storage remote, objects, bytes, what is nowhere); from what was known before if it cannot be asked."""
    from axil.transfer.push import plan_push

    if not parcel.needed.items:
        return "", 0, 0, ()
    if not project.remotes:
        away = lacking(project, parcel.needed.oids)
        return "", 0, 0, tuple(one for one in parcel.needed.items if one.oid in away)
    name = storage_name(project, remote)
    with open_storage(project, name) as storage:
        asked = True
        try:
            gone = unavailable(project, storage, parcel.needed)
        except AxilError as error:
            asked = False
            trouble.append(error.what)
            catalog = storage.catalog
            away = lacking(project, catalog.missing(parcel.needed.oids), catalog=catalog)
            gone = tuple(one for one in parcel.needed.items if one.oid in away)
        out = {one.oid for one in gone}
        send = [oid for oid in parcel.needed.oids if oid not in out]
        plan = plan_push(project.store, storage.catalog, send, ask=asked)
        return name, plan.send, plan.bytes, gone


def _missing(gone: Sequence[Belonging], name: str, others: Mapping[Oid, str]) -> Iterator[Reason]:
    for one in gone:
        if one.current and one.experiment == name:
            text = f"{one.path} (needed by {one.by}) is neither here nor on the remote"
            hint = "axil add it again, or axil run what made it"
            if one.oid in others:
                text, hint = f"{text}, but {others[one.oid]} has it", fetching([one], others)[0]
            yield Reason("missing", one.path, text, hint)


def _code(project: Project, one: Experiment) -> Iterator[Reason]:
    """Changes of the work tree that are in no commit, and code that the best run used and no commit has."""
    if one.name == project.head.branch:
        from axil.actions.status import status

        now = status(project)
        for change in now.code:
            if change.code != "??":
                yield Reason("uncommitted", change.path, f"{change.path} has uncommitted changes", "git commit")
        for path in now.conflicts:
            yield Reason("uncommitted", path, f"{path} is not merged", "git status tells how to finish the merge")
        for data in now.data:
            if data.state == "changed":
                hint = f"axil add {data.path}, then git commit"
                yield Reason("unsaved", data.path, f"{data.path} has edits that are not saved", hint)
    best = best_run(project, runs_of(project, one.name))
    if best is None:
        return
    for path in _not_in(project, best.id, one.tip):
        text = f"{path} in the best run ({short(best.id)}) is not as it is committed"
        yield Reason("run", path, text, f"commit what it ran: axil fork NAME --from {short(best.id)}, or axil run -m")


def _not_in(project: Project, run: str, tip: str) -> list[str]:
    """Files of the run's snapshot that differ from the newest commit; none if a commit of the branch has them all."""
    from axil.actions.code import code_changes
    from axil.data.pointers import is_pointer
    from axil.git.history import resolve

    record = project.journal.run(run)
    if not record.snapshot:
        return []
    committed = record.commit and exchange.contains(project, tip, record.commit)
    if committed and resolve(project.git, record.commit, "tree") == record.snapshot:
        return []
    try:
        changes = code_changes(project.git, tip, record.snapshot, lambda path: path.endswith(".gitignore"))
    except AxilError:
        return []
    return [change.path for change in changes if not is_pointer(change.path)]


def _pipeline(project: Project, one: Experiment) -> Iterator[Reason]:
    """Inputs of stages that a clone would not have, and a missing list of packages."""
    from axil.actions.tracking import pointers_at
    from axil.git.diff import ls_tree

    files = {entry.name for entry in ls_tree(project.git, one.tip)}
    try:
        stages = _file_at(project, one.tip).stages
    except BadInput as error:
        yield Reason("input", FILE, f"{error.what}: {error.why}", "axil graph tells more")
        return
    made = {*pointers_at(project, one.tip), *(path for stage in stages.values() for path in stage.made)}
    folders = []
    for dep in dict.fromkeys(dep for stage in stages.values() for dep in stage.deps):
        if not any(_touch(dep, path) for path in {*files, *made}):
            text = f"{dep} is an input, and neither in git nor tracked by axil nor made by a stage"
            yield Reason("input", dep, text, f"axil add {dep} (data) or git add {dep} (code)")
        elif dep not in made and not nested_in(dep, made):
            folders.append(dep)
    untracked = _untracked(project, folders, made) if one.name == project.head.branch else []
    for path in untracked:
        yield Reason("input", path, f"{path} is part of an input, and in no commit", f"git add {path}")
    for path, stage in _code_of_stages(project, one, files).items():
        if path not in untracked and not nested_in(path, made):
            yield Reason("input", path, f"{path} is code of stage {stage}, and in no commit", f"git add -f {path}")
    if stages and not any(LOCKS.fullmatch(path.rpartition("/")[2]) for path in files):
        text = "no file says which packages the code needs (uv.lock, requirements.txt …)"
        yield Reason("lock", "", text, "uv lock, or pip freeze > requirements.txt; then git add it")


def _code_of_stages(project: Project, one: Experiment, files: set[str]) -> dict[str, str]:
    """Code that stages run and that the newest commit of the experiment does not have -> a stage.

    Of the current experiment it is looked for in the work tree; of others, what the best run used and git never had.
    """
    from axil.actions.run import planner_with
    from axil.git.diff import ls_tree

    found: dict[str, str] = {}
    if one.name == project.head.branch:
        try:
            planner = planner_with(project)
            for stage in planner.graph.stages:
                found.update((path, stage) for path in planner.code(stage))
        except AxilError:
            pass  # `axil run` tells what is wrong with the pipeline.
    elif (best := best_run(project, runs_of(project, one.name))) is not None:
        record = project.journal.run(best.id)
        had = {entry.name for entry in ls_tree(project.git, record.commit)} if record.commit else set()
        found.update((path, stage.name) for stage in record.stages for path in stage.code if path not in had)
    return {path: stage for path, stage in found.items() if path not in files}


def _file_at(project: Project, commit: str) -> ProjectFile:
    """axil.toml as it is in a commit. Raises `BadInput`."""
    from axil.formats import project as project_file
    from axil.git.catfile import CatFile

    with CatFile(project.git) as cat:
        data = cat.blob(f"{commit}:{FILE}")
    return project_file.parse(data.decode("utf-8", "replace")) if data is not None else ProjectFile()


def _untracked(project: Project, folders: Sequence[str], made: set[str]) -> list[str]:
    """Files in `folders` that git does not have and that are not in what axil keeps (`made`), ignored ones too."""
    from axil.base.clutter import is_clutter

    if not folders:
        return []
    listed = project.git.fields("ls-files", "-z", "--others", "--full-name", "--", *folders)
    return [path for path in listed if not is_clutter(path) and path not in made and not nested_in(path, made)]


def _touch(dep: str, path: str) -> bool:
    """Whether one of the two is the other, or lies in it."""
    return dep == path or path.startswith(dep + "/") or dep.startswith(path + "/")
