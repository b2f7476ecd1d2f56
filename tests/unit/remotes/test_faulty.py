"""The faulty remote does what its plan says and nothing else."""

from __future__ import annotations

import pytest

from axil.remotes.base import Absent, Unreachable
from axil.remotes.memory import Memory
from axil.remotes.wrap.faulty import Fault, Faulty, Operation


def faulty(plan: dict[int, Fault] | None = None, lag: int = 0) -> Faulty:
    return Faulty(Memory(lambda: 5.0), plan, lag)


def keys(remote: Faulty, prefix: str = "") -> list[str]:
    return sorted(found.key for found in remote.list(prefix))


def test_operations_are_remembered_in_order():
    remote = faulty()
    remote.usable()
    remote.put("a/b", b"1")
    remote.create("c", b"2")
    remote.get("c")
    remote.stat("c")
    list(remote.list("a/"))
    remote.delete("c")
    assert remote.operations == [
        Operation("usable", ""), Operation("put", "a/b"), Operation("create", "c"), Operation("get", "c"),
        Operation("stat", "c"), Operation("list", "a/"), Operation("delete", "c"),
    ]  # fmt: skip


def test_before_means_no_effect_and_after_means_an_effect():
    remote = faulty({0: Fault("before"), 2: Fault("after"), 4: Fault("after"), 5: Fault("after")})
    with pytest.raises(Unreachable, match="a"):
        remote.put("a", b"1")
    assert remote.stat("a") is None
    with pytest.raises(Unreachable):
        remote.put("a", b"1")
    assert remote.get("a") == b"1"
    with pytest.raises(Unreachable):
        remote.create("b", b"2")
    with pytest.raises(Unreachable):
        remote.delete("a")
    assert keys(remote) == ["b"]


def test_the_error_may_be_a_crash():
    class Killed(BaseException):
        pass

    remote = faulty({0: Fault("after", Killed())})
    with pytest.raises(Killed):
        remote.put("a", b"1")
    assert remote.get("a") == b"1"


def test_bytes_are_cut_and_turned():
    remote = faulty({0: Fault("truncate"), 2: Fault("flip"), 4: Fault("truncate"), 5: Fault("flip")})
    remote.put("a", b"1234")
    assert remote.get("a") == b"12"
    remote.create("b", b"1234")
    assert remote.get("b") == b"1224"
    assert remote.get("b") == b"12"
    assert remote.get("b") == b"1234"


def test_listings_break_off():
    remote = faulty({4: Fault("after"), 5: Fault("truncate"), 6: Fault("before")})
    for key in "abcd":
        remote.put(key, b"")
    seen: list[str] = []
    with pytest.raises(Unreachable):
        seen.extend(found.key for found in remote.list(""))
    assert seen == ["a", "b"]
    assert keys(remote) == ["a", "b"]
    with pytest.raises(Unreachable):
        keys(remote)
    assert keys(remote) == ["a", "b", "c", "d"]


def test_listings_lag():
    remote = faulty(lag=2)
    remote.put("a", b"1")
    assert keys(remote) == []
    remote.put("b", b"22")
    remote.put("c", b"")
    assert keys(remote) == ["a"]
    remote.delete("a")
    assert keys(remote) == ["a", "b"]
    remote.put("b", b"333")
    assert [(found.key, found.size) for found in remote.list("") if found.key == "b"] == [("b", 2)]
    with pytest.raises(Absent):
        remote.get("a")
    assert not remote.create("b", b"")
    remote.lag = 0
    assert keys(remote) == ["b", "c"]


def test_a_lagging_listing_heeds_its_prefix():
    remote = faulty(lag=5)
    remote.put("a/1", b"")
    remote.delete("a/1")
    remote.put("b/1", b"")
    remote.lag = 1
    assert keys(remote, "a/") == []
    remote.lag = 2
    assert keys(remote, "a/") == ["a/1"]
    assert keys(remote, "b/") == []
