"""Remotes written into axil.toml or axil.local.toml, and taken out again; comments, order and all else stay."""

from __future__ import annotations

from collections.abc import Mapping

from axil.base.light import Any
from axil.errors import BadInput


def add(text: str, name: str, settings: Mapping[str, Any], source: str) -> str:
    """`text` with [remotes.NAME] holding `settings`; keys that the table has besides stay.

    Raises `BadInput` if `text` is no TOML. The caller checks the result.
    """
    document = _parse(text, source)
    remotes = _tables(document, source)
    if remotes is None:
        import tomlkit

        remotes = tomlkit.table(is_super_table=True)
        document.add("remotes", remotes)
    table = remotes.get(name)
    if table is None:
        import tomlkit

        table = tomlkit.table()
        remotes.add(name, table)
    for key, value in settings.items():
        table[key] = value
    return _dumped(document)


def remove(text: str, name: str, source: str) -> str:
    """`text` without [remotes.NAME]. Raises `BadInput` if `text` is no TOML."""
    document = _parse(text, source)
    remotes = _tables(document, source)
    if remotes is not None and name in remotes:
        remotes.remove(name)
        if not remotes:
            document.remove("remotes")
    return _dumped(document)


def _parse(text: str, source: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError:
        # The parser quotes the text, which may hold a secret.
        raise BadInput(
            f"{source} is not valid TOML", "it cannot be edited", f"correct {source} and try again"
        ) from None


def _tables(document: Any, source: str) -> Any:
    remotes = document.get("remotes")
    if remotes is not None and not hasattr(remotes, "get"):
        raise BadInput(f"{source}: `remotes` is wrong", "it must be a table", f"correct {source} and try again")
    return remotes


def _dumped(document: Any) -> str:
    import tomlkit

    return tomlkit.dumps(document)
