"""Cutting files to a few rows: the rows are those of the file, byte by byte; what cannot be read stays whole."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axil.runs import cut as cutting
from axil.runs.cut import Names, Unfit, cut

NOBODY = Names(())


def reduced(folder: Path, name: str, data: bytes, n: int, names: Names = NOBODY) -> bytes:
    source, target = folder / name, folder / f"new-{name}"
    source.write_bytes(data)
    cut(str(source), str(target), n, names)
    assert source.read_bytes() == data
    return target.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cut")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@settings(deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=40),
    st.integers(1, 10),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_csv_rows_are_those_of_the_file(folder: Path, rows: list[list[str]], n: int, mark: str, end: str) -> None:
    text = io.StringIO(newline="")
    # Quotes everywhere: line ends, quotes and marks inside of fields are the hard part.
    csv.writer(text, delimiter=mark, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([["one", "two"], *rows])
    got = reduced(folder, "x.csv", text.getvalue().encode(), n).decode()
    found = list(csv.reader(io.StringIO(got, newline=""), delimiter=mark))
    assert found[0] == ["one", "two"]
    assert len(found) == 1 + min(n, len(rows))
    at = iter(rows)
    assert all(row in at for row in found[1:]), "rows of the file, in its order"
    assert all(line in text.getvalue() for line in got.split(end))


@settings(deadline=None)
@given(st.lists(st.recursive(st.none() | st.floats(allow_nan=False) | CELLS, st.lists), max_size=30), st.integers(1, 8))
def test_json_items_are_those_of_the_file(folder: Path, items: list[Any], n: int) -> None:
    for indent in (None, 2):
        found = json.loads(reduced(folder, "x.json", json.dumps(items, indent=indent).encode(), n))
        at = iter(items)
        assert len(found) == min(n, len(items)) and all(item in at for item in found)
    lines = "".join(json.dumps(item) + "\n" for item in items)
    got = reduced(folder, "x.jsonl", lines.encode(), n).decode()
    assert len(got.splitlines()) == min(n, len(items))
    assert all(line in lines for line in got.splitlines())


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip), (".bz2", bz2), (".xz", lzma)])
def test_packed_text(tmp_path: Path, ending: str, pack: Any) -> None:
    data = pack.compress(b"n\n" + b"".join(b"%d\n" % n for n in range(100)))
    first = reduced(tmp_path, f"x.csv{ending}", data, 5)
    assert pack.decompress(first) == b"n\n0\n20\n40\n60\n80\n"
    assert reduced(tmp_path, f"x.csv{ending}", data, 5) == first


def test_a_last_row_without_an_end(tmp_path: Path) -> None:
    assert reduced(tmp_path, "x.csv", b"n\n1\n2", 5) == b"n\n1\n2\n"
    assert reduced(tmp_path, "x.csv", b"", 5) == b""
    assert reduced(tmp_path, "x.csv", b"n", 5) == b"n\n"
    assert reduced(tmp_path, "x.jsonl", b'{"a": 1}\n\n\n[2]', 5) == b'{"a": 1}\n[2]\n'


def test_bytes_of_any_encoding_stay(tmp_path: Path) -> None:
    rows = b"\xef\xbb\xbfname\n" + b"".join(b"\xe9t\xe9\x85%d\n" % n for n in range(9))
    assert reduced(tmp_path, "x.csv", rows, 3) == b"\xef\xbb\xbfname\n" + b"".join(
        b"\xe9t\xe9\x85%d\n" % n for n in (0, 3, 6)
    )


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("x.json", b'{"images": []}', "not a list"),
        ("x.json", b"[1, 2] [3]", "more after"),
        ("x.json", b"[1, 2", "commas"),
        ("x.json", b"[1 2]", "commas"),
        ("x.json", b"", "not a list"),
        ("x.json", b"\xff\xfe[1]", "utf-8"),
        ("x.json", b"[" * 100_000, ""),
        ("x.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-8"),
        ("x.csv.gz", b"no gzip", ""),
        ("x.csv.xz", b"no xz", ""),
        ("x.npy", b"no array", ""),
        ("x.npz", b"no archive", ""),
        ("x.parquet", b"no table", ""),
        ("model.pt", b"weights", "not a kind"),
    ],
)
def test_what_cannot_be_read_is_left_whole(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    with pytest.raises(Unfit, match=why or None):
        reduced(tmp_path, name, data, 3)


def test_rows_name_files_that_are_there(tmp_path: Path) -> None:
    names = Names(["cat/007.jpg", "dog/042.jpg"])
    rows = b"split,path\n" + b"".join(b"%d,pictures/%03d.jpg\n" % (n % 2, n) for n in range(100))
    assert reduced(tmp_path, "x.csv", rows, 10, names).split() == [
        b"split,path",
        b"1,pictures/007.jpg",
        b"0,pictures/042.jpg",
    ]
    stems = b"id,score\n" + b"".join(b"%03d,%03d\n" % (n, 99 - n) for n in range(100))
    assert reduced(tmp_path, "x.csv", stems, 10, names).split() == [b"id,score", b"007,092", b"042,057"]
    lines = b"".join(b'{"file": "%03d.jpg"}\n' % n for n in range(100))
    assert reduced(tmp_path, "x.jsonl", lines, 10, names).split(b"\n")[0] == b'{"file": "007.jpg"}'
    items = json.dumps([{"file": f"{n:03}.jpg"} for n in range(100)]).encode()
    assert json.loads(reduced(tmp_path, "x.json", items, 10, names)) == [{"file": "007.jpg"}, {"file": "042.jpg"}]
    others = b"name,n\n" + b"".join(b"row%d,%d\n" % (n, n) for n in range(100))
    assert len(reduced(tmp_path, "x.csv", others, 10, names).split()) == 11


def test_of_a_long_text_only_the_beginning_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "HEAD", 500)
    rows = b"n\n" + b"".join(b"%d\n" % n for n in range(10_000))
    found = reduced(tmp_path, "x.csv", rows, 5).split()
    assert len(found) == 6 and int(found[-1]) < 300
    items = json.dumps([{"n": n} for n in range(10_000)]).encode()
    assert [one["n"] for one in json.loads(reduced(tmp_path, "x.json", items, 5))][-1] < 300


def test_a_field_without_an_end_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "_FIELD", 1000)
    with pytest.raises(Unfit):
        reduced(tmp_path, "x.csv", b'a,b\n"no end,' + b"1,2\n" * 1000, 5)


def _arrays(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def test_arrays(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    x, y = numpy.arange(300.0).reshape(100, 3), numpy.arange(100)
    data = reduced(tmp_path, "x.npy", _arrays(lambda out: numpy.save(out, x)), 4)
    assert numpy.load(io.BytesIO(data)).tolist() == x[[0, 25, 50, 75]].tolist()
    data = reduced(tmp_path, "x.npz", _arrays(lambda out: numpy.savez(out, x=x, y=y, mean=1.5)), 4)
    with numpy.load(io.BytesIO(data)) as found:
        assert found["x"].tolist() == x[[0, 25, 50, 75]].tolist()
        assert found["y"].tolist() == [0, 25, 50, 75]
        assert found["mean"] == 1.5
    with pytest.raises(Unfit):
        reduced(tmp_path, "x.npy", _arrays(lambda out: numpy.save(out, numpy.array([{}]))), 4)
    with pytest.raises(Unfit, match="single"):
        reduced(tmp_path, "x.npy", _arrays(lambda out: numpy.save(out, numpy.array(1))), 4)


def test_parquet(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"n": list(range(1000)), "text": [str(n) for n in range(1000)]})
    data = _arrays(lambda out: parquet.write_table(table, out, row_group_size=100))
    found = parquet.read_table(io.BytesIO(reduced(tmp_path, "x.parquet", data, 10)))
    assert found.schema == table.schema
    assert found.num_rows == 10
    assert found["n"].to_pylist() == sorted(found["n"].to_pylist()) and found["n"].to_pylist()[-1] >= 800
    empty = _arrays(lambda out: parquet.write_table(table.slice(0, 0), out))
    assert parquet.read_table(io.BytesIO(reduced(tmp_path, "x.parquet", empty, 10))).num_rows == 0


def test_without_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(cutting, "import_module", missing)
    for name in ("x.npy", "x.npz", "x.parquet"):
        with pytest.raises(Unfit, match="axil\\[sample\\]"):
            reduced(tmp_path, name, b"", 3)
