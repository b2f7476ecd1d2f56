"""Other copies of the repository: what they have, fetching from and pushing to them; the network's failures in words.

The user's credentials, hooks and settings stay in force. Callers check the names of refs that come from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import GitFailed, NotFound
from axil.git.process import Git, Result, failure, no_option, text

if TYPE_CHECKING:
    from axil.git.process import Process

TRACKING = "refs/remotes/"
"""Where git keeps what it knows of the branches of its remotes."""
_PROMPT = {"GIT_TERMINAL_PROMPT": "1"}


class Unreached(GitFailed):
    """The other repository did not answer: trying again later may help."""


class Refused(GitFailed):
    """The other repository does not let this user in, or does not take what was pushed."""


class RefAnswer(NamedTuple):
    """What became of one pushed ref: `flag` as `git push --porcelain` gives it, `reason` why it was rejected."""

    ref: str
    flag: str
    reason: str = ""

    @property
    def moved(self) -> bool:
        """Rejected because the other side is elsewhere than thought: fetch and try again."""
        return self.flag == "!" and bool(_MOVED.search(self.reason))

    @property
    def victim(self) -> bool:
        """Rejected only because another ref of the same atomic push was."""
        return self.flag == "!" and "atomic" in self.reason


class Pushed(NamedTuple):
    """The answers to a push, by ref, and what the other side said to the user."""

    refs: tuple[RefAnswer, ...]
    words: tuple[str, ...]
    atomic: bool


_MOVED = re.compile(
    r"fetch first|non-fast-forward|stale info|failed to update ref|incorrect old value|cannot lock ref"
    r"|reference already exists|failed to lock|remote ref updated since checkout|needs force"
)


_MET = re.compile(r"cannot lock ref|unable to update local ref")
_FETCHES = 10


def remotes(git: Git) -> dict[str, str]:
    """Name -> url (without credentials) of the git remotes of this clone."""
    result = git.call("config", "-z", "--get-regexp", r"^remote\..*\.url$")
    found: dict[str, str] = {}
    for item in text(result.out).split("\0")[:-1]:
        key, _, url = item.partition("\n")
        found.setdefault(key.removeprefix("remote.").removesuffix(".url"), shown(url))
    return found


def shown(url: str) -> str:
    """`url` for messages: without user, password and token."""
    return re.sub(r"^(https?://)[^/@]*@", r"\1", url)


def upstream(git: Git, branch: str) -> tuple[str, str]:
    """(git remote, branch there) that the local `branch` follows; ("", "") if none."""
    out = git.run("for-each-ref", "--format=%(upstream:remotename)%00%(upstream:remoteref)", f"refs/heads/{branch}")
    remote, _, ref = text(out).strip("\n").partition("\0")
    return remote, ref.removeprefix("refs/heads/")


def set_upstream(git: Git, branch: str, remote: str) -> None:
    """Let `branch` follow the one of the same name; nothing happens where git cannot know that one."""
    git.call("branch", "--quiet", f"--set-upstream-to={remote}/{branch}", no_option(branch))


def ls_remote(git: Git, remote: str, patterns: Sequence[str], *, ask: bool = False) -> dict[str, str]:
    """Full ref name -> object id, as the other side has them now; `ask` lets git ask for a password."""
    args = ("ls-remote", "--quiet", "--", no_option(remote), *patterns)
    result, _ = _talk(git, args, SILENT, ask)
    if result.code:
        raise trouble(git, remote, args, result)
    rows = (line.partition("\t") for line in text(result.out).splitlines())
    return {ref: oid for oid, _, ref in rows if not ref.endswith("^{}")}


def fetch(
    git: Git,
    remote: str,
    refspecs: Sequence[str],
    *,
    prune: bool = False,
    progress: Progress = SILENT,
    ask: bool = False,
) -> None:
    """Fetch `refspecs` and nothing else; with `prune`, refs here that they no longer give go."""
    how = ("--prune",) if prune else ()
    args = ("fetch", "--progress", "--no-tags", "--no-auto-gc", *how, "--", no_option(remote), *refspecs)
    _fetch(git, remote, args, progress, ask)


def fetch_configured(
    git: Git, remote: str, more: Sequence[str] = (), *, progress: Progress = SILENT, ask: bool = False
) -> None:
    """Fetch what the user's configuration says, tags included, and the refspecs `more`, with one connection."""
    options = [word for spec in more for word in ("-c", f"remote.{remote}.fetch={spec}")]
    args = (*options, "fetch", "--progress", "--", no_option(remote))
    _fetch(git, remote, args, progress, ask)


