"""msgspec, without what it loads beyond need, which takes longer than msgspec itself.

It asks for `typing_extensions` where that is installed, and takes the same names from `typing` where it is not: that
has had all of them since Python 3.11. Others are loaded only when somebody uses them: what describes types and writes
JSON schemas, and `platform`, of which `uuid` wants the system's name.
"""

from __future__ import annotations

import os
import sys

from axil.base.light import Any


class _Later:
    """Stands for the module `name` until somebody asks it for something that is not among `known`."""

    def __init__(self, name: str, **known: object) -> None:
        self.__dict__.update(known, _module=name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        import importlib

        return getattr(importlib.import_module(self._module), name)


_STANDING_IN = {
    "typing_extensions": None,  # An import of it fails, as if it were not installed.
    "msgspec.inspect": _Later("msgspec.inspect"),
    "textwrap": _Later("textwrap"),
    "platform": _Later("platform", system=lambda: os.uname().sysname),
}

_put = {name: module for name, module in _STANDING_IN.items() if name not in sys.modules}
sys.modules.update(_put)  # type: ignore[arg-type]
try:
    import msgspec as msgspec
finally:
    for _name in _put:
        del sys.modules[_name]
