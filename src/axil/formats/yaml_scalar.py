"""Single YAML 1.2 values, read and written without a YAML library."""

from __future__ import annotations

import json
import re

from axil.base.light import Any

# Compiled when first used: most values are plain numbers and words.
_INT = r"[-+]?[0-9][0-9_]*"
_BASED = r"[-+]?0o[0-7_]+|[-+]?0x[0-9a-fA-F_]+"
_FLOAT = r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+]?[0-9]+)?)"
_SPECIAL = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_PLAIN = r"[A-Za-z_/.][A-Za-z0-9_/.+@-]*(?: [A-Za-z0-9_/.+@-]+)*"
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ".inf", ".nan", "=", "<<"])


def scalar(text: str) -> str | int | float | bool | None:
    """The plain (unquoted) scalar `text` by the rules of YAML 1.2."""
    if text in _SPECIAL:
        return _SPECIAL[text]
    if re.fullmatch(_INT, text) and len(text) < 1000:
        return int(text.replace("_", ""))
    if re.fullmatch(_BASED, text):
        digits = text.replace("_", "").lower()
        return int(digits, 8 if "o" in digits else 16) if digits[-1] not in "ox" else text
    if re.fullmatch(_FLOAT, text) and any(char.isdigit() for char in text):
        return float(text.replace("_", ""))
    if text.lower() in (".inf", "+.inf", "-.inf", ".nan"):
        return float(text.lower().replace(".", ""))
    return text


def render(value: Any, style: str | None = None) -> str:
    """`value` on one line; a string keeps the quotes `style` had. YAML 1.1 and 1.2 readers read the same value."""
    if isinstance(value, list):
        return "[" + ", ".join(render(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{render(str(key))}: {render(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        return _string(value, style)
    if isinstance(value, float):
        return _float(value)
    return json.dumps(value)


def _float(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return "-.inf" if value < 0 else ".inf"
    text = repr(value)
    # YAML 1.1 (PyYAML) reads 1e-05 as a string; with a dot both versions read a number.
    text = text.replace("e", ".0e", 1) if "e" in text and "." not in text else text
    return text.replace("e-0", "e-")


def _string(value: str, style: str | None) -> str:
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    plain = re.fullmatch(_PLAIN, value) and value.lower() not in _WORDS and not value[:2].strip(".").isdigit()
    if plain and style != '"' and not value.startswith("---"):
        return value
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    if 0xD800 <= code < 0xE000:
        raise ValueError("the value holds half a surrogate pair")
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
