"""Leases: a push says that it is under way, so that no prune sweeps away what it relies on.

Alive is judged by the remote's clock, giving up by the owner's own; they are never compared.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from axil.base.clock import Clock
from axil.errors import AxilError, Damaged
from axil.formats import sharing
from axil.formats.sharing import Kind, Lease
from axil.remotes.base import Absent, Remote, Stat, Unreachable
from axil.transfer import keys
from axil.transfer.small import get_small

RENEW = 5 * 60.0
"""A lease is written again after this many seconds."""
GIVE_UP = 20 * 60.0
"""Whoever could not write its lease for so long stops."""
ALIVE = 30 * 60.0
"""A lease counts as alive for so long after it was written."""


class Held:
    """A lease that this process holds."""

    def __init__(self, remote: Remote, lease: Lease, clock: Clock) -> None:
        self.lease = lease
        self._remote = remote
        self._clock = clock
        self._written = self._tried = clock()

    def write(self) -> None:
        """Put the lease on the remote."""
        # The moment before: the remote counts from a later one, so this side gives up first.
        began = self._clock()
        self._remote.put(keys.LEASES + self.lease.id, sharing.encode_lease(self.lease))
        self._written = self._tried = began

    def keep(self) -> None:
        """Write the lease again if it is time. Raises `AxilError` if that failed for too long."""
        now = self._clock()
        # A clock that was set back says nothing of how long it was: better write once too often.
        if 0 <= now - self._written < RENEW or 0 <= now - self._tried < RENEW / 10:
            return
        failure: Unreachable | None = None
        try:
            self.write()
            return
        except Unreachable as error:
            self._tried, failure = now, error
        self.check(failure)

    def check(self, failure: Unreachable | None = None) -> None:
        """Raise `AxilError` if the lease was not written for so long that others may think its owner dead."""
        if self._clock() - self._written >= GIVE_UP:
            raise AxilError(
                f"the {self.lease.kind} to {self._remote.url} was given up",
                f"its lease could not be written for {GIVE_UP / 60:.0f} minutes"
                + (f": {failure.what}" if failure else ""),
                "do the same again: what has been sent is used",
            )


@contextlib.contextmanager
def hold(
    remote: Remote, kind: Kind, *, author: str, host: str, pid: int, new_id: Callable[[], str], clock: Clock
) -> Iterator[Held]:
    """A new lease, on the remote while the context lasts; one that cannot be removed ends by itself."""
    held = Held(remote, Lease(new_id(), kind, author, host, pid), clock)
    try:
        held.write()
        yield held
    finally:
        with contextlib.suppress(AxilError):
            remote.delete(keys.LEASES + held.lease.id)


def living(remote: Remote, now_written: float) -> list[tuple[Stat, Lease]]:
    """The leases that are alive, oldest first; `now_written` is the `written` of an object put a moment ago.

    One that cannot be read counts as one of a push: somebody wrote it.
    """
    found: list[tuple[Stat, Lease]] = []
    for stat in remote.list(keys.LEASES):
        name = keys.ulid_of(stat.key, keys.LEASES)
        if name is None or now_written - stat.written >= ALIVE:
            continue
        try:
            lease = sharing.decode_lease(get_small(remote, stat.key), f"{remote.url}: {stat.key}")
        except Absent:
            continue
        except Damaged:
            lease = Lease(name, "push", "", "", 0)
        found.append((stat, lease))
    return sorted(found, key=lambda one: one[0].written)
