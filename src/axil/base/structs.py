"""msgspec, without what it loads beyond need.

It asks for `typing_extensions` where that is installed, which takes twice as long to load as msgspec itself, and takes
the same names from `typing` where it is not. Python's `typing` has had all of them since 3.11, so it is told that.
"""

from __future__ import annotations

import sys

_BACKPORTS = "typing_extensions"

if _BACKPORTS in sys.modules:
    import msgspec as msgspec
else:
    sys.modules[_BACKPORTS] = None  # type: ignore[assignment]  # An import of it fails, as if it were not installed.
    try:
        import msgspec as msgspec
    finally:
        del sys.modules[_BACKPORTS]
