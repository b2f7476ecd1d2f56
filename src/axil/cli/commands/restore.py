"""Bring archived experiments back as branches."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.each import configure as configure
from axil.cli.each import do

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.archive import restore

    return do(args, face, restore, "{name} is a branch again")
