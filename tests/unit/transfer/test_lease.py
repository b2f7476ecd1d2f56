from __future__ import annotations

import pytest
from tests.unit.transfer.conftest import Clock

from axil.base.ids import new_id
from axil.errors import AxilError
from axil.remotes.base import Unreachable
from axil.remotes.memory import Memory
from axil.remotes.wrap.faulty import Fault, Faulty
from axil.transfer import keys
from axil.transfer.lease import hold, living


def held(remote, clock: Clock):
    return hold(remote, "push", author="Ada", host="desk", pid=7, new_id=lambda: new_id(clock), clock=clock)


def test_lives_while_held_and_is_written_again(remote: Memory, clock: Clock):
    with held(remote, clock) as lease:
        (stat,) = remote.list(keys.LEASES)
        clock.now += 299
        lease.keep()
        assert remote.stat(stat.key) == stat
        clock.now += 2
        lease.keep()
        assert [one.written for one in remote.list(keys.LEASES)] == [clock.now]
        assert [one.pid for _, one in living(remote, clock.now + 1799)] == [7]
        assert living(remote, clock.now + 1800) == []
    assert not list(remote.list(keys.LEASES))


def test_gives_up_when_it_cannot_be_written(remote: Memory, clock: Clock):
    faulty = Faulty(remote, {number: Fault("before") for number in range(1, 99)})
    with pytest.raises(AxilError, match="given up"), held(faulty, clock) as lease:
        for _ in range(30):
            clock.now += 60
            lease.keep()
    assert clock.now < 1_000_000 + 1300


def test_an_unreachable_remote_leaves_none(remote: Memory, clock: Clock):
    with pytest.raises(Unreachable), held(Faulty(remote, {0: Fault("before")}), clock):
        raise AssertionError
    assert not list(remote.list(keys.LEASES))
    remote.put(keys.LEASES + new_id(clock), b"rubbish")
    assert [lease.kind for _, lease in living(remote, clock.now)] == ["push"]
