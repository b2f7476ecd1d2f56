from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axil.base.hashing import hash_bytes
from axil.errors import AxilError, Damaged
from axil.formats.sharing import Chunking
from axil.transfer.chunks import cutter, open_blob, stream

TINY = Chunking(min=64, avg=256, max=1024, whole=64)
VECTORS = Path(__file__).parents[2] / "formats" / "chunks-v1.json"


def streamed(folder: Path, data: bytes, chunking: Chunking, window: int) -> list[bytes]:
    path = folder / "blob"
    path.write_bytes(data)
    fd = open_blob(str(path))
    try:
        found = []
        for oid, piece in stream(fd, hash_bytes(data), str(path), chunking, window):
            assert hash_bytes(piece) == oid
            found.append(bytes(piece))
        return found
    finally:
        os.close(fd)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(0, 40_000), window=st.integers(1, 9_000), few=st.booleans())
def test_cuts_do_not_depend_on_windows(tmp_path_factory, seed: int, size: int, window: int, few: bool):
    made = random.Random(seed)
    data = bytes(made.choices(b"ab", k=size)) if few else made.randbytes(size)
    whole = [data[one.offset : one.offset + one.length] for one in cutter(TINY).cut_buf(data)] if data else []
    assert streamed(tmp_path_factory.mktemp("chunks"), data, TINY, window) == whole


def test_cuts_are_those_published(tmp_path: Path):
    for vector in json.loads(VECTORS.read_text()):
        data = random.Random(vector["seed"]).randbytes(vector["size"])
        assert hash_bytes(data).hex() == vector["blob"]
        chunking = Chunking(**vector["chunking"])
        assert [len(piece) for piece in streamed(tmp_path, data, chunking, 1 << 20)] == vector["lengths"]


def test_damage_is_noticed_at_the_end(tmp_path: Path):
    (tmp_path / "blob").write_bytes(b"x" * 5000)
    fd = open_blob(str(tmp_path / "blob"))
    with pytest.raises(Damaged):
        list(stream(fd, b"\0" * 32, "blob", TINY))
    os.close(fd)


@pytest.mark.parametrize("chunking", [Chunking("rabin"), Chunking(min=1, avg=1, max=1)])
def test_unknown_ways_of_cutting_are_refused(chunking: Chunking):
    with pytest.raises(AxilError):
        cutter(chunking)
