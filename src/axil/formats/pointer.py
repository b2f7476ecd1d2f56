"""Pointer files (`NAME.axil`): the small text in git that stands for tracked data (docs/formats/pointer.md).

A pointer says what the data is, never where: its own place in the repository decides the path.
"""

from __future__ import annotations

from axil.base.hashing import OID_SIZE, Oid, parse_oid
from axil.base.light import Literal, NamedTuple
from axil.errors import BadInput

SUFFIX = ".axil"
VERSION = 1
MAX_BYTES = 4096
_MAX_COUNT = 1 << 63
_HEADER = "# The data beside this file is kept by axil. Change the data and type `axil add`, not this file.\n"
_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
_REQUIRED = ("axil", "kind", "oid", "size", "files")


class Pointer(NamedTuple):
    """Content of tracked data: `size` in bytes, `files` counts files and links (1 for a file)."""

    kind: Literal["file", "tree"]
    oid: Oid
    size: int
    files: int = 1
    executable: bool = False


def render(pointer: Pointer) -> bytes:
    """The canonical text; equal pointers give equal bytes."""
    lines = [
        _HEADER,
        f"axil = {VERSION}\n",
        f'kind = "{pointer.kind}"\n',
        f'oid = "{pointer.oid.hex()}"\n',
        f"size = {pointer.size}\n",
        f"files = {pointer.files}\n",
    ]
    if pointer.executable:
        lines.append("executable = true\n")
    return "".join(lines).encode()


def parse(data: bytes, source: str) -> Pointer:
    """The pointer written in `data`. Raises `BadInput` that names `source` (a path) and the line."""
    if len(data) > MAX_BYTES:
        raise _bad(source, 0, f"it has {len(data)} bytes; a pointer has at most {MAX_BYTES}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad(source, data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from None
    values: dict[str, tuple[str, int]] = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if line.startswith(_CONFLICT):
            raise BadInput(
                f"{source}:{number}: unresolved merge conflict in a pointer",
                "two branches point to different data and git left both",
                f"keep one side: git checkout --ours -- '{source}' (or --theirs), then git add '{source}' "
                "and axil materialise",
            )
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals:
            raise _bad(source, number, f"expected `key = value`, found {line[:60]!r}")
        if key in values:
            raise _bad(source, number, f"the key `{key}` is given twice")
        values[key] = (value.strip(), number)
    return _build(values, source)


def looks_like(data: bytes) -> bool:
    """Whether `data` claims to be a pointer (it may still be invalid)."""
    return len(data) <= MAX_BYTES and any(line.strip().startswith(b"axil =") for line in data.splitlines())


def _build(values: dict[str, tuple[str, int]], source: str) -> Pointer:
    for key, (_, number) in values.items():
        if key not in _REQUIRED and key != "executable":
            raise _bad(source, number, f"unknown key `{key}`")
    for key in _REQUIRED:
        if key not in values:
            raise _bad(source, 0, f"the key `{key}` is missing")
    version = _count(values, "axil", source)
    if version != VERSION:
        raise BadInput(
            f"{source}:{values['axil'][1]}: pointer format {version} is not known to this axil (it reads {VERSION})",
            "the file was written by a newer axil",
            "upgrade axil and try again",
        )
    kind_text, kind_line = values["kind"]
    kind: Literal["file", "tree"]
    if kind_text == '"file"':
        kind = "file"
    elif kind_text == '"tree"':
        kind = "tree"
    else:
        raise _bad(source, kind_line, f'`kind` must be "file" or "tree", not {kind_text[:40]}')
    oid_text, oid_line = values["oid"]
    try:
        if len(oid_text) < 2 or oid_text[0] != '"' or oid_text[-1] != '"':
            raise ValueError(oid_text)
        oid = parse_oid(oid_text[1:-1])
        if len(oid) != OID_SIZE:  # `bytes.fromhex` skips blanks
            raise ValueError(oid_text)
    except ValueError:
        raise _bad(source, oid_line, "`oid` must be 64 lower-case hex digits in double quotes") from None
    files = _count(values, "files", source)
    if kind == "file" and files != 1:
        raise _bad(source, values["files"][1], f"`files` must be 1 for a file, not {files}")
    executable = _flag(values, source)
    if executable and kind == "tree":
        raise _bad(source, values["executable"][1], "a folder cannot be `executable`")
    return Pointer(kind, oid, _count(values, "size", source), files, executable)


def _count(values: dict[str, tuple[str, int]], key: str, source: str) -> int:
    text, number = values[key]
    # `isdecimal` alone would let other scripts' digits in, which TOML does not know.
    if not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) >= _MAX_COUNT or text != str(int(text)):
        raise _bad(source, number, f"`{key}` must be a whole number, not {text[:40]!r}")
    return int(text)


def _flag(values: dict[str, tuple[str, int]], source: str) -> bool:
    text, number = values.get("executable", ("false", 0))
    if text not in ("true", "false"):
        raise _bad(source, number, f"`executable` must be true or false, not {text[:40]!r}")
    return text == "true"


def _bad(source: str, number: int, why: str) -> BadInput:
    place = f"{source}:{number}" if number else source
    return BadInput(
        f"{place}: not a valid pointer",
        why,
        f"bring back the committed one with: git checkout -- '{source}'",
    )
