"""The `axil` program: finds the command, imports only that one, runs it, turns errors into words and exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C, 141 the reader of the output went away.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` itself would cost a third of `axil --version`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from axil.cli.face import Face
    from axil.cli.parser import Parser
    from axil.cli.table import Command

INTERRUPTED = 130
READER_GONE = 141


def program() -> NoReturn:
    """The `axil` that shells start: runs `main`, then ends the process at once, without taking Python apart."""
    import gc

    # Looking for garbage while modules load, or among a hundred thousand rows, finds none; in a long run it is found
    # later, not never.
    gc.set_threshold(200_000)
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started axil
        nowhere = open(os.devnull, "w")
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    code = 0
    try:
        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = READER_GONE
    except OSError as error:
        if not code:
            os.write(2, f"axil: the output cannot be written: {error.strerror}\n".encode())
        code = code or 1
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one axil command; returns its exit code and never raises for an expected error."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["-V"]):
        # The quickest answer, before anything is imported: scripts and prompts ask it often.
        from axil.version import __version__

        sys.stdout.write(f"axil {__version__}\n")
        return 0
    if "_ARGCOMPLETE" in os.environ:
        from axil.cli.completion import complete

        complete()
        return 0
    return _guarded(words)


def _guarded(words: list[str]) -> int:
    """Run the command in `words` with every error told."""
    from axil.cli.face import OutputClosed

    face = None
    before = _where()
    try:
        face = _early_face(words)
        try:
            code = _dispatch(words, face)
        except SystemExit as done:  # argparse has printed its help
            code = int(done.code or 0)
        face.flush()
        return code
    except OutputClosed:
        # Python would complain about the closed pipe once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return INTERRUPTED
    except Exception as error:
        return _failed(error, face)
    finally:
        if before and face is not None and _where() != before:
            os.chdir(before)


def _failed(error: Exception, face: Face | None) -> int:
    """Tell an error that is being handled; the exit code."""
    from axil.cli.errors import REPORT, expected, report
    from axil.cli.face import Face

    told = expected(error)
    if told is None or (face is not None and face.verbose):
        _traceback()
    if told is None:
        sys.stderr.write(f"{REPORT} (axil {_version()}, python {sys.version.split()[0]}, {sys.platform})\n")
        return 1
    report(told, face or Face(cwd=os.sep))
    return told.exit_code


def _early_face(words: list[str]) -> Face:
    """A face good enough to report a wrong command line, before that is parsed."""
    from axil.cli.face import Face

    end = words.index("--") if "--" in words else len(words)
    known = words[:end]
    color = False if "--no-color" in known else True if "--color" in known else None
    return Face(cwd=_where() or os.sep, json="--json" in known, verbose=int("-v" in known), color=color)


def _dispatch(words: list[str], face: Face) -> int:
    """Find the command, parse its arguments, go where `-C` says, run it."""
    from axil.cli.table import find, load

    leading, words = _leading_options(words)
    if not words:
        from axil.cli.errors import unknown_options
        from axil.cli.parser import Parser

        parser = Parser(prog="axil")
        parsed, extras = parser.parse_known_args([word for word in leading if word not in ("-h", "--help")])
        if extras:
            raise unknown_options("axil", extras, [*parser.option_names(), "--version"])
        return _overview(face)
    command = find(words[0])
    if command is None:
        from axil.cli.errors import unknown_command

        raise unknown_command(words)
    if command.name == "help":
        return _help(words[1:], face)
    module = load(command)
    parsed = _parsed(command, [*leading, *words[1:]])
    _configure(face, parsed)
    return int(module.run(parsed, face))


def _parsed(command: Command, words: list[str]) -> object:
    """What the options of `command` are when it is typed with `words`."""
    from axil.cli import bare
    from axil.cli.table import load

    if (parsed := bare.parsed(load(command).configure, words)) is not None:
        return parsed
    from axil.cli.errors import unknown_options

    parser = parser_of(command)
    parsed, extras = parser.parse_known_args(words)
    if extras:
        raise unknown_options(parser.prog, extras, parser.option_names([command.name, *words]))
    return parsed


def parser_of(command: Command) -> Parser:
    """The whole parser of one command (imports its module)."""
    from axil.cli.parser import GLOBAL, Parser
    from axil.cli.table import load

    module = load(command)
    parser = Parser(prog=f"axil {command.name}", description=(module.__doc__ or "").strip() or command.help)
    module.configure(parser)
    # The global options come last in the help.
    parser._action_groups.sort(key=lambda group: group.title == GLOBAL)
    return parser


def _leading_options(words: list[str]) -> tuple[list[str], list[str]]:
    """The global options before the command, and the rest from the command on."""
    position = 0
    while position < len(words) and words[position].startswith("-") and words[position] != "--":
        position += 2 if words[position] == "-C" else 1
    return words[:position], words[position:]


def _configure(face: Face, parsed: object) -> None:
    """What the global options say, into the face."""
    from axil.errors import UsageError

    face.json = bool(getattr(parsed, "json", False))
    face.quiet = bool(getattr(parsed, "quiet", False))
    face.verbose = int(getattr(parsed, "verbose", 0))
    here = _where()
    for directory in getattr(parsed, "directory", ()):
        try:
            os.chdir(directory)
        except OSError as error:
            raise UsageError(f"cannot go to {directory}", error.strerror or "", "give -C an existing folder") from None
        here = _where()
    if not here:
        raise UsageError("the current folder no longer exists", "it was removed or renamed", "cd to one that does")
    face.cwd = here


def _overview(face: Face) -> int:
    """`axil`, `axil --help`: the commands by subject."""
    from axil.cli.table import COMMANDS, GROUPS

    style = face.style
    face.line("Machine-learning experiments as git branches, with their data and results.")
    face.line()
    face.line(f"{style.bold('usage:')} axil COMMAND …    (axil help COMMAND explains one)")
    for group, title in GROUPS.items():
        face.line()
        face.line(style.bold(title))
        for command in COMMANDS:
            if command.group == group:
                face.line(f"  {style.cyan(command.name)}{' ' * (12 - len(command.name))}{command.help}")
    face.line()
    face.line(style.bold("Everywhere"))
    face.line("  -C DIR  -q/--quiet  -v/--verbose  --color/--no-color  -h/--help  --version")
    return 0


def _help(words: list[str], face: Face) -> int:
    """`axil help [COMMAND [SUBCOMMAND]]`."""
    from axil.cli.errors import unknown_command
    from axil.cli.table import find

    names = [word for word in words if not word.startswith("-")]
    if not names or names == ["help"]:
        return _overview(face)
    command = find(names[0])
    if command is None:
        raise unknown_command(names)
    parser_of(command).parse_known_args([*names[1:2], "--help"])
    return 0


def _where() -> str:
    """The current folder, or "" if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _version() -> str:
    from axil.version import __version__

    return __version__


def _traceback() -> None:
    import traceback

    traceback.print_exc()
