"""Delete experiments. Their runs stay recorded; `axil undo` brings the branch back."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.each import configure as configure
from axil.cli.each import do

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.delete import delete

    return do(args, face, delete, "deleted {name} (was {commit}); undo with `axil undo`")
