"""How a command talks to its user: streams, colour, quiet or verbose, words or JSON."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping

from axil.base.light import TYPE_CHECKING, Any, TextIO, TypeVar
from axil.base.progress import SILENT, Progress
from axil.cli.style import Style, clean
from axil.errors import AxilError

if TYPE_CHECKING:
    from axil.project import Project

T = TypeVar("T")


class OutputClosed(Exception):
    """Whoever read the output has gone (`axil runs | head`); there is nobody left to tell anything."""


class Face:
    """One command's way to its user. `style` is for stdout, `error_style` for stderr."""

    def __init__(
        self,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        json: bool = False,
        quiet: bool = False,
        verbose: int = 0,
        color: bool | None = None,
    ) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.env = os.environ if env is None else env
        self.cwd = cwd or os.getcwd()
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        for stream in (self.out, self.err):
            # A name that is not valid UTF-8, or a terminal that is not, must not end in a traceback.
            with contextlib.suppress(AttributeError, ValueError):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        self.style = Style(_colored(self.out, self.env, color), _unicode(self.out))
        self.error_style = Style(_colored(self.err, self.env, color), _unicode(self.err))
        self._progress: Any = None
        self._project: Project | None = None

    # -- words

    def line(self, text: str = "") -> None:
        """One line (or several) of the answer, on stdout; control characters other than colours are made visible."""
        self._write(self.out, clean(text) + "\n")

    def note(self, text: str) -> None:
        """A remark beside the answer, on stderr; dropped by `-q`."""
        if not self.quiet:
            self._write(self.err, clean(text) + "\n")

    def hint(self, text: str) -> None:
        """A dim remark about what to type next, on stderr; dropped by `-q` and when nobody sits at the terminal."""
        if not self.quiet and _is_terminal(self.err):
            self._write(self.err, self.error_style.dim(clean(text)) + "\n")

    def warn(self, text: str) -> None:
        """Something the user should know though the command went on, on stderr, even with `-q`."""
        self._write(self.err, self.error_style.yellow("warning: ") + clean(text) + "\n")

    def show(self, value: T, render: Callable[[Face, T], None]) -> None:
        """The answer: with `--json` the value as JSON, else what `render` prints of it."""
        if self.json:
            self._write(self.out, to_json(value) + "\n")
        else:
            render(self, value)

    def ask(self, question: str) -> bool:
        """Whether the user says yes; anything else than that, and no answer, is a no."""
        self._write(self.err, f"{clean(question)} [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def raw(self, text: str) -> None:
        """Text exactly as it is (CSV, shell code, a log in a pipe)."""
        self._write(self.out, text)

    def _write(self, stream: TextIO, text: str) -> None:
        if self._progress is not None:
            self._progress.wipe()
        try:
            stream.write(text)
            if stream is self.err:
                stream.flush()
        except OSError as error:
            _lost(error, stream)

    def flush(self) -> None:
        """Everything written is with its reader; raises `OutputClosed` if that one left."""
        for stream in (self.out, self.err):
            try:
                stream.flush()
            except OSError as error:
                _lost(error, stream)

    # -- the place

    @property
    def terminal(self) -> bool:
        """Whether a person reads stdout."""
        return _is_terminal(self.out)

    @property
    def width(self) -> int | None:
        """Cells a line may take; None when the output goes to a file or a pipe and need not be cut."""
        columns = self.env.get("COLUMNS", "")
        if columns.isascii() and columns.isdigit() and int(columns) > 0:
            return int(columns)
        if not self.terminal:
            return None
        with contextlib.suppress(OSError, ValueError):
            return os.get_terminal_size(self.out.fileno()).columns or 80
        return 80

    def now(self) -> float:
        """Seconds since the epoch, to say how old things are."""
        return time.time()

    def path(self, argument: str) -> str:
        """The absolute path of what the user typed, taken from where they are (`-C` included)."""
        return os.path.normpath(os.path.join(self.cwd, argument))

    def project_path(self, argument: str) -> str:
        """What the user typed, from the project's root: "." is the root itself, a path outside starts with `..`."""
        root = self.project().root
        path = self.path(argument)
        if os.path.commonpath((root, path)) != root:
            # Typed through a link that leads into the project (as /tmp does on some systems).
            path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        return os.path.relpath(path, root)

    def project(self, meanwhile: Callable[[], object] = bool) -> Project:
        """The project of the work tree the user is in, opened once; `meanwhile` is called while git looks for it."""
        if self._project is None:
            from axil.project import open_project

            self._project = open_project(self.cwd, self.env, meanwhile=meanwhile)
            self.equip(self._project)
        return self._project

    def equip(self, project: Project) -> None:
        """Let `project` reach the user: remarks, and questions for passwords where somebody sits at the terminal."""
        project.tell = self.note
        project.interactive = self.can_ask

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits at the terminal who can be asked for a password."""
        return _is_terminal(self.err) and not self.json

    def progress(self) -> Progress:
        """A progress line on stderr if that is a terminal, else nothing."""
        if self.quiet or self.json or not _is_terminal(self.err) or self.env.get("TERM") == "dumb":
            return SILENT
        if self._progress is None:
            from axil.cli.progress import TerminalProgress

            self._progress = TerminalProgress(self.err, unicode=self.error_style.unicode)
        return self._progress  # type: ignore[no-any-return]


def _lost(error: OSError, stream: TextIO) -> None:
    """Raise what it means that `stream` cannot be written; nothing if it was a terminal that is closed."""
    if isinstance(error, BrokenPipeError):
        raise OutputClosed from None
    if not _hung_up(error, stream):
        raise AxilError("the output cannot be written", error.strerror or str(error)) from None


def _hung_up(error: OSError, stream: TextIO) -> bool:
    """Whether `stream` was a terminal that is closed; then what goes there is lost, and nothing else.

    What the command does about it is decided by SIGHUP: a run is stopped and recorded, which takes a while.
    """
    import errno
    import stat

    try:
        if error.errno != errno.EIO or not stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
            return False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return False
    return True


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def _colored(stream: TextIO, env: Mapping[str, str], asked: bool | None) -> bool:
    """`--color`/`--no-color` first, then NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE, then what the stream is."""
    if asked is not None:
        return asked
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR", "0") not in ("", "0") or env.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return _is_terminal(stream) and env.get("TERM") != "dumb" and env.get("CLICOLOR") != "0"


def _unicode(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def plain(value: object) -> Any:
    """`value` in what JSON knows: named tuples and structs become objects, bytes hex digits, other sequences arrays.

    Numbers JSON lacks become the strings "NaN", "Infinity", "-Infinity"; bytes in names that are not UTF-8, \\xNN.
    """
    import math

    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    names = getattr(value, "_fields", None) or getattr(value, "__struct_fields__", None)
    if names:
        tag = getattr(value, "__struct_config__", None)
        fields = {} if tag is None or tag.tag is None else {tag.tag_field: tag.tag}
        return fields | {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"no JSON for {type(value).__name__}")


def _key(key: object) -> str:
    value = plain(key)
    return value if isinstance(value, str) else to_json(value)


def to_json(value: object) -> str:
    """`value` as indented JSON; keys keep the order of the value's fields."""
    import json

    return json.dumps(plain(value), ensure_ascii=False, indent=2)
