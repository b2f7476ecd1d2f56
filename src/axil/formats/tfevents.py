"""TensorBoard event files: the scalars in them, read from the bytes (TFRecord frames around protobuf messages).

An own reader because `tensorboard` takes seconds to import and need not be installed where axil is. It knows both ways
of writing a scalar: the old field `simple_value` and the tensor of one number. Images, histograms and graphs are
passed over unread. The bytes are untrusted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

PREFIX = "events.out.tfevents."
"""What the names of event files contain."""
MAX_SCALARS = 256 << 10
"""Bytes of a record; in a longer one there is something else than scalars."""
MAX_TAG = 1000
_HEADER, _FOOTER = 12, 4
_ALWAYS_CHECKED = 4 << 10
"""Longer records are checked only if scalars were found: most are pictures, and the checksum takes a while."""


class Scalar(NamedTuple):
    """One value of one tag."""

    tag: str
    step: int
    time: float
    value: float


class Reader:
    """Turns the bytes of a growing event file into scalars; feed it the bytes in order, in pieces of any size."""

    def __init__(self) -> None:
        self.bad = 0
        """How many records could not be read."""
        self.lost = False
        """A frame's length was damaged: where the next one begins cannot be known."""
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[Scalar]:
        """The scalars of the records that `data` completes."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        data, at = self._rest + data, 0
        while not self.lost and len(data) - at >= _HEADER:
            (length,) = struct.unpack_from("<Q", data, at)
            if masked_crc(data[at : at + 8]) != int.from_bytes(data[at + 8 : at + _HEADER], "little"):
                self.bad += 1
                self.lost = True
                break
            end = at + _HEADER + length + _FOOTER
            if length > MAX_SCALARS:
                self._skip = max(0, end - len(data))
                at = min(end, len(data))
                continue
            if end > len(data):
                break
            body = data[at + _HEADER : end - _FOOTER]
            yield from self._record(body, int.from_bytes(data[end - _FOOTER : end], "little"))
            at = end
        self._rest = b"" if self.lost else data[at:]

    def _record(self, body: bytes, crc: int) -> Iterator[Scalar]:
        try:
            found = list(scalars(body))
        except (ValueError, struct.error):
            self.bad += 1
            return
        if (found or len(body) <= _ALWAYS_CHECKED) and masked_crc(body) != crc:
            self.bad += 1
            return
        yield from found


def scalars(event: bytes) -> Iterator[Scalar]:
    """The scalars in one message `Event`. Raises `ValueError` or `struct.error` if it is none."""
    time, step, summaries = 0.0, 0, []
    for number, value in _fields(event):
        if number == 1 and isinstance(value, bytes) and len(value) == 8:
            (time,) = struct.unpack("<d", value)
        elif number == 2 and isinstance(value, int):
            step = value - (1 << 64) if value >> 63 else value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes):
                tag, found = _value(value)
                if found is not None and tag:
                    yield Scalar(tag, step, time if 0 < time < 1e11 else 0.0, found)


def _value(message: bytes) -> tuple[str, float | None]:
    """Tag and number of a `Summary.Value`; None if it is no scalar."""
    tag, number, tensor, plugin = "", None, None, b""
    for field, value in _fields(message):
        if not isinstance(value, bytes):
            continue
        if field == 1:
            tag = value[: 4 * MAX_TAG].decode("utf-8", "replace")[:MAX_TAG]
        elif field == 2 and len(value) == 4:
            (number,) = struct.unpack("<f", value)
        elif field == 8:
            tensor = value
        elif field == 9:
            plugin = _inner(_inner(value, 1), 1)
    if number is None and tensor is not None and plugin in (b"scalars", b""):
        number = _tensor(tensor)
    return tag, number


def _inner(message: bytes, wanted: int) -> bytes:
    return next((value for field, value in _fields(message) if field == wanted and isinstance(value, bytes)), b"")


_CONTENT = {1: "<f", 2: "<d", 3: "<i", 9: "<q", 19: "<e", 14: "bfloat"}
"""DataType -> how one number of it is written in `tensor_content`."""
_LISTS = {1: (5, "<f"), 2: (6, "<d"), 3: (7, ""), 9: (10, ""), 19: (13, "half"), 14: (13, "bfloat")}
"""DataType -> the field with its numbers; without a form they are varints."""


def _tensor(message: bytes) -> float | None:
    """The number in a tensor of exactly one."""
    kind, content, lists = 0, b"", {}
    for field, value in _fields(message):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field == 2 and isinstance(value, bytes) and any(size != 1 for size in _sizes(value)):
            return None
        elif field == 4 and isinstance(value, bytes):
            content = value
        elif field in (5, 6, 7, 10, 13):
            lists[field] = value
    if content and kind in _CONTENT:
        return _unpacked(content, _CONTENT[kind])
    where, form = _LISTS.get(kind, (0, ""))
    if where not in lists:
        return None
    value = lists[where]
    if form.startswith("<"):
        return _unpacked(value, form) if isinstance(value, bytes) else None
    plain = value if isinstance(value, int) else _only_varint(value)
    if form:
        return _unpacked(struct.pack("<H", plain & 0xFFFF), "<e" if form == "half" else form)
    return float(plain - (1 << 64) if plain >> 63 else plain)


def _sizes(shape: bytes) -> Iterator[int]:
    for field, dimension in _fields(shape):
        if field == 2 and isinstance(dimension, bytes):
            yield next((value for inner, value in _fields(dimension) if inner == 1 and isinstance(value, int)), 0)


def _unpacked(data: bytes, form: str) -> float | None:
    if form == "bfloat":  # the upper half of a float
        data, form = b"\0\0" + data, "<f"
    if len(data) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, data)[0])


def _only_varint(data: bytes) -> int:
    value, at = _varint(data, 0)
    if at != len(data):
        raise ValueError("more than one number")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a protobuf message: an int for a varint, else bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > end:
            raise ValueError("cut short")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise ValueError("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise ValueError("an endless number")


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        rows.append(byte)
    return tuple(rows)


_CRC = _table()


def masked_crc(data: bytes) -> int:
    """CRC-32C of `data`, turned around as TFRecord does."""
    crc, table = 0xFFFFFFFF, _CRC
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
