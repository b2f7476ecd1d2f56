"""A folder as a remote: another disk, a network drive."""

from __future__ import annotations

from collections.abc import Iterator

from axil.remotes.base import Stat, check_key, check_prefix, check_range, is_key
from axil.remotes.failures import of_system
from axil.remotes.files import Files


class Folder:
    """Objects as files below `path`, an absolute path; see `Files` for how they are written."""

    def __init__(self, path: str, jobs: int = 4) -> None:
        self.url = path
        self.jobs = jobs
        self._files = Files(path)

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """See `Remote.put`."""
        check_key(key)
        try:
            self._files.put(key, data)
        except OSError as error:
            raise of_system(self.url, key, error) from None

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """See `Remote.create`; exact where the file system has hard links."""
        check_key(key)
        try:
            return self._files.create(key, data)
        except OSError as error:
            raise of_system(self.url, key, error) from None

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Remote.get`."""
        check_key(key)
        check_range(start, length)
        try:
            return self._files.get(key, start, -1 if length is None else length)
        except OSError as error:
            raise of_system(self.url, key, error) from None

    def stat(self, key: str) -> Stat | None:
        """See `Remote.stat`."""
        check_key(key)
        try:
            found = self._files.stat(key)
        except OSError as error:
            raise of_system(self.url, key, error) from None
        return None if found is None else Stat(key, *found)

    def list(self, prefix: str) -> Iterator[Stat]:
        """See `Remote.list`."""
        check_prefix(prefix)
        return self._list(prefix)

    def _list(self, prefix: str) -> Iterator[Stat]:
        try:
            for key, size, written in self._files.list(prefix):
                if is_key(key):
                    yield Stat(key, size, written)
        except OSError as error:
            raise of_system(self.url, prefix.rstrip("/"), error) from None

    def delete(self, key: str) -> None:
        """See `Remote.delete`."""
        check_key(key)
        try:
            self._files.delete(key)
        except OSError as error:
            raise of_system(self.url, key, error) from None

    def usable(self) -> None:
        """See `Remote.usable`."""
        try:
            self._files.check()
        except OSError as error:
            raise of_system(self.url, "", error) from None

    def close(self) -> None:
        """Nothing to let go of."""
