"""A stage's key: the name of everything its result depends on (docs/formats/stage-key.md), and why one differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from axil.base.exits import ending
from axil.base.hashing import hash_bytes
from axil.base.ids import short
from axil.base.light import NamedTuple
from axil.base.quickjson import canonical
from axil.journal.rows import StageRow, Value

VERSION = "axil-stage-1"
ENVIRONMENT = "(environment)"
"""Stands among the names of `env` for the whole Python environment when axil.toml has `env.strict`."""
UNSTABLE = "changed-while-running"
"""The hash of a file that changed while its stage ran: nobody knows which content made the result."""

Difference = Callable[[str, str, str], str]
"""(path, old oid, new oid) -> what changed inside in short ("+3 −1 ~2"), or ""."""


class StageInputs(NamedTuple):
    """Everything a stage's result depends on."""

    cmd: str
    cwd: str
    deps: dict[str, str]
    """Project path -> oid in hex."""
    params: dict[str, Value]
    code: dict[str, str]
    """Project path -> normalised hash."""
    env: dict[str, str]
    """Name -> hash of the value, "" for a variable that is not set."""
    outs: tuple[str, ...]
    """What the stage makes: a result that lacks one of these paths is another result."""
    sample: int = 0
    """How many samples the run is limited to; 0 for all."""


def key(inputs: StageInputs) -> str:
    """The key in hex: BLAKE3 of the canonical JSON of all inputs, version first. Different inputs, different text."""
    return hash_bytes(preimage(inputs)).hex()


def preimage(inputs: StageInputs) -> bytes:
    """The exact bytes that are hashed."""
    table = inputs._asdict()
    table["outs"] = sorted(inputs.outs)
    text = canonical([VERSION, table])
    return text.encode("ascii")


def hash_env(value: str | None) -> str:
    """What a record says of an environment variable's value: its hash, never the value."""
    return "" if value is None else hash_bytes(b"env\0" + value.encode("utf-8", "surrogateescape")).hex()


def explain(
    old: StageRow | None,
    new: StageInputs,
    *,
    via: Mapping[str, str] | None = None,
    difference: Difference | None = None,
) -> str:
    """One line: why the stage must run although `old` is its last record.

    `via` tells which module imports which; `difference` counts what changed inside a dependency.
    """
    if old is None:
        return "never ran"
    causes = _causes(old, new, via or {}, difference or (lambda *_: ""))
    if not causes:
        return _unfinished(old)
    more = f" (and {len(causes) - 1} more)" if len(causes) > 1 else ""
    return f"{causes[0]}{more} since run {short(old.run)}"


def _causes(old: StageRow, new: StageInputs, via: Mapping[str, str], difference: Difference) -> list[str]:
    """What differs, most telling first."""
    causes = []
    if old.sample != new.sample:
        causes.append(f"sample {old.sample or 'all'} → {new.sample or 'all'}")
    if old.cmd != new.cmd:
        causes.append("the command changed")
    if old.cwd != new.cwd:
        causes.append(f"cwd {old.cwd or '.'} → {new.cwd or '.'}")
    causes += _params(old.params, new.params)
    causes += _code(old.code, new.code, via)
    causes += _deps(old.deps, new.deps, difference)
    for name in sorted(old.env.keys() | new.env.keys()):
        if old.env.get(name) != new.env.get(name):
            causes.append("the environment changed" if name == ENVIRONMENT else f"environment variable {name} changed")
    made = set(old.outs)
    if old.state in ("succeeded", "cached", "current") and made != set(new.outs):
        changed = sorted(made ^ set(new.outs))
        causes.append(
            f"the outputs changed: {', '.join(('−' if path in made else '+') + path for path in changed[:3])}"
        )
    return causes


def _params(old: Mapping[str, Value], new: Mapping[str, Value]) -> list[str]:
    causes = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in new:
            causes.append(f"params.{name} {_short(old[name])} → removed")
        elif name not in old:
            causes.append(f"params.{name} new: {_short(new[name])}")
        elif canonical(old[name]) != canonical(new[name]):
            causes.append(f"params.{name} {_short(old[name])} → {_short(new[name])}")
    return causes


def _code(old: Mapping[str, str], new: Mapping[str, str], via: Mapping[str, str]) -> list[str]:
    causes = []
    for path in [*new, *(path for path in old if path not in new)]:
        if old.get(path) == new.get(path):
            continue
        if path not in new:
            causes.append(f"code: {path} is no longer used")
        else:
            importer = f" (imported by {via[path]})" if via.get(path) else ""
            what = "is new" if path not in old else "was edited while it ran" if old[path] == UNSTABLE else "changed"
            causes.append(f"code: {path} {what}{importer}")
    # A change of content tells more than the new or lost import that came with it.
    return sorted(causes, key=lambda cause: " is " in cause)


def _deps(old: Mapping[str, str], new: Mapping[str, str], difference: Difference) -> list[str]:
    causes = []
    for path in [*new, *(path for path in old if path not in new)]:
        if path not in new:
            causes.append(f"deps: {path} is no longer a dependency")
        elif path not in old:
            causes.append(f"deps: {path} is new")
        elif old[path] != new[path]:
            inside = difference(path, old[path], new[path]) if old[path] and new[path] else ""
            causes.append(f"deps: {path} changed" + (f" ({inside})" if inside else ""))
    return causes


def _unfinished(old: StageRow) -> str:
    """Nothing changed since `old`, and yet there is no result to use."""
    if old.state == "failed":
        return f"it failed in run {short(old.run)}" + ("" if old.exit_code is None else f": {ending(old.exit_code)}")
    if old.state in ("stopped", "lost", "skipped"):
        return f"it was {old.state} in run {short(old.run)}"
    return f"the result of run {short(old.run)} cannot be used"


def _short(value: Value) -> str:
    from axil.formats.yaml_scalar import render

    text = render(value)
    return text if len(text) <= 40 else text[:37] + "…"
