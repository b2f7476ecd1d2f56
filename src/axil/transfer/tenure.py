"""The lease of a prune: one at a time, written again while it lasts, given up when that fails for too long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from axil.base.clock import Clock
from axil.errors import AxilError, Busy
from axil.formats import sharing
from axil.formats.sharing import Lease
from axil.remotes.base import Remote, Unreachable
from axil.transfer import keys
from axil.transfer.survey import living

RENEW = 300.0
"""Seconds after which a lease is written again."""
GIVE_UP = 1200.0
"""Seconds without a lease written after which its owner stops."""


class Tenure:
    """A lease that is held. `now` is the remote's time at its beginning."""

    def __init__(self, remote: Remote, lease: Lease, clock: Clock) -> None:
        self.id = lease.id
        self.now = 0.0
        self._remote = remote
        self._lease = lease
        self._clock = clock
        self._last = clock()

    def alive(self) -> None:
        """Write the lease again if it is time. Raises `Busy` if that was not possible for too long."""
        # Only how long it takes is measured here, so it does not matter what time the clock shows.
        passed = self._clock() - self._last
        if passed >= GIVE_UP:
            raise Busy("the prune stopped", f"it could not renew its lease for {passed / 60:.0f} minutes", "try again")
        if passed >= RENEW or passed < 0:
            with contextlib.suppress(Unreachable):
                self.write()

    def write(self) -> None:
        """Write the lease."""
        began = self._clock()
        self._remote.put(keys.LEASES + self.id, sharing.encode_lease(self._lease))
        self._last = began


@contextlib.contextmanager
def tenure(remote: Remote, lease: Lease, clock: Clock) -> Iterator[Tenure]:
    """Hold `lease`, which is of a prune. Raises `Busy` if there is another one alive.

    Of two that begin at the same moment both may give up. Two that run at once, because a listing hid one from the
    other, do not harm each other: see docs/formats/remote.md.
    """
    held = Tenure(remote, lease, clock)
    held.write()
    try:
        stat = remote.stat(keys.LEASES + lease.id)
        if stat is None:
            raise Busy("the prune stopped", f"{remote.url} does not show the lease that was written", "try again")
        held.now = stat.written
        for other in living(remote, held.now, lease.id):
            if other.kind == "prune":
                who = " ".join(word for word in (other.author, f"on {other.host}" if other.host else "") if word)
                raise Busy(
                    f"another prune of {remote.url} is under way",
                    f"begun by {who or 'somebody'}, process {other.pid}; if it was killed, its lease ends by itself",
                    "try again in half an hour",
                )
        yield held
    finally:
        # Whoever cannot reach the remote leaves a lease that ends by itself.
        with contextlib.suppress(AxilError):
            remote.delete(keys.LEASES + lease.id)
