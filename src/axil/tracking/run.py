"""What this process knows of its run, and the one way to say that something did not work: a line, once."""

from __future__ import annotations

import os
import sys

_warned: set[str] = set()
_MAX_WARNINGS = 20


def folder() -> str:
    """The run's folder; "" outside `axil run`."""
    return os.environ.get("AXIL_RUN_DIR", "")


def stage() -> str:
    """The stage this process belongs to."""
    return os.environ.get("AXIL_STAGE", "")


def outside(call: str) -> None:
    """Say that `call` does nothing here."""
    warn(f"not inside `axil run`, so {call} writes nothing (said once)", about="outside")


def warn(message: str, about: str = "") -> None:
    """One line on stderr, once for each thing it is `about`. Never raises."""
    key = about or message
    if key in _warned or len(_warned) > _MAX_WARNINGS:
        return
    _warned.add(key)
    try:
        sys.stderr.write(f"axil: {message}\n")
        sys.stderr.flush()
    except Exception:
        pass  # there is nobody left to tell


def quoted(text: object) -> str:
    """`text` as JSON in ASCII; half a surrogate pair, which no reader takes, becomes a question mark."""
    try:  # the same function without the milliseconds `json` needs to import `re`
        from _json import encode_basestring_ascii
    except ImportError:
        from json.encoder import encode_basestring_ascii

    done: str = encode_basestring_ascii(str(text).encode("utf-8", "replace").decode())
    return done
