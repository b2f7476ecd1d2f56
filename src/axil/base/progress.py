"""Progress as a value passed down: lower layers report, a face decides whether and how to show it. Bytes in words."""

from __future__ import annotations

from axil.base.light import Protocol


class Progress(Protocol):
    """Receives how far a long work has come. Calls are cheap and may come thousands of times a second."""

    def begin(self, label: str, total: int | None = None, unit: str = "") -> None:
        """A new piece of work starts; `total` in `unit` ("files", "B") if known."""

    def advance(self, count: int = 1) -> None:
        """`count` more units are done."""

    def end(self) -> None:
        """The piece of work begun last is over."""


class Silent:
    """Shows nothing."""

    def begin(self, label: str, total: int | None = None, unit: str = "") -> None: ...

    def advance(self, count: int = 1) -> None: ...

    def end(self) -> None: ...


SILENT: Progress = Silent()

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def size(count: int) -> str:
    """Bytes as `812 B`, `3.4 MB` (powers of 1000, as disks are sold and `ls -h --si` shows)."""
    value = float(count)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"
