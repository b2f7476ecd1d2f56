"""The options many commands share. Importing them does not load argparse: see `axil.cli.bare`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from axil.base.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse


def add_everywhere(parser: argparse._ActionsContainer, hide: Any) -> None:
    """The options that every command has; the default `hide` leaves them unset when they are not given."""
    add = parser.add_argument
    add("-C", dest="directory", metavar="DIR", action="append", default=hide, help="act as if started in DIR")
    add("-q", "--quiet", action="store_true", default=hide, help="only the answer and errors")
    add("-v", "--verbose", action="count", default=hide, help="say more; -v shows where an error came from")
    add("--color", action="store_true", dest="color", default=hide, help="colours even in a pipe")
    add("--no-color", action="store_false", dest="color", default=hide, help="no colours")
    add("-h", "--help", action="help", default=hide, help="this help")


def completing(action: argparse.Action, kind: str) -> argparse.Action:
    """Let shell completion offer `kind` ("experiments", "runs", "remotes" …, see `completion.KINDS`) for it."""

    def complete(prefix: str, **_: object) -> Iterable[str]:
        from axil.cli.completion import names

        return names(kind, prefix)

    action.completer = complete  # type: ignore[attr-defined]
    return action


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: the value itself, for programs."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_formats(parser: argparse.ArgumentParser) -> None:
    """`--json`, `--csv`, `--md`: one table in other clothes."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    group.add_argument("--csv", action="store_true", help="print a CSV table, with full numbers")
    group.add_argument("--md", action="store_true", help="print a Markdown table")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """`-n`: say what would be done, change nothing."""
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, change nothing")


def add_force(parser: argparse.ArgumentParser, help: str) -> None:
    """`-f`: go on where axil would stop; `help` says what that gives up."""
    parser.add_argument("-f", "--force", action="store_true", help=help)


def add_message(parser: argparse.ArgumentParser, help: str) -> None:
    """`-m TEXT`."""
    parser.add_argument("-m", "--message", metavar="TEXT", default="", help=help)


def add_set(parser: argparse.ArgumentParser) -> None:
    """`-S/--set KEY=VALUE`, repeatable."""
    parser.add_argument(
        "-S",
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="assignments",
        help="change a parameter first, as in --set train.lr=0.1; repeatable",
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """`-j N`."""
    parser.add_argument("-j", "--jobs", metavar="N", type=natural, default=1, help="run up to N stages at once")


def add_experiment(
    parser: argparse.ArgumentParser, name: str = "experiment", help: str = "an experiment", **options: Any
) -> None:
    """A positional experiment name, completed from the branches."""
    options.setdefault("metavar", "EXP")
    completing(parser.add_argument(name, help=help, **options), "experiments")


def add_target(
    parser: argparse.ArgumentParser, name: str = "target", help: str = "an experiment or a run", **options: Any
) -> None:
    """A positional that takes an experiment name or (the beginning of) a run id."""
    options.setdefault("metavar", "EXP|RUN")
    completing(parser.add_argument(name, help=help, **options), "targets")


def add_remote(parser: argparse.ArgumentParser) -> None:
    """`-r/--remote NAME`: the storage remote."""
    words = "the storage remote (default: the only one, or origin)"
    completing(parser.add_argument("-r", "--remote", metavar="NAME", default="", help=words), "remotes")


def add_git_remote(parser: argparse.ArgumentParser) -> None:
    """`--git NAME`: the git remote."""
    words = "the git remote (default: the only one, or origin)"
    completing(parser.add_argument("--git", metavar="NAME", default="", help=words), "git remotes")


def add_stages(parser: argparse.ArgumentParser, help: str, name: str = "stages", nargs: str = "*") -> None:
    """Any number of stage names (or as many as `nargs` says)."""
    completing(parser.add_argument(name, metavar="STAGE", nargs=nargs, help=help), "stages")


def add_paths(
    parser: argparse.ArgumentParser, help: str, *, tracked: bool = False, nargs: str = "+", name: str = "paths"
) -> None:
    """File or folder names; completed with tracked ones only if `tracked`."""
    action = parser.add_argument(name, metavar="PATH", nargs=nargs, help=help)
    if tracked:
        completing(action, "tracked")


def add_live(parser: argparse.ArgumentParser, help: str, name: str = "runs", **options: Any) -> None:
    """Runs that wait or go on, by the end or beginning of their ids."""
    completing(parser.add_argument(name, metavar="RUN", help=help, **options), "live runs")


def span(text: str) -> float:
    """A length of time on the command line, in seconds."""
    import argparse

    from axil.formats.span import parse_span

    try:
        return parse_span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def natural(text: str) -> int:
    """An argument that is a whole number above zero."""
    return _whole(text, 1)


def _whole(text: str, least: int, most: int = 1 << 63) -> int:
    with suppress(ValueError):
        if least <= int(text) < most:
            return int(text)
    raise refused(text, f"a whole number from {least} on")


def refused(text: str, wanted: str) -> Exception:
    """What to raise about an argument's value."""
    import argparse

    return argparse.ArgumentTypeError(f"{text!r} is not {wanted}")


def add_sample(parser: argparse.ArgumentParser) -> None:
    """`--sample N`: a rehearsal."""
    parser.add_argument(
        "--sample",
        metavar="N",
        type=samples,
        default=0,
        help="a rehearsal: on N samples of all data, in a work tree of its own",
    )


def samples(text: str) -> int:
    """A number of samples that a record can hold."""
    return _whole(text, 1, 1 << 31)


def count(text: str) -> int:
    """An argument that is a whole number, zero included."""
    return _whole(text, 0)


def subcommands(parser: argparse.ArgumentParser, dest: str = "action") -> Callable[..., argparse.ArgumentParser]:
    """Sub-commands such as `stage add`; returns `add(name, help)`, which returns the sub-command's parser."""
    from axil.cli.parser import Parser

    group = parser.add_subparsers(dest=dest, metavar="COMMAND", required=True, help="what to do", parser_class=Parser)

    def add(name: str, help: str) -> argparse.ArgumentParser:
        return group.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")

    return add
