"""S3, Google Cloud Storage, Azure and what speaks their languages, through the package obstore (`axil[s3]`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from axil.base.light import Any, TypeVar
from axil.errors import AxilError
from axil.remotes.base import Absent, Denied, Stat, check_key, check_prefix, check_range, is_key
from axil.remotes.objects_errors import Answer, refused
from axil.remotes.objects_settings import Bucket, bucket_of
from axil.remotes.wholes import Wholes
from axil.remotes.world import Settings, World

T = TypeVar("T")

JOBS = 16
_PAGE = 1000
_OPTIONS = {
    "connect_timeout": "10s",
    "read_timeout": "5min",  # it runs while a large object is being sent, too
    "timeout": "1h",
}


def open_objects(name: str, settings: Settings, world: World) -> Objects:
    """The remote `name`, whose url begins with s3://, gs:// or az://. Nothing is asked of the network yet."""
    bucket = bucket_of(name, settings, world)
    return Objects(bucket, _store(bucket), int(settings.get("jobs") or JOBS))


def _store(bucket: Bucket) -> Any:
    """obstore's handle. It tries nothing again: the retry wrapper knows better what may be repeated."""
    try:
        from obstore import exceptions
        from obstore import store as stores
    except ImportError as error:
        extra = {"s3": "s3", "gs": "gs", "az": "azure"}[bucket.scheme]
        why = f"{bucket.scheme}:// needs the package obstore ({error})"
        raise AxilError(f"cannot use {bucket.url}", why, f"pip install 'axil[{extra}]'") from None
    import datetime

    kind: Any = {"s3": stores.S3Store, "gs": stores.GCSStore, "az": stores.AzureStore}[bucket.scheme]
    try:
        return kind(
            bucket.name,
            prefix=bucket.prefix or None,
            client_options={**_OPTIONS, "allow_http": bucket.plain},
            retry_config={"max_retries": 0, "retry_timeout": datetime.timedelta(seconds=1)},
            **bucket.config,
        )
    except (exceptions.BaseError, ValueError) as error:
        raise refused(bucket, "", error) from None


class Objects:
    """Objects of a bucket below a prefix."""

    def __init__(self, bucket: Bucket, store: Any, jobs: int = JOBS) -> None:
        self.url = bucket.url
        self.jobs = jobs
        self._bucket = bucket
        self._store = store
        self._ranges = True
        self._wholes = Wholes(self._whole)

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """See `Remote.put`; one request, whatever the size, so nothing half is ever left there."""
        check_key(key)
        self._asking(key, lambda: self._put(key, data, "overwrite"))

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """See `Remote.create`; by a conditional request. Services that ignore the condition are asked before, too."""
        if not self._bucket.conditional and self.stat(key) is not None:
            return False
        check_key(key)
        try:
            self._asking(key, lambda: self._put(key, data, "create"))
        except _Taken:
            return False
        except _Unsupported:
            if self.stat(key) is not None:
                return False
            self.put(key, data)
        return True

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Remote.get`."""
        check_key(key)
        check_range(start, length)
        if length == 0:
            if self.stat(key) is None:
                raise Absent(f"{self.url} has no object {key}")
            return b""
        if (start or length is not None) and self._ranges:
            try:
                return self._asking(key, lambda: self._get(key, start, length))
            except _BadRange:  # it begins at the end or behind it
                return b""
            except _NoRanges:
                self._ranges = False
        if start or length is not None:
            return self._wholes.part(key, start, length)
        return bytes(self._whole(key))

    def stat(self, key: str) -> Stat | None:
        """See `Remote.stat`."""
        import obstore

        check_key(key)
        try:
            meta = self._asking(key, lambda: obstore.head(self._store, key))
        except Absent:
            return None
        return Stat(key, meta["size"], meta["last_modified"].timestamp())

    def list(self, prefix: str) -> Iterator[Stat]:
        """See `Remote.list`; a request for every thousand objects."""
        import obstore

        check_prefix(prefix)
        pages = obstore.list(self._store, prefix=prefix or None, chunk_size=_PAGE)
        return self._list(prefix, iter(pages))

    def _list(self, prefix: str, pages: Iterator[Any]) -> Iterator[Stat]:
        while page := self._asking("", lambda: next(pages, None)):
            for meta in page:
                key = meta["path"]
                if key.startswith(prefix) and is_key(key):
                    yield Stat(key, meta["size"], meta["last_modified"].timestamp())

    def delete(self, key: str) -> None:
        """See `Remote.delete`."""
        import obstore

        check_key(key)
        try:
            self._asking(key, lambda: obstore.delete(self._store, key))
        except Absent:
            return

    def usable(self) -> None:
        """See `Remote.usable`: asks for the first page of a listing."""
        import obstore

        self._asking("", lambda: next(iter(obstore.list(self._store, chunk_size=1)), None))

    def close(self) -> None:
        """Connections close when the handle is gone."""
        self._store = None

    def _put(self, key: str, data: bytes | bytearray | memoryview, mode: Any) -> None:
        import obstore

        obstore.put(self._store, key, data, mode=mode, use_multipart=False)

    def _whole(self, key: str) -> Any:
        """All bytes of an object, as obstore holds them."""
        import obstore

        return self._asking(key, lambda: obstore.get(self._store, key).bytes())

    def _get(self, key: str, start: int, length: int | None) -> bytes:
        import obstore

        part: Any = {"offset": start} if length is None else (start, start + length)
        return obstore.get(self._store, key, options={"range": part}).bytes().to_bytes()

    def _asking(self, key: str, act: Callable[[], T]) -> T:
        from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError

        try:
            return act()
        except (BaseError, ValueError, FileNotFoundError, NotImplementedError) as error:
            answer = Answer.of(error)
            if answer.code == "ConditionalRequestConflict":  # two at the same moment: neither is sure to have won
                raise refused(self._bucket, key, error) from None
            if isinstance(error, (AlreadyExistsError, PreconditionError)):
                raise _Taken(key) from None
            if isinstance(error, (NotSupportedError, NotImplementedError)) or answer.status == 501:
                raise _Unsupported(f"{self.url} cannot do this", answer.words) from None
            if answer.status == 416 or "Wanted range starting at" in answer.words:
                raise _BadRange(key) from None
            if "non-partial response" in answer.words:
                raise _NoRanges(key) from None
            raise refused(self._bucket, key, error) from None


class _Taken(Exception):
    """There is an object with this key."""


class _BadRange(Exception):
    """The range has no byte of the object."""


class _NoRanges(Exception):
    """The service does not answer as it must when a range is asked for: some only read whole objects."""


class _Unsupported(Denied):
    """The service does not know this kind of request."""