def _fetch(git: Git, remote: str, args: tuple[str, ...], progress: Progress, ask: bool) -> None:
    """Fetch, and again where another fetch moved the same refs at the same moment: each time less is left to do."""
    for _ in range(_FETCHES):
        result, _words = _talk(git, args, progress, ask)
        if not result.code:
            return
        if not _MET.search(result.err):
            break
    raise trouble(git, remote, ("fetch",), result)


def push(
    git: Git,
    remote: str,
    refspecs: Sequence[str],
    *,
    leases: Iterable[str] = (),
    atomic: bool = True,
    progress: Progress = SILENT,
    ask: bool = False,
) -> Pushed:
    """Push `refspecs`: all or none where the other side can do that; hooks run as always.

    `leases` are "REF:ID" that may be overwritten if they still are at ID. A rejected ref raises nothing. Raises
    `Unreached`, `Refused`, or another `GitFailed` if the push as a whole failed.
    """
    how = [f"--force-with-lease={lease}" for lease in leases]
    if atomic:
        how.append("--atomic")
    args = ("push", "--porcelain", "--progress", *how, "--", no_option(remote), *refspecs)
    result, words = _talk(git, args, progress, ask)
    if atomic and "does not support --atomic" in result.err:
        return push(git, remote, refspecs, leases=leases, atomic=False, progress=progress, ask=ask)
    answers = tuple(_answers(text(result.out)))
    if result.code and not any(answer.flag == "!" for answer in answers):
        raise trouble(git, remote, args, result)
    return Pushed(answers, words, atomic)


def clone(
    git: Git,
    url: str,
    folder: str,
    refspecs: Sequence[str] = (),
    *,
    progress: Progress = SILENT,
    ask: bool = False,
) -> None:
    """Clone `url` into `folder`; `refspecs` are fetched too, now and by every later fetch."""
    more = [word for spec in refspecs for word in ("-c", f"remote.origin.fetch={spec}")]
    args = ("clone", "--progress", "--origin", "origin", *more, "--", url, folder)
    result, _ = _talk(git, args, progress, ask)
    if result.code:
        raise trouble(git, url, args, result)


def _answers(out: str) -> Iterable[RefAnswer]:
    for line in out.splitlines():
        flag, _, rest = line.partition("\t")
        names, _, summary = rest.partition("\t")
        if len(flag) == 1 and ":" in names:
            reason = re.search(r"\((.*)\)\s*$", summary)
            yield RefAnswer(names.rpartition(":")[2], flag, reason[1] if reason else "")


# Talking


