"""msgspec, without what it loads beyond need.

It asks for `typing_extensions` where that is installed, which takes twice as long to load as msgspec itself, and takes
the same names from `typing` where it is not. Python's `typing` has had all of them since 3.11, so it is told that.
`platform`, of which `uuid` asks one name, and `textwrap`, for JSON schemas, take a third of the time left; they are
loaded when something else of them is used.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType


class _Later(ModuleType):
    """Stands for a module until something of it is used that it does not have itself."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(__import__(self.__name__), name)


def _stand_ins() -> dict[str, ModuleType | None]:
    platform = _Later("platform")
    vars(platform)["system"] = lambda: os.uname().sysname
    # None: an import of it fails, as if it were not installed.
    found = {"typing_extensions": None, "platform": platform, "textwrap": _Later("textwrap")}
    return {name: module for name, module in found.items() if name not in sys.modules}


_for_now = _stand_ins()
sys.modules.update(_for_now)  # type: ignore[arg-type]  # None is what the import system documents.
try:
    import msgspec as msgspec
finally:
    for _name, _module in _for_now.items():
        if sys.modules.get(_name, _name) is _module:
            del sys.modules[_name]
