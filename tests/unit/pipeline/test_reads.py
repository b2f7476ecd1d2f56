"""pipeline.reads: what was read at run time, next to what a stage declares."""

from __future__ import annotations

import pytest

from axil.formats.params import Flat
from axil.pipeline.reads import chosen, tidied

FLAT: Flat = {"train.lr": 0.1, "train.wd": 0, "trainer": 1, "seed": 3}


@pytest.mark.parametrize(
    ("declared", "read", "names"),
    [
        ((), (), set()),
        (("seed",), (), {"seed"}),
        (("seed",), ("train.lr",), {"seed", "train.lr"}),
        ((), ("train",), {"train.lr", "train.wd"}),
        (("train",), ("train.lr", "gone"), {"train.lr", "train.wd"}),
        ((), ("",), set(FLAT)),
    ],
)
def test_chosen(declared, read, names):
    assert chosen(FLAT, declared, read) == {name: FLAT[name] for name in names}


@pytest.mark.parametrize(
    ("read", "kept"),
    [
        ((), []),
        (("b", "a", "a.x"), ["a", "b"]),
        (("a.b.c", "a.b", "ab"), ["a.b", "ab"]),
        (("a.b.c", "a"), ["a"]),
        (("x", ""), [""]),
    ],
)
def test_what_is_in_a_table_that_was_read_is_not_named_again(read, kept):
    assert tidied(set(read)) == kept
