"""Work spread over forked processes, results in order; without multiprocessing, whose import alone costs 20 ms."""

from __future__ import annotations

import contextlib
import errno
import marshal
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

from axil.base.atomic import write_all
from axil.base.light import Any, TypeVar
from axil.base.progress import Progress
from axil.errors import AxilError

Item = TypeVar("Item")

in_worker = False
"""Whether this process is a forked worker: it has one core and must not start threads that compute."""

# The numbers of all tasks lie in one pipe from the start; 1024 of them fit into any pipe (4 KiB).
_MAX_TASKS = 1024
_MIN_CHUNK = 32
_FRAME = struct.Struct("<II")
_DONE, _FAILED = 0xFFFFFFFF, 0xFFFFFFFE


class Task:
    """One call on a thread of its own; `wait` returns when it is over and raises what it raised."""

    __slots__ = ("_error", "_thread")

    def __init__(self, call: Callable[..., object], *args: object) -> None:
        import threading

        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call, args), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[..., object], args: tuple[object, ...]) -> None:
        try:
            call(*args)
        except BaseException as error:
            self._error = error

    @property
    def over(self) -> bool:
        """Whether `wait` would return at once."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        self._thread.join()
        if self._error:
            raise self._error


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], list[Any]],
    progress: Progress,
    *,
    many: int,
    chunk: int = _MIN_CHUNK,
    count: Callable[[Sequence[Item]], int] = len,
    finish: Callable[[], object] | None = None,
    received: Callable[[Any], None] | None = None,
) -> Iterable[list[Any]]:
    """`work` on consecutive pieces of at least `chunk` of `items`; the answers in order.

    From `many` items on, as many forked workers as there are cores share the pieces. `finish` is called once in each
    worker at its end and its answer handed to `received` here. Answers must be of types that `marshal` knows.
    `count` tells the progress how much a piece is.
    An error in a worker is raised here after all workers have ended.
    """
    if len(items) < many or in_worker:
        answers = []
        for start in range(0, len(items), chunk):
            answers.append(work(items[start : start + chunk]))
            progress.advance(count(items[start : start + chunk]))
        return answers
    size = max(chunk, -(-len(items) // _MAX_TASKS))
    pieces = [items[start : start + size] for start in range(0, len(items), size)]
    with _Crew(pieces, work, finish) as crew:
        return crew.gather(lambda number: progress.advance(count(pieces[number])), received)


class _Crew:
    """The forked workers of one `run`; leaving the context ends those that still live."""

    def __init__(
        self,
        pieces: list[Sequence[Item]],
        work: Callable[[Sequence[Item]], list[Any]],
        finish: Callable[[], object] | None,
    ) -> None:
        self._pieces = pieces
        self._pids: list[int] = []
        self._pipes: list[int] = []
        tasks, feed = os.pipe()
        try:
            write_all(feed, b"".join(number.to_bytes(4, "little") for number in range(len(pieces))))
            os.close(feed)
            for _ in range(min(cores(), len(pieces))):
                self._start(tasks, work, finish)
        except BaseException:
            self._end(kill=True)
            raise
        finally:
            os.close(tasks)

    def _start(self, tasks: int, work: Callable[[Any], list[Any]], finish: Callable[[], object] | None) -> None:
        answers, send = os.pipe()
        self._pipes.append(answers)
        pid = os.fork()
        if pid:
            os.close(send)
            self._pids.append(pid)
            return
        status = 1
        try:
            for pipe in self._pipes:
                os.close(pipe)
            _be_worker(tasks, send, self._pieces, work, finish)
            status = 0
        finally:
            # No return to the caller's frames: their cleanup belongs to the parent.
            os._exit(status)

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # Workers that have told everything end by themselves.
        self._end(kill=kind is not None)

    def _end(self, *, kill: bool) -> None:
        for pid in self._pids:
            if kill:
                import signal

                # The workers are still unreaped children, so these numbers cannot belong to anybody else.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        for pipe in self._pipes:
            os.close(pipe)
        self._pids, self._pipes = [], []

    def gather(self, done: Callable[[int], None], received: Callable[[Any], None] | None) -> list[list[Any]]:
        answers: list[list[Any] | None] = [None] * len(self._pieces)
        for number, payload in _frames(self._pipes):
            if number == _FAILED:
                raise _error_from(payload)
            if number == _DONE:
                if received:
                    received(payload)
            else:
                answers[number] = payload
                done(number)
        return [answer for answer in answers if answer is not None]


def _be_worker(
    tasks: int,
    send: int,
    pieces: Sequence[Any],
    work: Callable[[Any], list[Any]],
    finish: Callable[[], object] | None,
) -> None:
    import gc

    global in_worker
    in_worker = True
    # What a worker leaves goes with it; looking for garbage would copy the pages it shares with its parent.
    gc.disable()
    try:
        while task := os.read(tasks, 4):
            number = int.from_bytes(task, "little")
            _send(send, number, work(pieces[number]))
        _send(send, _DONE, finish() if finish else None)
    except AxilError as error:
        _send(send, _FAILED, (type(error).__module__, type(error).__name__, error.what, error.why, error.hint))
    except OSError as error:
        _send(
            send, _FAILED, (error.errno or errno.EIO, error.strerror or str(error), os.fsdecode(error.filename or ""))
        )
    except KeyboardInterrupt:
        raise
    except Exception:
        import traceback

        _send(send, _FAILED, traceback.format_exc())


def _send(pipe: int, number: int, value: Any) -> None:
    data = marshal.dumps(value)
    write_all(pipe, _FRAME.pack(number, len(data)) + data)


def _frames(pipes: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Whatever the workers send, until each has sent _DONE or one has failed or died."""
    import select

    poll = select.poll()
    buffers = {pipe: bytearray() for pipe in pipes}
    for pipe in pipes:
        poll.register(pipe, select.POLLIN)
    while buffers:
        for pipe, _ in poll.poll():
            data = os.read(pipe, 1 << 20)
            buffer = buffers[pipe]
            if not data:
                raise AxilError("a worker process died", "it ended without an answer", "try again; is memory short?")
            buffer += data
            for number, payload in _cut_frames(buffer):
                yield number, payload
                if number == _DONE:
                    poll.unregister(pipe)
                    del buffers[pipe]


def _cut_frames(buffer: bytearray) -> Iterator[tuple[int, Any]]:
    while len(buffer) >= _FRAME.size:
        number, length = _FRAME.unpack_from(buffer)
        end = _FRAME.size + length
        if len(buffer) < end:
            return
        # What comes through this pipe was written by a fork of this very process: marshal is safe here.
        payload = marshal.loads(memoryview(buffer)[_FRAME.size : end])
        del buffer[:end]
        yield number, payload


def _error_from(payload: Any) -> Exception:
    if isinstance(payload, str):
        return RuntimeError(f"a worker failed:\n{payload}")
    if len(payload) == 3:
        return OSError(*payload)
    import sys

    module, name, what, why, hint = payload
    kind = getattr(sys.modules.get(module), name, AxilError)
    error: AxilError = kind(what, why, hint)
    return error
