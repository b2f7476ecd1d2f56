"""What msgspec does not need is not loaded with it, and is there for whoever asks."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_msgspec_loads_without_what_it_does_not_need() -> None:
    spared = "platform", "textwrap", "typing_extensions"
    assert python(f"import axil.base.structs, sys; print([m for m in {spared} if m in sys.modules])") == "[]"


def test_what_was_spared_is_whole_when_used() -> None:
    code = """
import sys
from axil.base.structs import msgspec
import uuid
class Point(msgspec.Struct):
    "where"
    x: int
assert msgspec.json.schema(Point)["$defs"]["Point"]["description"] == "where"
assert msgspec.convert(str(uuid.NAMESPACE_DNS), uuid.UUID) == uuid.NAMESPACE_DNS
import platform, textwrap
assert platform.__file__ and textwrap.__file__
assert uuid.platform.machine() == platform.machine()
assert uuid.platform.system() == platform.system()
assert platform.uname().system
print("whole")
"""
    assert python(code) == "whole"


def test_what_is_loaded_already_stays() -> None:
    code = "import platform, textwrap; before = platform, textwrap; import axil.base.structs, sys; "
    assert python(code + "print(before == (sys.modules['platform'], sys.modules['textwrap']))") == "True"