def _talk(git: Git, args: Sequence[str], progress: Progress, ask: bool) -> tuple[Result, tuple[str, ...]]:
    """Run git to its end while its progress is passed on; also what the other side said that is no progress."""
    process = git.start(*args, env=_PROMPT if ask else None)
    meter = _Meter(progress)
    try:
        out = _listen(process, meter)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        meter.close()
    lines = meter.lines
    words = tuple(line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:"))
    own = "\n".join(line for line in lines if not line.startswith("remote:"))
    own = own.removeprefix("fatal: ").removeprefix("error: ")
    return Result(process.wait(), out, own), tuple(word for word in words if word)


def _listen(process: Process, meter: _Meter) -> bytes:
    """Everything `process` writes to stdout; its stderr goes to the meter as it comes."""
    import os
    import selectors

    assert process.stdin and process.stdout and process.stderr
    process.stdin.close()
    parts: list[bytes] = []
    with selectors.DefaultSelector() as ready:
        for pipe in (process.stdout, process.stderr):
            ready.register(pipe, selectors.EVENT_READ)
        while ready.get_map():
            for key, _ in ready.select():
                data = os.read(key.fd, 1 << 16)
                if not data:
                    ready.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    parts.append(data)
                else:
                    meter.feed(data)
    process.stdout.close()
    process.stderr.close()
    return b"".join(parts)


_STEP = re.compile(r"(?:remote: )?([A-Z][a-z]+ [a-z]+(?: [a-z]+)?): +\d+% \((\d+)/(\d+)\)")
_CHATTER = re.compile(r"(?:remote: )?(?:Enumerating|Counting|Compressing|Total|Delta compression|Cloning into)\b")


class _Meter:
    """Takes git's stderr apart: progress to the face, the rest to `lines`."""

    def __init__(self, progress: Progress) -> None:
        self.lines: list[str] = []
        self._progress = progress
        self._rest = b""
        self._label = ""
        self._done = 0

    def feed(self, data: bytes) -> None:
        """More of what git wrote."""
        *whole, self._rest = re.split(rb"[\r\n]", self._rest + data)
        for line in whole:
            self._line(text(line).rstrip())

    def close(self) -> None:
        """git has ended."""
        self._line(text(self._rest).rstrip())
        self._rest = b""
        self._begin("")

    def _line(self, line: str) -> None:
        step = _STEP.match(line)
        if step:
            label, done, total = step[1], int(step[2]), int(step[3])
            if label != self._label:
                self._begin(label, total)
            self._progress.advance(done - self._done)
            self._done = done
        elif line and not _CHATTER.match(line):
            self.lines.append(line)

    def _begin(self, label: str, total: int = 0) -> None:
        if self._label:
            self._progress.end()
        self._label, self._done = label, 0
        if label:
            self._progress.begin(f"git: {label[0].lower()}{label[1:]}", total, "objects")


# Failures


_OFFLINE = re.compile(
    r"Could not resolve host|Connection (?:refused|timed out|reset)|Network is unreachable|No route to host"
    r"|Operation timed out|Failed to connect|unable to connect|returned error: 5\d\d"
    r"|Temporary failure in name resolution|Could not resolve proxy",
    re.IGNORECASE,
)
_BROKEN_OFF = re.compile(r"early EOF|hung up unexpectedly|Could not read from remote repository", re.IGNORECASE)
_ABSENT = re.compile(
    r"does not appear to be a git repository|Repository not found|repository '.*' (?:not found|does not exist)"
    r"|returned error: 404|No such file or directory|not found in upstream",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"Authentication failed|Permission denied|could not read (?:Username|Password)|returned error: 40[13]"
    r"|Invalid username|Access denied|insufficient permission|unable to create temporary|Read-only file system",
    re.IGNORECASE,
)


def trouble(git: Git, remote: str, args: Sequence[str], result: Result) -> GitFailed | NotFound:
    """The error for a failed talk with `remote`, in words a user can act on."""
    words = "\n".join(line for line in result.err.splitlines() if not line.startswith("hint:"))
    name = shown(remote)
    if "Host key verification failed" in words:
        return Refused(f"{name} is not known to ssh", words, "log in there once with ssh, and check its key")
    if _OFFLINE.search(words):
        return Unreached(f"the git repository {name} cannot be reached", words, "try again when the network is back")
    if _ABSENT.search(words):
        return Refused(f"there is no git repository at {name}", words, "git remote -v shows where remotes are")
    if _DENIED.search(words):
        hint = f"check your rights and credentials; the same in plain git: git fetch {name}"
        return Refused(f"the git repository {name} does not let you in", words, hint)
    if _BROKEN_OFF.search(words):
        return Unreached(f"the git repository {name} broke off", words, "try again")
    if "No such remote" in words:
        return NotFound(f"there is no git remote {name}", words, "git remote -v lists them")
    if args and args[0] == "push" and "failed to push some refs" in words:
        return Refused(f"the push to {name} was stopped", words, "a pre-push hook? what it says stands above")
    error = failure(git, tuple(args), result._replace(err=words))
    return error if isinstance(error, (GitFailed, NotFound)) else GitFailed(error.what, error.why, error.hint)
