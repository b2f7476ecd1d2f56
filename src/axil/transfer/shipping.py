"""Packs on their way to a remote: several at once, in bounded memory, the first error stops all."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from axil.base.light import Any
from axil.base.progress import Progress
from axil.remotes.base import Remote
from axil.transfer import keys
from axil.transfer.lease import Held
from axil.transfer.notes import Uploads
from axil.transfer.packer import Finished, Made

IN_FLIGHT = 160 << 20
"""Bytes of packs that may be in memory at once, one pack more if that is needed to go on."""
_LOOK_AGAIN = 30.0


class Shipper:
    """Uploads packs on threads. Used by one thread; leaving the context waits for what runs and drops the rest."""

    def __init__(self, remote: Remote, notes: Uploads, held: Held, progress: Progress) -> None:
        self._remote, self._notes, self._held, self._progress = remote, notes, held, progress
        self._spare: list[mmap.mmap] = []
        self._pool = ThreadPoolExecutor(max(remote.jobs, 1))
        self._running: dict[Future[None], tuple[int, int]] = {}
        self._making: list[Future[Finished]] = []

    def __enter__(self) -> Shipper:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._spare = []

    def ship(self, make: Callable[[], Made], size: int, raw: int) -> None:
        """Upload the pack of about `size` bytes that `make` gives on a thread; `raw` bytes of objects are in it.

        Waits while too much is under way. Raises what an earlier upload raised.
        """
        while self._running and sum(size for size, _ in self._running.values()) + size > IN_FLIGHT:
            self._wait()
        while len(self._running) >= max(self._remote.jobs, 1) + 1:
            self._wait()
        self._held.keep()
        making: Future[Finished] = Future()
        self._making.append(making)
        self._running[self._pool.submit(self._upload, make, making)] = (size, raw)

    def buffer(self, size: int) -> mmap.mmap:
        """Memory for a pack of `size` bytes, used before where possible: new memory costs as much as to copy into it.

        It begins at a page, so a disk may read from it, and where there are large pages it is made of them: a pack
        takes a third less time then. It is taken back when a view of it was uploaded. May be called by any thread.
        """
        with contextlib.suppress(IndexError):
            spare = self._spare.pop()
            if len(spare) >= size:
                return spare
        new = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # A system may be built without them.
                new.madvise(mmap.MADV_HUGEPAGE)
        return new

    def made(self) -> list[Finished]:
        """All packs, when the last one is ready to be uploaded: they need not be there yet. Raises as `ship`."""
        while unready := [making for making in self._making if not making.done()]:
            self._wait(unready)
        return [making.result() for making in self._making]

    def drain(self) -> None:
        """Wait until all are on the remote. Raises what an upload raised."""
        while self._running:
            self._wait()

    def _upload(self, make: Callable[[], Made], making: Future[Finished]) -> None:
        try:
            data, done = make()
        except BaseException as error:
            making.set_exception(error)
            raise
        making.set_result(done)
        self._notes.add(done)  # Before it is there: the next push finds it whenever this one is killed.
        self._remote.put(keys.pack_key(done.id), data)
        if isinstance(data, memoryview) and isinstance(data.obj, mmap.mmap):
            self._spare.append(data.obj)

    def _wait(self, unready: Sequence[Future[Finished]] = ()) -> None:
        """Until an upload is over or one of `unready` is made."""
        either: list[Future[Any]] = [*self._running, *unready]
        over, _ = wait(either, timeout=_LOOK_AGAIN, return_when=FIRST_COMPLETED)
        self._held.keep()
        for upload in [upload for upload in self._running if upload in over]:
            _, raw = self._running.pop(upload)
            upload.result()
            self._progress.advance(raw)
