"""`axil.sample`: how a script learns that it is a rehearsal (`axil run --sample N`), and cuts what it reads itself."""

from __future__ import annotations

import os

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar, overload

    T = TypeVar("T")
else:

    def overload(function: object) -> object:
        """Stands in for that of `typing`, which takes longer to import than all of this."""
        return function


@overload
def sample() -> int | None: ...


@overload
def sample(items: Iterable[T]) -> Iterable[T]: ...  # noqa: F811


def sample(items: Iterable[T] | None = None) -> Iterable[T] | int | None:  # noqa: F811
    """The number of samples of a rehearsal, None in other runs; with `items` the first so many, else all of them.

    Of a list, a tuple, a text or a range these are of the same type; of anything else they are taken one by one.
    """
    n = _number()
    if items is None or n is None:
        return n if items is None else items
    if isinstance(items, (list, tuple, str, bytes, range)):
        return items[:n]
    from itertools import islice

    return islice(items, n)


def _number() -> int | None:
    text = os.environ.get("AXIL_SAMPLE", "")
    return int(text) if text.isascii() and text.isdigit() and int(text) else None
