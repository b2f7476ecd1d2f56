"""Put experiments aside: out of `git branch` and `axil tree`, with their runs and data kept."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.each import configure as configure
from axil.cli.each import do

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.archive import archive

    return do(args, face, archive, "archived {name}; bring it back with `axil restore {name}`")
