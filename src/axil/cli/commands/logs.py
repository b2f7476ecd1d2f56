"""Print what the stages of a run wrote. An experiment stands for its latest run, whatever became of it."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_stages, add_target, natural

if TYPE_CHECKING:
    import argparse

    from axil.actions.logs import RunLogs
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(
        parser, help="a run, or an experiment for its latest one (default: this experiment)", nargs="?", default=""
    )
    add_stages(parser, "only this stage", name="stage", nargs="?")
    parser.add_argument("-f", "--follow", action="store_true", help="of a run that goes on, print on until it is over")
    parser.add_argument("-n", "--tail", metavar="N", type=natural, help="only the last N lines of each stage")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.logs import logs

    if args.follow and (code := _follow(args, face)) is not None:
        return code
    face.show(logs(face.project(), args.target, args.stage or "", tail=args.tail), render)
    return 0


def _follow(args: argparse.Namespace, face: Face) -> int | None:
    """Print what the live run writes; None if there is no such run: then what it wrote is in its record."""
    from axil.actions.live import follow, latest
    from axil.cli.commands.attach import leave
    from axil.errors import NotFound
    from axil.runs.events import StageLine

    project = face.project()
    try:
        folder = latest(project, args.target)
    except NotFound:
        return None
    try:
        for event in follow(project, folder, tail=args.tail):
            if isinstance(event, StageLine) and args.stage in (None, event.stage):
                face.line(event.text)
                face.flush()
    except KeyboardInterrupt:
        leave(face, folder.id)
        return 130
    return 0


def render(face: Face, found: RunLogs) -> None:
    from axil.base.ids import short

    style = face.style
    for number, log in enumerate(found.stages):
        if len(found.stages) > 1:
            if number:
                face.line()
            source = f"  (result of run {short(log.source)})" if log.source else ""
            face.line(style.bold(f"── {log.stage}") + f"  {style.state(log.state, word=True)}{style.dim(source)}")
        if log.problem:
            face.note(f"{log.stage}: {log.problem}" + (", these are its last lines:" if log.text else ""))
        if not log.text:
            continue
        # A pipe gets the bytes as they were; a terminal must not be steered by them.
        text = log.text if log.text.endswith("\n") else log.text + "\n"
        if face.terminal:
            face.line(_settled(text).removesuffix("\n"))
        else:
            face.raw(text)


def _settled(text: str) -> str:
    """Progress bars that drew over themselves, as they stood at last."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
