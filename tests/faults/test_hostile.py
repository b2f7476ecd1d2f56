"""Remotes made to do harm: refused in clear words, nothing outside the project changes, nothing is executed."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from tests.faults.trap import Trap, axil, refused
from tests.transfer_builder import Object, blob, chunked

from axil.base.clock import system_clock
from axil.base.hashing import Oid, hash_bytes
from axil.base.ids import new_id
from axil.formats import index, pack, pointer, recipe, tree
from axil.formats.recipe import Part
from axil.transfer import keys

ESCAPE = b"\x1b]0;owned\x07\x1b[2J\x1b[31m"


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)


def node(rows: list[tuple[bytes, bytes, int, Oid]], level: int = 0) -> Object:
    """A directory as somebody writes it who does not care for its rules."""
    data = b"".join(
        (
            struct.pack("<4sBxxxI", tree.MAGIC, level, len(rows)),
            b"".join(kind for _, kind, _, _ in rows),
            struct.pack(f"<{len(rows)}Q", *(size for _, _, size, _ in rows)),
            b"".join(oid for _, _, _, oid in rows),
            b"\0".join(name for name, _, _, _ in rows),
        )
    )
    return Object(hash_bytes(data), data, pack.TREE)


def files(*rows: tuple[bytes, bytes, Object]) -> Object:
    return node([(name, kind, len(one.data), one.oid) for name, kind, one in rows])


EVIL = blob(b"#!/bin/sh\ntouch owned\n")
BAD_NAMES = [b"../x", b"..", b".", b"/tmp/x", b".git", b".GIT", b"a/b", b"a\0b", b"", b"../../outside/precious"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere(trap: Trap, name: bytes) -> None:
    top = files((name, tree.EXEC, EVIL))
    trap.put([top, EVIL])
    trap.point(top)
    refused(trap.meet(["materialise"]))
    assert not (trap.bob.path / ".git/hooks/x").exists()


def test_a_folder_called_git(trap: Trap) -> None:
    hooks = files((b"post-checkout", tree.EXEC, EVIL))
    inner = node([(b"hooks", tree.DIR, len(EVIL.data), hooks.oid)])
    top = node([(b".git", tree.DIR, len(EVIL.data), inner.oid)])
    trap.put([top, inner, hooks, EVIL])
    trap.point(top, size=len(EVIL.data))
    refused(trap.meet(["materialise"]))
    assert not list(trap.bob.path.rglob("post-checkout"))


def test_names_with_escapes_are_shown_as_such(trap: Trap) -> None:
    names = sorted([b"a" + ESCAPE, b"line\nbreak", b"\xff\xfe", b"tab\t"])
    top = files(*((name, tree.FILE, EVIL) for name in names))
    trap.put([top, EVIL])
    trap.point(top, size=4 * len(EVIL.data))
    trap.meet(["diff", "HEAD~1"], ["get", "main:data/raw"], ["show"], ["tree"], ["verify"], ["add"], ["diff"])
    assert sorted(os.fsencode(path.name) for path in (trap.bob.path / "data/raw").iterdir()) == names


LINKS = ["{outside}", "../../../outside", "../../.git/hooks", "../..", "../inside", "x"]


@pytest.mark.parametrize("target", LINKS)
def test_files_through_a_link(trap: Trap, target: str) -> None:
    """What was a link becomes a folder, and the reverse: nobody writes through it, and none leads out."""
    link = blob(os.fsencode(target.format(outside=trap.place.folder / "outside")))
    inner = files((b"precious", tree.FILE, EVIL))
    first = files((b"x", tree.LINK, link))
    second = node([(b"x", tree.DIR, len(EVIL.data), inner.oid)])
    trap.put([first, second, inner, EVIL, link])
    trap.ann.write({"data/inside/precious": "inside"})
    trap.ann.run("add", "-f", "data/inside")
    trap.point(first, size=len(link.data))
    trap.meet()
    for top, size in ((second, len(EVIL.data)), (first, len(link.data)), (second, len(EVIL.data))):
        trap.point(top, size=size)
        before = trap.around()
        said = axil(trap.bob, "pull")
        assert trap.around() == before
        path = trap.bob.path / "data/raw/x"
        if top is first and target == "x":
            assert path.is_symlink(), said
        elif top is second:
            assert said.code == 0 and not path.is_symlink() and path.is_dir(), said
        else:
            refused([said], "cannot bring back")
            assert not path.is_symlink()
        assert not list(trap.bob.path.rglob(".git/**/precious"))
        assert (trap.bob.path / "data/inside/precious").read_text() == "inside"


def test_a_pointer_below_what_another_one_stands_for(trap: Trap) -> None:
    link = blob(os.fsencode(trap.place.folder / "outside"))
    top = files((b"x", tree.LINK, link))
    trap.put([top, link, EVIL])
    trap.point(top, size=len(link.data))
    trap.point(EVIL, "data/raw/x/precious", kind="file")
    refused(trap.meet(["materialise"]), "tracked data")


def bomb_of(kind: str) -> Object:
    """Few bytes on the remote that want to be many here, or others than their name says."""
    import zstandard

    name = hash_bytes(b"bomb")
    if kind == "wrong":
        return Object(name, b"something else")
    zeros = zstandard.ZstdCompressor(level=1, write_content_size=kind != "undeclared").compress(bytes(1 << 28))
    claimed = {"declared": 1 << 28, "most": pack.MAX_RAW}.get(kind, -1)
    return Object(name, b"x" * 10, stored=zeros, codec=pack.ZSTD, claimed=claimed)


@pytest.mark.parametrize("kind", ["small", "undeclared", "declared", "most", "wrong"])
@pytest.mark.parametrize("what", ["file", "tree"])
def test_bombs_and_wrong_bytes(trap: Trap, kind: str, what: str) -> None:
    bomb = bomb_of(kind)
    if what == "tree":
        top = bomb = bomb._replace(type=pack.TREE)
        made = [bomb]
    else:
        top = node([(b"file", tree.FILE, bomb.claimed if bomb.claimed > 0 else len(bomb.data), bomb.oid)])
        made = [bomb, top]
    trap.put(made)
    trap.point(top)
    refused(trap.meet(["materialise"], ["remote", "check", "--restore"]))


def recipes() -> dict[str, tuple[int, list[Object]]]:
    oid, part = hash_bytes(b"large"), blob(b"c" * 30_000)
    head = struct.Struct("<4sBxxxQI")

    def made(body: bytes) -> Object:
        return Object(oid, body + hash_bytes(body + oid), pack.RECIPE)

    many = 1 << 12
    wide = recipe.encode(recipe.Recipe(0, 30_000 * many, (Part(part.oid, 30_000),) * many), oid)
    return {
        "counts": (10, [made(head.pack(recipe.MAGIC, 0, 10, 0xFFFFFFFF))]),
        "sizes": (
            1 << 62,
            [made(head.pack(recipe.MAGIC, 0, 1 << 62, 1) + struct.pack("<Q", 1 << 62) + part.oid), part],
        ),
        "wide": (30_000 * many, [Object(oid, wide, pack.RECIPE), part]),
        "itself": (10, [made(head.pack(recipe.MAGIC, 1, 10, 1) + struct.pack("<Q", 10) + oid)]),
        "other": (
            90_000,
            [one._replace(oid=oid) if one.type == pack.RECIPE else one for one in chunked(b"d" * 90_000, 30_000)],
        ),
    }


@pytest.mark.parametrize("kind", ["counts", "sizes", "wide", "itself", "other"])
def test_recipes_that_cannot_be(trap: Trap, kind: str) -> None:
    size, objects = recipes()[kind]
    top = node([(b"large", tree.FILE, size, hash_bytes(b"large"))])
    trap.put([top, *objects])
    trap.point(top, size=size)
    refused(trap.meet(["remote", "check", "--restore"]))


def test_directories_without_end(trap: Trap) -> None:
    """Each says of the next that it is the same twice: 2⁶⁰ files, but 60 directories."""
    level, size, made = EVIL, len(EVIL.data), [EVIL]
    for depth in range(60):
        kind = tree.DIR if depth else tree.FILE
        level, size = node([(b"a", kind, size, level.oid), (b"b", kind, size, level.oid)]), 2 * size
        made.append(level)
    trap.put(made)
    trap.point(level, size=size)
    refused(trap.meet(["diff", "HEAD~1"]))


@pytest.mark.parametrize("claim", ["entries", "packs", "supersedes", "all"])
def test_an_index_that_claims_billions(trap: Trap, claim: str) -> None:
    counts = [0xFFFFFFFF if claim in (name, "all") else 0 for name in ("packs", "supersedes", "entries")]
    data = struct.pack("<8sHHIII16s", index.MAGIC, 1, 0, *counts, os.urandom(16)) + bytes(1024 * 200)
    trap.remote.put(keys.index_key(hash_bytes(data)), data)
    trap.ann.write({"data/raw/new": "new"})
    trap.ann.axil("add", "data/raw")
    trap.point(Object(pointer.parse((trap.ann.path / "data/raw.axil").read_bytes(), "").oid, b""))
    said = trap.meet(["fetch", "main"], ["remote", "check"])
    refused(said)


NONSENSE = [b"", b"{", b"[" * 100_000, b"null", b'{"axil": 7}', b'{"version": 1}', b"\xff\xfe", b'{"a": 1e999999}']


@pytest.mark.parametrize("kind", ["root", "condemned", "lease"])
@pytest.mark.parametrize("what", ["nonsense", "large"])
def test_lists_that_are_none(trap: Trap, kind: str, what: str) -> None:
    folder = {"root": keys.ROOTS, "condemned": keys.CONDEMNED, "lease": keys.LEASES}[kind]
    before = trap.around()
    for data in NONSENSE if what == "nonsense" else [b""]:
        key = folder + new_id(system_clock)
        trap.remote.put(key, data)
        if what == "large":
            os.truncate(trap.place.store / key, 4 << 30)
    held = {name: value for name, value in before.items() if name.startswith("store ö/packs")}
    trap.ann.write({"data/raw/4.txt": "four"})
    trap.ann.axil("add", "data/raw")
    trap.ann.run("commit", "-qam", "four")
    for words in (["push"], ["remote", "check"], ["remote", "prune", "-f", "--drop-roots"], ["fetch", "--all"]):
        said = axil(trap.ann, *words)
        assert said.code in (0, 1) and "Traceback" not in said.err, said
        assert said.code == 0 or "error: " in said.err or said.out, said
    after = trap.around()
    assert held.items() <= after.items()


@pytest.mark.parametrize(
    "data", [b"axil", b'{"axil": "format", "version": 2}', b'{"axil": "format", "version": 1, "id": "x"}']
)
def test_a_format_of_tomorrow(trap: Trap, data: bytes) -> None:
    (trap.place.store / "format").write_bytes(data)
    refused(trap.meet(["push"], ["remote", "prune", "-f"], ["remote", "repair"], ["fetch", "main"], ["materialise"]))
