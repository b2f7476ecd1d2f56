"""Make a small real project and tell its story, command by command.

It takes the 1,797 handwritten digits that scikit-learn ships, trains a small network on them in four experiments, and
leaves the project in DIR for you to explore. Needs the extra axil[demo].
"""

from __future__ import annotations

import os
import sys
import time

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", nargs="?", help="a new or empty folder (default: a temporary one)")


def run(args: argparse.Namespace, face: Face) -> int:
    import shutil

    from axil.demo.story import tell
    from axil.demo.teller import Shown

    style = face.style
    programs = os.path.dirname(sys.executable)
    width = face.width or 100

    def say(text: str) -> None:
        import textwrap

        face.line()
        face.line(style.bold(textwrap.fill(text, min(width, 100))))

    def command(line: str) -> None:
        face.line(style.cyan(f"$ {line}"))
        face.flush()

    def line(text: str) -> None:
        face.line(text)
        face.flush()

    env = dict(face.env)
    if style.on:
        env |= {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}
    if face.width:
        env["COLUMNS"] = str(face.width)
    started = time.monotonic()
    folder = tell(face.path(args.folder) if args.folder else None, Shown(say, command, line), env)
    say(f"Told in {time.monotonic() - started:.0f} seconds. The project is yours to explore:")
    face.line(f"  cd {folder}")
    if shutil.which("axil", path=face.env.get("PATH")) != os.path.join(programs, "axil"):
        face.line(f'  export PATH="{programs}:$PATH"    # where its stages find axil and their packages')
    return 0
