"""Colour, symbols and widths of text on a terminal. Knows nothing of axil's values."""

from __future__ import annotations

from collections.abc import Iterator

_ESCAPE = "\x1b["
# Besides the control characters: the bidirectional overrides, which can make a name read as another one.
_RANGES = ((0, 0x1F), (0x7F, 0x9F), (0x61C, 0x61C), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069))
_VISIBLE_NAME = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for first, last in _RANGES
    for code in range(first, last + 1)
} | {ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}
_VISIBLE = {code: shown for code, shown in _VISIBLE_NAME.items() if chr(code) not in "\t\n"}

SYMBOLS = {
    "succeeded": ("✓", "ok", "green"),
    "failed": ("✗", "FAILED", "red"),
    "stopped": ("■", "stopped", "yellow"),
    "lost": ("?", "lost", "magenta"),
    "running": ("▶", "running", "cyan"),
    "queued": ("○", "queued", "blue"),
    "cached": ("↺", "cached", "green"),
    "current": ("=", "current", "dim"),
    "skipped": ("–", "skipped", "dim"),
}
"""State -> symbol, word where the terminal has no Unicode, colour."""


def safe(text: str) -> str:
    """`text` with control characters as visible escapes and undecodable bytes as \\xNN: for names from a repository."""
    if text.isprintable():
        return text
    text = text.translate(_VISIBLE_NAME)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def plain(text: str) -> str:
    """`text` for a terminal, in which nothing but tabs and line ends has an effect: not even colours."""
    return text if text.isprintable() else text.translate(_VISIBLE)


def clean(text: str) -> str:
    """`text` for a terminal: colours, tabs and line ends pass, every other control character is made visible."""
    if text.isprintable():
        return text
    return "".join(part if color else part.translate(_VISIBLE) for color, part in _parts(text))


def bare(text: str) -> str:
    """`text` without colours."""
    return "".join(part for color, part in _parts(text) if not color) if "\x1b" in text else text


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """`text` cut into codes that set a colour (True) and what is between them (False)."""
    first, *rest = text.split(_ESCAPE)
    yield False, first
    for part in rest:
        numbers, end, after = part.partition("m")
        if end and not numbers.strip("0123456789;"):
            yield True, f"{_ESCAPE}{numbers}m"
            yield False, after
        else:
            yield False, _ESCAPE + part


def width(text: str) -> int:
    """How many terminal cells `text` takes; colours take none, wide East Asian characters two."""
    text = bare(text)
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, cells: int) -> str:
    """`text` (without colours) in at most `cells` cells, its end replaced by an ellipsis where it is longer."""
    if width(text) <= cells:
        return text
    taken = 0
    for position, char in enumerate(text):
        taken += width(char)
        if taken > cells - 1:
            return text[:position].rstrip() + "…" if cells > 0 else ""
    return text


def cut_front(text: str, cells: int) -> str:
    """`text` in at most `cells` cells, its beginning replaced by an ellipsis where it is longer."""
    if width(text) <= cells:
        return text
    reversed_ = cut(text[::-1], cells)
    return reversed_[::-1]


class Style:
    """Paints text if `on`; `unicode` says whether symbols beyond ASCII can be shown."""

    __slots__ = ("on", "unicode")

    def __init__(self, on: bool = False, unicode: bool = True) -> None:
        self.on = on
        self.unicode = unicode

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)

    def red(self, text: str) -> str:
        return self._paint("31", text)

    def green(self, text: str) -> str:
        return self._paint("32", text)

    def yellow(self, text: str) -> str:
        return self._paint("33", text)

    def blue(self, text: str) -> str:
        return self._paint("34", text)

    def magenta(self, text: str) -> str:
        return self._paint("35", text)

    def cyan(self, text: str) -> str:
        return self._paint("36", text)

    def color(self, name: str, text: str) -> str:
        """`text` in the colour called `name` ("" for none)."""
        return str(getattr(self, name)(text)) if name else text

    def state(self, state: str, *, word: bool = False) -> str:
        """The coloured symbol of a run's or stage's state, followed by the state itself if `word`."""
        symbol, plain, color = SYMBOLS.get(state, ("?", state, ""))
        if not self.unicode:
            return self.color(color, state if word else plain)
        return self.color(color, f"{symbol} {state}" if word else symbol)

    def better(self, text: str, good: bool | None) -> str:
        """`text` green if `good`, red if not, unpainted if nobody knows."""
        return text if good is None else self.green(text) if good else self.red(text)
