"""Add a stage to the pipeline (axil.toml), or list the stages.

  axil stage add train -d data/prepared -p train -o models -m metrics.json -- python src/train.py

Python files that the command runs or imports need no -d: axil finds them.
"""

from __future__ import annotations

from collections.abc import Iterable

from axil.base.light import TYPE_CHECKING, Any
from axil.cli.options import add_json, natural, span, subcommands

if TYPE_CHECKING:
    import argparse

    from axil.actions.stages import StageAdded
    from axil.cli.face import Face
    from axil.formats.project import Stage


def configure(parser: argparse.ArgumentParser) -> None:
    add = subcommands(parser)
    listing = add("list", "list the stages in running order")
    add_json(listing)
    new = add("add", "add a stage; paths are taken from where you are, the command comes after --")
    new.usage = "axil stage add NAME [-d PATH] [-o PATH] [-p KEY] [-m PATH] … -- COMMAND"
    new.add_argument("name", metavar="NAME", help="name of the stage")
    _many(new, "-d", "--deps", "PATH", "a file or folder it reads (data, or an output of another stage)")
    _many(new, "-o", "--outs", "PATH", "a file or folder it makes")
    _many(new, "-p", "--params", "KEY", "a parameter it uses; a key with children takes all of them")
    _many(new, "-m", "--metrics", "PATH", "a JSON, YAML, TOML or CSV file with numbers it makes")
    _many(new, None, "--plots", "PATH", "a table or picture it makes")
    _many(new, None, "--series", "PATH", "a file or folder with values over steps that grows while it runs")
    new.add_argument("--keep", action="store_true", help="do not remove its outputs before it runs")
    new.add_argument("--cwd", metavar="DIR", help="folder the command runs in (default: where you are)")
    _many(new, "-e", "--env", "NAME", "an environment variable whose value counts as an input")
    new.add_argument("--always", action="store_true", help="run it every time, even when nothing changed")
    new.add_argument(
        "--timeout", metavar="TIME", type=span, default=0.0, help="it fails if it takes longer: 90s, 30m, 2h"
    )
    new.add_argument(
        "--retry", metavar="N", type=natural, default=0, help="start it again if it fails, at most so often"
    )
    new.add_argument("--gpus", metavar="N", type=natural, default=0, help="accelerators it needs")
    _many(new, None, "--checkpoint", "PATH", "a file or folder where it keeps what it can go on from")
    new.add_argument("-f", "--force", action="store_true", help="replace the stage if it is there")
    add_json(new)
    new.command_after_dashes = "command"  # type: ignore[attr-defined]


def _many(parser: argparse.ArgumentParser, short: str | None, name: str, metavar: str, help: str) -> None:
    names: list[Any] = [short, name] if short else [name]
    parser.add_argument(*names, metavar=metavar, action="append", default=[], help=f"{help}; repeatable")


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.stages import add_stage, stages

    if args.action == "list":
        face.show(stages(face.project()), render_list)
    else:
        face.show(add_stage(face.project(), _stage(args, face), force=args.force), render_added)
    return 0


def _stage(args: argparse.Namespace, face: Face) -> Stage:
    """The stage that the arguments describe, its paths from the project's root."""
    import shlex

    from axil.errors import UsageError
    from axil.formats.project import Stage

    if not args.command:
        raise UsageError(
            "axil stage add: missing the command",
            "it comes last, after --",
            f"axil stage add {args.name} … -- python script.py",
        )

    def paths(given: Iterable[str]) -> tuple[str, ...]:
        # Who is in a subfolder names files from there; axil.toml names them from the project's root.
        return tuple(face.project_path(path) for path in given)

    stage = Stage(
        args.name,
        args.command[0] if len(args.command) == 1 else shlex.join(args.command),
        deps=paths(args.deps),
        params=tuple(key for keys in args.params for key in keys.split(",") if key),
        outs=paths(args.outs),
        metrics=paths(args.metrics),
        plots=paths(args.plots),
        series=paths(args.series),
        cwd=face.project_path(args.cwd or "."),
        env=tuple(args.env),
        always=args.always,
        timeout=args.timeout,
        retry=args.retry,
        gpus=args.gpus,
        checkpoint=paths(args.checkpoint),
    )
    return stage._replace(keep=stage.made if args.keep else (), cwd="" if stage.cwd == "." else stage.cwd)


def render_added(face: Face, added: StageAdded) -> None:
    name = face.style.bold(added.stage.name)
    after = f", after {', '.join(added.after)}" if added.after else ""
    face.line(f"{'replaced' if added.replaced else 'added'} stage {name}{after}")
    for path in added.missing:
        face.warn(f"{path} does not exist yet, and no stage makes it")
    for key in added.unknown_params:
        face.warn(f"the params file has no {key}")
    face.hint("axil run -n says what would run")


def render_list(face: Face, stages: tuple[Stage, ...]) -> None:
    from axil.cli.tables import Cell, Column, table

    if not stages:
        face.note("axil.toml has no stages yet: axil stage add NAME -d INPUT -o OUTPUT -- COMMAND")
        return
    columns = [
        Column("stage"),
        Column("command", flexible=True),
        Column("reads", flexible=True, drop=2),
        Column("makes", flexible=True, drop=1),
    ]
    rows: list[list[Cell | str]] = [
        [Cell(stage.name, "bold"), stage.cmd, " ".join([*stage.deps, *stage.params]), " ".join(stage.made)]
        for stage in stages
    ]
    table(face, columns, rows)
