"""`[machine]` of axil.local.toml: how much may go on at once here, and what happens when a run ends.

docs/formats/axil-local-toml.md says what each key means.
"""

from __future__ import annotations

from axil.base.light import Any, NamedTuple
from axil.errors import BadInput

KEYS = ("jobs", "gpus", "notify", "protect", "grace")
MOST_JOBS = 1024
MOST_GRACE = 86400


class Machine(NamedTuple):
    """What this machine can do for the detached runs of the project."""

    jobs: int = 1
    """How many go on at once."""
    gpus: tuple[str, ...] | None = None
    """Accelerators, as CUDA_VISIBLE_DEVICES names them; None: those that are there."""
    notify: str = ""
    """A shell command that is started when a detached run is over."""
    protect: bool = True
    """Whether the kernel keeps commands from changing shared data (Landlock); file modes do in any case."""
    grace: float = 10.0
    """Seconds that commands get to save their state when a run is stopped, before they are killed."""


def parse_machine(text: str, source: str) -> Machine:
    """`[machine]` in the text of axil.local.toml. Raises `BadInput` naming `source`, line and key."""
    import tomllib

    from axil.formats import toml_lines
    from axil.formats.project import Reader

    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        # What is wrong where may be a secret: `remotes.parse_local` says it without showing it.
        raise BadInput(f"{source} is not valid TOML", "", f"correct {source} and try again") from None
    reader = Reader(source, toml_lines.locate(text))
    table: Any = data.get("machine", {})
    reader.table(("machine",), table)
    reader.known(("machine",), table, KEYS)
    jobs = table.get("jobs", 1)
    if not isinstance(jobs, int) or isinstance(jobs, bool) or not 1 <= jobs <= MOST_JOBS:
        raise reader.bad(("machine", "jobs"), f"it must be a whole number from 1 to {MOST_JOBS}, not {jobs!r}")
    grace = table.get("grace", Machine().grace)
    if not isinstance(grace, int | float) or isinstance(grace, bool) or not 0 <= grace <= MOST_GRACE:
        raise reader.bad(("machine", "grace"), f"it must be a number of seconds from 0 to {MOST_GRACE}, not {grace!r}")
    return Machine(
        jobs,
        _gpus(reader, table["gpus"]) if "gpus" in table else None,
        reader.text(("machine", "notify"), table.get("notify", "")),
        reader.flag(("machine", "protect"), table.get("protect", True)),
        float(grace),
    )


def _gpus(reader: Any, value: Any) -> tuple[str, ...]:
    """A list of numbers or names without repetition."""
    where = ("machine", "gpus")
    if not isinstance(value, list):
        raise reader.bad(where, "it must be a list such as [0, 1]")
    names = [str(one) for one in value if isinstance(one, int | str) and not isinstance(one, bool)]
    if len(names) != len(value) or len(set(names)) != len(names) or any("," in one or not one for one in names):
        raise reader.bad(where, "each accelerator is a number or a name, and is there once")
    return tuple(names)
