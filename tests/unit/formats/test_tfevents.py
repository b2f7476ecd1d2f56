"""Event files of TensorBoard: both ways of writing scalars, whole, cut, damaged and hostile."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.formats import tfevents
from axil.formats.tfevents import Reader, Scalar, masked_crc, scalars


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: bytes | int) -> bytes:
    """A field of protobuf: a varint, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed(number: int, form: str, value: float) -> bytes:
    return varint(number << 3 | (1 if form == "<d" else 5)) + struct.pack(form, value)


def event(*values: bytes, step: int = 3, time: float = 1.7e9) -> bytes:
    summary = b"".join(field(1, value) for value in values)
    return fixed(1, "<d", time) + field(2, step) + field(5, summary)


def simple(tag: str, value: float) -> bytes:
    return field(1, tag.encode()) + fixed(2, "<f", value)


def tensor(tag: str, *parts: bytes, plugin: bytes = b"scalars", shape: bytes = b"") -> bytes:
    metadata = field(9, field(1, field(1, plugin))) if plugin else b""
    return field(1, tag.encode()) + metadata + field(8, b"".join(parts) + field(2, shape))


def record(body: bytes) -> bytes:
    length = struct.pack("<Q", len(body))
    return length + struct.pack("<I", masked_crc(length)) + body + struct.pack("<I", masked_crc(body))


def read(*pieces: bytes) -> tuple[list[Scalar], Reader]:
    reader = Reader()
    return [scalar for piece in pieces for scalar in reader.feed(piece)], reader


def test_the_checksum_is_that_of_tfrecord() -> None:
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_simple_values() -> None:
    body = event(simple("loss", 0.5), simple("val/f1", 0.25), step=7)
    assert list(scalars(body)) == [Scalar("loss", 7, 1.7e9, 0.5), Scalar("val/f1", 7, 1.7e9, 0.25)]
    (negative,) = scalars(event(simple("a", 1), step=-2))
    assert negative.step == -2


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ((field(1, 1), fixed(5, "<f", 0.5)), 0.5),
        ((field(1, 1), field(5, struct.pack("<f", 0.5))), 0.5),
        ((field(1, 1), field(4, struct.pack("<f", 0.5))), 0.5),
        ((field(1, 2), fixed(6, "<d", 1e-9)), 1e-9),
        ((field(1, 2), field(4, struct.pack("<d", 1e-9))), 1e-9),
        ((field(1, 3), field(7, 12)), 12.0),
        ((field(1, 3), field(7, -12)), -12.0),
        ((field(1, 9), field(10, varint(1 << 40))), float(1 << 40)),
        ((field(1, 9), field(4, struct.pack("<q", -5))), -5.0),
        ((field(1, 19), field(13, 0x3800)), 0.5),
        ((field(1, 14), field(13, varint(0x3F00))), 0.5),
        ((field(1, 14), field(4, b"\x00\x3f")), 0.5),
    ],
)
def test_tensors_of_one_number(parts: tuple[bytes, ...], value: float) -> None:
    assert [one.value for one in scalars(event(tensor("a", *parts)))] == [value]
    assert [one.value for one in scalars(event(tensor("a", *parts, plugin=b"")))] == [value]


@pytest.mark.parametrize(
    "value",
    [
        tensor("a", field(1, 1), field(5, struct.pack("<ff", 1, 2))),
        tensor("a", field(1, 1), fixed(5, "<f", 1), shape=field(2, field(1, 2))),
        tensor("a", field(1, 1), fixed(5, "<f", 1), plugin=b"histograms"),
        tensor("a", field(1, 7), field(8, b"text")),
        tensor("a", field(1, 1)),
        field(1, b"image") + field(4, b"png"),
        field(1, b"") + fixed(2, "<f", 1),
    ],
)
def test_what_is_no_scalar_is_passed_over(value: bytes) -> None:
    assert list(scalars(event(value, simple("b", 1)))) == [Scalar("b", 3, 1.7e9, 1.0)]


