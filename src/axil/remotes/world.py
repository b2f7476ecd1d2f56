"""What a remote is given: its settings, and what it may know of its surroundings."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from axil.base.clock import Clock
from axil.base.light import Any, NamedTuple
from axil.remotes.base import Unreachable

Settings = Mapping[str, Any]
"""The keys of `[remotes.NAME]`, secrets included (docs/formats/axil-toml.md, docs/formats/axil-local-toml.md)."""


class World(NamedTuple):
    """The surroundings. Nothing in a remote looks at them by itself."""

    root: str
    """The project's root: relative paths count from there."""
    home: str
    """For `~` and the clouds' own configuration files."""
    environ: Mapping[str, str]
    interactive: bool = False
    """Whether somebody can be asked for a password."""
    clock: Clock = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    tell: Callable[[Unreachable, float], None] | None = None
    """Hears that a request is tried again in so many seconds."""
