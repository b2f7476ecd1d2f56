"""Completion in the shell: the code it evaluates, and the names it offers. Loaded only for that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    from axil.project import Project

RUNS = 200
"""So many of the newest runs are offered: more would fill the screen and answer nobody."""


def shell_code(shell: str) -> str:
    """The code that `shell` ("bash", "zsh" or "fish") evaluates to complete `axil`."""
    from argcomplete.shell_integration import shellcode

    return str(shellcode(["axil"], shell=shell))


def complete() -> None:
    """Answer the shell (through argcomplete's file descriptors) and end the process."""
    import argcomplete

    from axil.cli.main import parser_of
    from axil.cli.parser import Parser
    from axil.cli.table import COMMANDS, find

    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0") or 0) or None]
    typed = next((find(word) for word in line.split()[1:] if find(word)), None)
    parser = Parser(prog="axil")
    parser.add_argument("--version", action="store_true")
    group = parser.add_subparsers(parser_class=Parser)
    for command in COMMANDS:
        if command is typed and command.name != "help":
            # argcomplete wants the parser inside the group: the real one, of the one command that was typed.
            group.add_parser(command.name, help=command.help)
            group.choices[command.name] = parser_of(command)
        else:
            child = group.add_parser(command.name, help=command.help)
            if command.name == "help":
                child.add_argument("command", choices=[each.name for each in COMMANDS])
    argcomplete.autocomplete(parser, always_complete_options="long")


def names(kind: str, prefix: str) -> list[str]:
    """What of `kind` starts with `prefix`, in the project of the current folder; nothing where something is wrong.

    A completer has nobody to tell an error to, and must never write into the command line.
    """
    try:
        from axil.project import open_project

        project = open_project(os.getcwd(), os.environ)
        return [name for name in KINDS[kind](project) if name.startswith(prefix)]
    except Exception:
        return []


def _experiments(project: Project) -> Iterator[str]:
    from axil.actions.experiments import experiments

    for experiment in experiments(project).values():
        if not experiment.archived:
            yield experiment.name


def _runs(project: Project) -> Iterator[str]:
    from axil.base.ids import short

    for row in project.journal.runs(limit=RUNS):
        yield short(row.id)


def _live(project: Project) -> Iterator[str]:
    from axil.base.ids import short
    from axil.runs.rundir import ids

    yield from map(short, ids(project.runs_folder))


def _targets(project: Project) -> Iterator[str]:
    yield from _experiments(project)
    yield from _runs(project)


def _stages(project: Project) -> Iterable[str]:
    return project.file.stages


def _metrics(project: Project) -> Iterator[str]:
    seen: dict[str, None] = dict.fromkeys(project.file.metrics)
    for row in project.journal.runs(limit=RUNS):
        seen.update(dict.fromkeys(row.metrics))
    yield from seen


def _tracked(project: Project) -> Iterator[str]:
    from axil.git.worktree import ls_files

    here = os.path.relpath(os.getcwd(), project.root)
    for path in ls_files(project.git, "*.axil"):
        yield os.path.relpath(path.removesuffix(".axil"), here)


def _remotes(project: Project) -> Iterable[str]:
    from axil.actions.sharing import storage_settings

    return storage_settings(project)


def _git_remotes(project: Project) -> Iterable[str]:
    from axil.git.remote import remotes

    return remotes(project.git)


KINDS: dict[str, Callable[[Project], Iterable[str]]] = {
    "experiments": _experiments,
    "runs": _runs,
    "live runs": _live,
    "targets": _targets,
    "stages": _stages,
    "metrics": _metrics,
    "tracked": _tracked,
    "remotes": _remotes,
    "git remotes": _git_remotes,
}
