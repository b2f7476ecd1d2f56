"""Branches and journal exchanged with a git remote: fetched and united, pushed together, again after a lost race."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence

from axil.actions.experiments import ARCHIVE, HEADS, OTHERS, TRACKING
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Blocked, Busy, GitFailed
from axil.git import remote as git_remote
from axil.git.refs import list_refs, read_commit, update_refs
from axil.git.remote import RefAnswer, Refused
from axil.journal import REF

if TYPE_CHECKING:
    from axil.project import Project

MIRROR = "refs/axil/mirror/"
"""All branches and tags of a git remote, fetched for a prune."""
TRIES = 10
PAUSE = 0.2
"""Seconds; the longest pause after the first lost race, and twice as long after each further one, up to 5 s."""


class Sent(NamedTuple):
    """What a push changed at the git remote: ref -> commit."""

    changed: Mapping[str, str]
    behind: tuple[str, ...]
    """Refs of which the remote has newer commits."""
    words: tuple[str, ...]
    """What the other side said."""
    tries: int


def journal_of(remote: str) -> str:
    """The ref at which the journal of a git remote is kept as it was fetched."""
    return f"{OTHERS}{remote}/journal"


def refspecs(remote: str) -> tuple[str, str]:
    """What is fetched from a git remote besides its branches. Patterns, for git fails where a plain ref is missing."""
    return f"+{REF}*:{journal_of(remote)}*", f"+{ARCHIVE}*:{OTHERS}{remote}/archive/*"


def receive(project: Project, remote: str, progress: Progress = SILENT) -> bool:
    """Fetch branches, tags, archived branches and the journal, which is united with the own; whether that grew."""
    before = project.journal.tip
    git_remote.fetch_configured(project.git, remote, refspecs(remote), progress=progress, ask=project.interactive)
    unite(project, remote)
    return project.journal.tip != before


@contextlib.contextmanager
def mirrored(project: Project, remote: str, progress: Progress = SILENT) -> Iterator[None]:
    """With every branch, tag and archived branch there is, whatever the user's configuration leaves out."""
    receive(project, remote, progress)
    specs = [f"+refs/{kind}/*:{MIRROR}{remote}/{kind}/*" for kind in ("heads", "tags")]
    git_remote.fetch(project.git, remote, specs, prune=True, progress=progress, ask=project.interactive)
    try:
        yield
    finally:
        update_refs(project.git, [(ref, None, commit) for ref, commit in list_refs(project.git, MIRROR).items()])


def unite(project: Project, remote: str) -> None:
    """Take what was fetched of the remote's journal into the own one."""
    theirs = read_commit(project.git, journal_of(remote))
    if theirs:
        project.journal.merge(theirs)


def look(project: Project, remote: str, refs: Sequence[str]) -> dict[str, str]:
    """Where `refs` and the journal are at the git remote now; those it has."""
    wanted = {*refs, REF}
    there = git_remote.ls_remote(project.git, remote, sorted(wanted), ask=project.interactive)
    return {ref: commit for ref, commit in there.items() if ref in wanted}


def check(project: Project, remote: str, refs: Mapping[str, str], there: Mapping[str, str]) -> tuple[str, ...]:
    """The refs of which the remote has newer commits. Raises `Blocked`, naming those that diverged.

    Commits of the other side that are not here are fetched.
    """
    others = {ref: there[ref] for ref, mine in refs.items() if there.get(ref, mine) != mine}
    unknown = [ref for ref, commit in others.items() if not has(project, commit)]
    if unknown:
        specs = [f"+{ref}:{_tracking(remote, ref)}" for ref in unknown]
        git_remote.fetch(project.git, remote, specs, ask=project.interactive)
    behind = tuple(ref for ref, theirs in others.items() if contains(project, theirs, refs[ref]))
    diverged = [ref for ref, theirs in others.items() if ref not in behind and not contains(project, refs[ref], theirs)]
    if diverged:
        names = [short(ref) for ref in diverged]
        raise Blocked(
            f"{', '.join(names)} went another way at {remote}",
            "there are commits there that are not here, and the reverse; nothing was pushed, nothing is lost",
            f"take theirs in: axil fetch, then on {names[0]}: git merge {remote}/{names[0]}, and push again\n"
            "or replace theirs by yours: axil push --force",
            tuple(names),
        )
    return behind


def send(
    project: Project,
    remote: str,
    refs: Mapping[str, str],
    *,
    force: bool = False,
    there: Mapping[str, str] | None = None,
    progress: Progress = SILENT,
) -> Sent:
    """Push `refs` (ref -> commit) and the journal, all or none where the server can; `there` is a first look.

    After a lost race everything is fetched, united and tried again. Raises `Blocked` for branches that diverged
    unless `force`, `Refused` if the server does not take them, `Busy` if the race was lost ten times.
    """
    why = ""
    for attempt in range(TRIES):
        if attempt:
            # Random, so that two who collided once do not go on colliding.
            time.sleep(min(PAUSE * 2**attempt, 5.0) * os.urandom(1)[0] / 255)
        try:
            there = look(project, remote, list(refs)) if there is None else there
            sent = _try(project, remote, refs, there, force, progress)
        except GitFailed as error:
            if "cannot lock ref" not in error.why:  # Another axil in this clone fetches the same.
                raise
            sent = error.why
        if isinstance(sent, Sent):
            return sent._replace(tries=attempt + 1)
        there, why = None, sent
    raise Busy(
        f"the push to {remote} did not come through",
        f"tried {TRIES} times, as if others pushed at the same time; nothing is lost; {why}",
        "give the same command again",
    )


