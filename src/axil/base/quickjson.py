"""JSON as the `json` module reads and writes it, by its C parts alone.

The module itself compiles regular expressions when it is loaded, which takes as long as half of Python's start. What
the C parts cannot do, and Pythons that have none, get the real module.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import json
else:
    try:
        import _json
    except ImportError:
        _json = None


def loads(data: str | bytes) -> Any:
    """As `json.loads`. Raises `ValueError`."""
    try:
        text = data if isinstance(data, str) else data.decode()
        value, end = _scan(text, 0)
        if not text[end:].strip(" \t\n\r"):
            return value
    except (StopIteration, TypeError, ValueError):
        pass
    import json

    return json.loads(data)


def canonical(value: object) -> str:
    """As `json.dumps` with sorted keys and no spaces. Raises `TypeError` or `ValueError`."""
    return "".join(_encode(value, 0))


class _Settings:
    """How `json.loads` sets up its scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _unknown(value: object) -> Any:
    raise TypeError(f"no JSON for {type(value).__name__}")


if TYPE_CHECKING or _json is None:
    import json

    _scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
    _encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"))._iterencode  # type: ignore[attr-defined]
else:
    _scan = _json.make_scanner(_Settings)
    _encode = _json.make_encoder(None, _unknown, _json.encode_basestring_ascii, None, ":", ",", True, False, True)
