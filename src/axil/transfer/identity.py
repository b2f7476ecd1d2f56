"""What a remote says of itself, and that what this clone noted of it belongs to this very remote."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from axil.base.atomic import write_atomic
from axil.errors import AxilError, Damaged
from axil.formats import sharing
from axil.formats.sharing import Format
from axil.remotes.base import Absent
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.small import get_small

_NAME = "format"


def noted(catalog: Catalog) -> Format | None:
    """What the remote said when it was asked last; None if it never was."""
    with contextlib.suppress(OSError, AxilError), open(os.path.join(catalog.folder, _NAME), "rb") as file:
        return sharing.decode_format(file.read(), file.name)
    return None


def identify(catalog: Catalog) -> Format | None:
    """Ask the remote what it is; None if nobody has pushed to it. If it is another one than before, all notes go.

    Raises what the remote raises, and `AxilError` if this axil cannot use it.
    """
    try:
        data, found = _ask(catalog)
    except Absent:
        if os.path.isdir(catalog.folder):
            catalog.reset()
        return None
    before = noted(catalog)
    if before != found:
        if before is None or before.id != found.id:
            catalog.reset()
        os.makedirs(catalog.folder, exist_ok=True)
        write_atomic(os.path.join(catalog.folder, _NAME), data, sync=False)
    return found


def _ask(catalog: Catalog) -> tuple[bytes, Format]:
    """The object `format` and what it says; what makes no sense is asked for once more, in case it came damaged."""
    source = f"{catalog.remote.url}: {keys.FORMAT}"
    data = get_small(catalog.remote, keys.FORMAT)
    try:
        return data, sharing.decode_format(data, source)
    except AxilError:
        data = get_small(catalog.remote, keys.FORMAT)
        return data, sharing.decode_format(data, source)


def settle(catalog: Catalog, new_id: Callable[[], str]) -> Format:
    """Like `identify`; a remote that nobody has pushed to becomes one of axil."""
    found = identify(catalog)
    if found is None:
        catalog.remote.create(keys.FORMAT, sharing.encode_format(Format(new_id())))
        # Whoever else created it meanwhile may have won: what is there counts.
        found = identify(catalog)
    if found is None:
        raise Damaged(f"{catalog.remote.url} does not keep what it is given", "the object `format` is not there")
    return found
