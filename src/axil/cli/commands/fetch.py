"""Learn what others have shared: branches, runs, and what the storage remote has. The work tree stays as it is.

With experiments (or --all) their data come too, so that `axil switch` needs no network.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_experiment, add_git_remote, add_json, add_remote
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.fetch import Change, FetchResult
    from axil.cli.face import Face

SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    add_experiment(parser, "names", "experiments whose data are fetched too", nargs="*")
    parser.add_argument("-a", "--all", action="store_true", help="the data of all experiments too")
    add_remote(parser)
    add_git_remote(parser)
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.fetch import fetch

    value = fetch(
        face.project(), args.names, everything=args.all, remote=args.remote, git=args.git, progress=face.progress()
    )
    face.show(value, render)
    return int(bool(value.lacking))


def render(face: Face, value: FetchResult) -> None:
    news(face, value.git, value.changes, value.runs)
    if not value.changes and not value.runs:
        face.line(f"nothing new at {value.git}")
    for name in value.experiments:
        if not any(one.experiment == name for one in value.lacking):
            face.line(f"{face.style.bold(safe(name))}  its data are here")
    for one in value.lacking[:SHOWN]:
        face.warn(f"{safe(one.path)} (needed by {safe(one.needed_by)}) is on no remote")
    if value.trouble:
        face.warn(f"{value.trouble}; what {value.storage} has is as it was known before")


def news(face: Face, git: str, changes: tuple[Change, ...], runs: int) -> None:
    """What branches and how many runs others have pushed; shared with `axil pull`."""
    style = face.style
    for change in changes[:SHOWN]:
        words = {"new": "new", "updated": "new commits", "rewritten": "replaced by other commits"}[change.state]
        face.line(f"{style.bold(safe(change.name))}  {words} at {git}  {style.dim(change.commit[:9])}")
    if len(changes) > SHOWN:
        face.line(style.dim(f"… and {len(changes) - SHOWN} more: axil tree"))
    if runs > 0:
        face.line(f"{fmt.count(runs, 'new run')}: axil runs")
