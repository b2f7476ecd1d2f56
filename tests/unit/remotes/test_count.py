"""Accounting of requests and bytes."""

from __future__ import annotations

import pytest

from axil.remotes.base import Absent
from axil.remotes.memory import Memory
from axil.remotes.wrap.count import Count


def test_requests_and_bytes_are_counted():
    moved = []
    remote = Count(Memory(lambda: 0.0), lambda verb, size: moved.append((verb, size)))
    remote.put("a", b"1234")
    remote.create("b", b"12")
    remote.get("a", 1)
    remote.get("a", 0, 100)
    list(remote.list(""))
    with pytest.raises(Absent):
        remote.get("c")
    remote.stat("a")
    remote.delete("a")
    assert remote.requests == {"put": 1, "create": 1, "get": 3, "list": 1, "stat": 1, "delete": 1}
    assert (remote.sent, remote.received, remote.listed) == (6, 7, 2)
    assert moved == [("put", 4), ("create", 2), ("get", 3), ("get", 4)]
