"""logged.jsonl: settings that training processes report, one JSON object a line (docs/formats/logged.md).

Written by any process of a run, so what is no such line, name or value is passed over.
"""

from __future__ import annotations

import json
import math

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    from axil.formats.record import Scalar

PREFIX = "logged."
MAX_NAMES = 1000
"""All of them at their longest fit into a journal record several times."""
MAX_NAME, MAX_TEXT = 250, 500
MAX_BYTES = 32 << 20


def parse(data: bytes) -> dict[str, Scalar]:
    """Name -> value, the names beginning with `logged.`; the last word on a name counts."""
    found: dict[str, Scalar] = {}
    for line in data.split(b"\n"):
        try:
            params = json.loads(line).get("params") if line.strip() else {}
        except (ValueError, AttributeError, RecursionError):
            continue
        for name, value in params.items() if isinstance(params, dict) else ():
            key = PREFIX + _text(name)
            if name and len(name) <= MAX_NAME and _fits(value) and (key in found or len(found) < MAX_NAMES):
                found[key] = _text(value[:MAX_TEXT]) if isinstance(value, str) else value
    return found


def _text(text: str) -> str:
    """`text` with a question mark for each half of a surrogate pair: records are UTF-8, which has none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _fits(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < 1 << 63
    return value is None or isinstance(value, str)
