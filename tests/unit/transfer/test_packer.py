from __future__ import annotations

import os
import random

import pytest

from axil.base.hashing import hash_bytes
from axil.store.packs import decompress
from axil.transfer.packer import Press, Presses


def test_what_is_compressed_on_threads_keeps_its_order():
    made = random.Random(7)
    given = [made.choice((os.urandom, bytes))(made.randrange(1, 1 << 18)) for _ in range(200)]
    taken: list[tuple[bytes, bytes, bytes | None]] = []
    with Presses() as presses:
        for data in given:
            presses.put(hash_bytes(data), data)
            taken += presses.take(1 << 20)
        taken += presses.take()
    assert [(oid, data) for oid, data, _ in taken] == [(hash_bytes(data), data) for data in given]
    for _, data, less in taken:
        assert less is None or decompress(less, len(data), "") == data
    assert any(less for _, _, less in taken)


def test_an_error_while_compressing_reaches_the_caller(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Press, "compress", fail)
    with pytest.raises(MemoryError), Presses() as presses:
        presses.put(b"", b"data")
        list(presses.take())


def test_only_what_can_be_compressed_is_promising():
    press = Press()
    assert press.promising(bytes(1 << 18)) and press.promising(b"little")
    assert not press.promising(os.urandom(1 << 18))
