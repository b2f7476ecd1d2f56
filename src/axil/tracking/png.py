"""An array as a PNG file, with the standard library only: numpy and torch arrays do the rest by their own methods."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

_COLORS = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels -> PNG colour type: grey, grey with alpha, RGB, RGBA."""


def encode(image: Any) -> bytes:
    """`image` (H×W, H×W×C, or C×H×W as torch has it; bytes, truth values, or numbers from 0 to 1) as PNG.

    Raises `ValueError` or `TypeError` for anything else.
    """
    array = image.detach().cpu().numpy() if hasattr(image, "detach") else image
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        raise TypeError(f"{type(image).__name__} is no image: give an array, a PIL image or a path")
    shape = tuple(array.shape)
    if len(shape) == 3 and shape[2] not in _COLORS and shape[0] in _COLORS:
        array = array.transpose(1, 2, 0)
    shape = tuple(array.shape)
    if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] not in _COLORS):
        raise ValueError(f"an array of shape {shape} is no image")
    kind = array.dtype.kind
    if kind == "f":
        array = (array.clip(0, 1) * 255 + 0.5).astype("uint8")  # NaN becomes black
    elif kind == "b":
        array = array.astype("uint8") * 255
    elif kind in "iu":
        array = array.clip(0, 255).astype("uint8")
    else:
        raise ValueError(f"an array of {array.dtype} is no image")
    channels = shape[2] if len(shape) == 3 else 1
    return _png(array.tobytes(), shape[1], shape[0], channels)


def _png(pixels: bytes, width: int, height: int, channels: int) -> bytes:
    import struct
    import zlib

    row = width * channels
    # Each row begins with its filter: 0 is none.
    raw = b"".join(b"\0" + pixels[at : at + row] for at in range(0, len(pixels), row))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, _COLORS[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 6)) + chunk(b"IEND", b"")