def test_a_file_in_pieces_of_any_size() -> None:
    data = record(event()) + b"".join(record(event(simple("a", n), step=n)) for n in range(5))
    for size in (1, 3, 17, len(data)):
        found, reader = read(*(data[at : at + size] for at in range(0, len(data), size)))
        assert [(one.step, one.value) for one in found] == [(n, float(n)) for n in range(5)]
        assert (reader.bad, reader.lost) == (0, False)


def test_an_unfinished_record_waits() -> None:
    data = record(event(simple("a", 1)))
    found, reader = read(data, data[:-1])
    assert len(found) == 1
    assert len(list(reader.feed(data[-1:]))) == 1


def test_long_records_are_passed_over_unread() -> None:
    long = record(event(field(1, b"image") + field(4, b"x" * tfevents.MAX_SCALARS)))
    data = record(event(simple("a", 1))) + long + record(event(simple("a", 2)))
    for size in (1000, len(data)):
        found, reader = read(*(data[at : at + size] for at in range(0, len(data), size)))
        assert [one.value for one in found] == [1.0, 2.0]
        assert reader.bad == 0
    endless = struct.pack("<Q", 1 << 62)
    found, reader = read(endless + struct.pack("<I", masked_crc(endless)), data)
    assert not found


def test_a_damaged_record_is_counted_and_the_next_one_read() -> None:
    good, broken = record(event(simple("a", 1))), bytearray(record(event(simple("a", 2))))
    broken[-6] ^= 1
    found, reader = read(good + bytes(broken) + good)
    assert [one.value for one in found] == [1.0, 1.0]
    assert (reader.bad, reader.lost) == (1, False)


def test_after_a_damaged_length_nothing_is_read() -> None:
    good, broken = record(event(simple("a", 1))), bytearray(record(event(simple("a", 2))))
    broken[2] ^= 1
    found, reader = read(good + bytes(broken), good)
    assert len(found) == 1
    assert (reader.bad, reader.lost) == (1, True)


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_no_bytes_raise(bodies: list[bytes]) -> None:
    found, reader = read(*map(record, bodies))
    assert all(isinstance(one.value, float) for one in found)
    read(*bodies)
    assert not reader.lost


@given(st.binary(max_size=60), st.integers(0, 200))
def test_no_change_of_a_message_raises(noise: bytes, at: int) -> None:
    body = event(simple("loss", 0.5), tensor("a", field(1, 1), fixed(5, "<f", 1), shape=field(2, field(1, 1))))
    at %= len(body)
    read(record(body[:at] + noise + body[at + len(noise) :]))


WRITERS: dict[str, str] = {"tensorboardX": "tensorboardX", "torch": "torch.utils.tensorboard"}


@pytest.mark.parametrize("package", WRITERS)
def test_files_of_real_writers(package: str, tmp_path: Any) -> None:
    pytest.importorskip(package)
    module = pytest.importorskip(WRITERS[package])
    writer = module.SummaryWriter(str(tmp_path))
    new = {"new_style": True} if package == "torch" else {}
    for step in range(3):
        writer.add_scalar("loss/train", 1 / (step + 1), step)
        writer.add_scalar("other", step * 2, step, **new)
        writer.add_text("words", "hello", step)
    writer.close()
    (file,) = tmp_path.glob(f"*{tfevents.PREFIX}*")
    found, reader = read(file.read_bytes())
    assert [(one.step, one.value) for one in found if one.tag == "other"] == [(0, 0.0), (1, 2.0), (2, 4.0)]
    assert [one.step for one in found if one.tag == "loss/train"] == [0, 1, 2]
    assert {one.tag for one in found} == {"loss/train", "other"}
    assert (reader.bad, reader.lost) == (0, False)
    assert all(one.time > 1.6e9 for one in found)