def _try(
    project: Project, remote: str, refs: Mapping[str, str], there: Mapping[str, str], force: bool, progress: Progress
) -> Sent | str:
    """One attempt; why it failed, if that may be because somebody else was quicker."""
    _take_journal(project, remote, there.get(REF, ""))
    behind = () if force else check(project, remote, refs, there)
    if force:
        _keep_theirs(project, remote, refs, there)
    wanted = {ref: commit for ref, commit in refs.items() if there.get(ref) != commit and ref not in behind}
    if project.journal.tip and project.journal.tip != there.get(REF):
        wanted[REF] = project.journal.tip
    if not wanted:
        return Sent({}, behind, (), 1)
    specs = [f"{commit}:{ref}" for ref, commit in wanted.items()]
    leases = [f"{ref}:{there[ref]}" for ref in wanted if force and ref != REF and ref in there]
    done = git_remote.push(project.git, remote, specs, leases=leases, progress=progress, ask=project.interactive)
    rejected = [answer for answer in done.refs if answer.flag == "!"]
    for_good = [answer for answer in rejected if not (answer.moved or answer.victim)]
    if for_good:
        raise _refused(remote, for_good, done.words)
    if rejected:
        if force:
            _refuse_unseen(project, remote, refs, there)
        return "; ".join(f"{short(answer.ref)}: {answer.reason}" for answer in rejected)
    if REF in wanted:
        _note(project, journal_of(remote), wanted[REF])
    return Sent(wanted, behind, done.words, 1)


def _refuse_unseen(project: Project, remote: str, refs: Mapping[str, str], there: Mapping[str, str]) -> None:
    """Raise `Blocked` if one of `refs` is not where it was when the force-push was asked for."""
    now = look(project, remote, list(refs))
    taken = tuple(short(ref) for ref in refs if now.get(ref) != there.get(ref))
    if taken:
        raise Blocked(
            f"somebody else pushed to {', '.join(taken)} meanwhile",
            "--force replaces only what was there when it was given; nothing was pushed",
            "see what came: axil fetch; then decide again",
            taken,
        )


def _take_journal(project: Project, remote: str, theirs: str) -> None:
    """Unite the own journal with the remote's, which is at `theirs` now."""
    if not theirs or contains(project, project.journal.tip, theirs):
        return
    git_remote.fetch(project.git, remote, [f"+{REF}:{journal_of(remote)}"], ask=project.interactive)
    unite(project, remote)


def _keep_theirs(project: Project, remote: str, refs: Mapping[str, str], there: Mapping[str, str]) -> None:
    """Have the commits that are going to be replaced here: a force-push must not be the end of them."""
    specs = [
        f"+{ref}:{_tracking(remote, ref)}"
        for ref, mine in refs.items()
        if there.get(ref, mine) != mine and not has(project, there[ref])
    ]
    if specs:
        git_remote.fetch(project.git, remote, specs, ask=project.interactive)


def _refused(remote: str, answers: Sequence[RefAnswer], words: Sequence[str]) -> Refused:
    lines = [f"{short(one.ref)}: {one.reason}" for one in answers]
    hint = "the server has the last word; what it says stands above"
    if any("checked out" in one.reason for one in answers):
        hint = "push to a bare repository (git init --bare), or let the other side check out another branch"
    return Refused(f"{remote} did not take what was pushed", "\n".join([*lines, *words]), hint)


def _note(project: Project, ref: str, commit: str) -> None:
    """Remember where the remote's ref is; only a short cut for the next time."""
    before = read_commit(project.git, ref)
    if before != commit:
        with contextlib.suppress(GitFailed, Busy):
            update_refs(project.git, [(ref, commit, before or None)])


def _tracking(remote: str, ref: str) -> str:
    """Where what is fetched of `ref` goes."""
    if ref.startswith(HEADS):
        return f"{TRACKING}{remote}/{ref.removeprefix(HEADS)}"
    return f"{OTHERS}{remote}/archive/{ref.removeprefix(ARCHIVE)}"


def has(project: Project, commit: str) -> bool:
    """Whether the commit is in this clone."""
    return project.git.call("cat-file", "-e", f"{commit}^{{commit}}").code == 0


def contains(project: Project, tip: str, commit: str) -> bool:
    """Whether `commit` is in the history of `tip`; not, if one of them is not here."""
    if not tip or not commit:
        return False
    return tip == commit or project.git.call("merge-base", "--is-ancestor", commit, tip).code == 0


def short(ref: str) -> str:
    """A ref as people call it."""
    return "the journal" if ref == REF else ref.removeprefix(HEADS).removeprefix(ARCHIVE)
