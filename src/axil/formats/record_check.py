"""Checks for what a journal record may hold: records come from clones, so every name, path and id is suspect.

Free text is cleaned (a control character becomes U+FFFD); what steers axil (ids, names, paths, oids) is refused
when it is wrong.
"""

from __future__ import annotations

import math
import re

from axil.base.ids import is_id
from axil.errors import BadInput

KINDS = frozenset({"fork", "run", "sweep", "note", "rename", "archive", "restore", "delete", "retract"})
MAX_RECORD = 16 << 20
"""Bytes; a record longer than this is an attack or a mistake."""
MAX_DEPTH = 64
MAX_NAME = 1000
MAX_TIME = 1e11
FLOAT_KEY = "$float"
"""JSON has no NaN or infinity: they are written as `{"$float": "nan"}`, "inf" or "-inf"."""

_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_ROLES = {
    "params": "free",
    "deps": "paths",
    "outs": "paths",
    "data": "paths",
    "space": "free",
    "code": "paths",
    "locks": "paths",
    "start": "paths",
    "checkpoint": "paths",
}
# Patterns as text: most texts are found good without them, and compiling them takes longer than checking a record.
_BAD_IN_NAME = r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|\Z)|^[./]|[./]\Z|^@\Z|^-"
# C0 without tab and newline, DEL, C1, bidirectional overrides (they make text read as something else), lone surrogates.
_UNSAFE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
_UNSAFE_IN_PATH = "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"


def clean_text(text: str) -> str:
    """`text` that is safe to print: newlines as LF, other control characters and lone surrogates as U+FFFD."""
    if text.isprintable():
        return text
    return re.sub(_UNSAFE, "\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def clean(value: object, source: str, role: str = "record", depth: int = 0) -> object:
    """A copy of the JSON value `value` with safe texts and with `{"$float": …}` turned into floats.

    `role` says what an object's keys are: fields of a "record", "paths" (with a control character they are refused, not
    changed), or "free" where users choose them.
    """
    if isinstance(value, str):
        return clean_text(value)
    if not isinstance(value, dict | list | tuple):
        return value
    if depth > MAX_DEPTH:
        raise BadInput(f"the journal record {source} is not valid", f"nested deeper than {MAX_DEPTH} levels")
    if not isinstance(value, dict):
        return [clean(item, source, role, depth + 1) for item in value]
    if len(value) == 1 and value.get(FLOAT_KEY) in ("nan", "inf", "-inf"):
        return _FLOATS[value[FLOAT_KEY]]
    if role == "paths":
        for path in value:
            if not path.isprintable() and re.search(_UNSAFE_IN_PATH, path):
                raise refused(source, "path", path, "has a control character")
        return {path: clean(item, source, "record", depth + 1) for path, item in value.items()}
    roles = _ROLES if role == "record" else {}
    return {clean_text(key): clean(item, source, roles.get(key, role), depth + 1) for key, item in value.items()}


def plain(value: object) -> object:
    """A copy of `value` with floats that JSON cannot say as `{"$float": …}`."""
    if isinstance(value, float) and not math.isfinite(value):
        return {FLOAT_KEY: "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def refused(source: str, key: str, value: object, why: str) -> BadInput:
    """The error for the field `key` of the record read from `source`."""
    return BadInput(f"the journal record {source} is not valid", f"{key}: {_short(value)} {why}")


def check_ulid(source: str, key: str, value: str, *, empty: bool = False) -> None:
    """Refuse what is not a ULID."""
    if not (empty and not value) and not is_id(value):
        raise refused(source, key, value, "is not a ULID")


def check_hex(source: str, key: str, value: str, lengths: tuple[int, ...]) -> None:
    """Refuse what is not lower-case hex of one of `lengths`; length 0 allows the empty string."""
    if len(value) not in lengths or value.strip("0123456789abcdef"):
        raise refused(source, key, value, f"is not an id of {' or '.join(str(n) for n in lengths if n)} hex digits")


def check_time(source: str, key: str, value: float) -> None:
    """Refuse times that are not finite, negative or beyond the year 5138."""
    if not 0 <= value <= MAX_TIME:
        raise refused(source, key, value, "is not a time in seconds since 1970")


def check_name(source: str, key: str, value: str) -> None:
    """Refuse what `git check-ref-format --branch` refuses, and names that are not UTF-8 text."""
    if not is_branch_name(value):
        raise refused(source, key, value, "is not a branch name")


def is_branch_name(text: str) -> bool:
    """Whether git takes `text` as the name of a branch (and it is text of a sane length)."""
    if not 0 < len(text) <= MAX_NAME or text == "HEAD" or re.search(_BAD_IN_NAME, text):
        return False
    return text.isprintable() or not re.search(_UNSAFE, text)


def check_path(source: str, key: str, path: str) -> None:
    """Refuse paths that could lead out of the project or into its `.git`."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise refused(source, key, path, "is not a path inside the project")
    if any(part.lower() == ".git" for part in parts):
        raise refused(source, key, path, "leads into .git")
    if any(len(part) > 255 for part in parts) or len(path) > 4096:
        raise refused(source, key, path, "is too long")


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "…"
