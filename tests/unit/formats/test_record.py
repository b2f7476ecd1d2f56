from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axil.errors import BadInput
from axil.formats import record_check
from axil.formats.record import (
    KINDS,
    MAX_RECORD,
    AnyRecord,
    Archive,
    Delete,
    Environment,
    Fork,
    Note,
    Output,
    Rename,
    Restore,
    Retract,
    Run,
    Series,
    StageRecord,
    Sweep,
    decode,
    encode,
    kind_of,
)

GOLDEN = Path(__file__).parents[2] / "formats"
ID, OTHER = "01M32VR4A00000000000000001", "01M32VR4A00000000000000002"
OID, COMMIT = "ab" * 32, "c" * 40
AUTHOR = "Ada Lovelace <ada@example.com>"

FORK = Fork(
    id=ID, time=1790000000.5, author=AUTHOR, name="digits_lr", parent="digits", commit=COMMIT, run=OTHER,
    hypothesis="дecay „später“ helps\nsecond line",
)  # fmt: skip
RUN = Run(
    id=ID,
    time=1790000000.0,
    author=AUTHOR,
    experiment="digits_lr",
    commit=COMMIT,
    snapshot="d" * 40,
    state="failed",
    message="try",
    targets=["train"],
    ended=1790000012.25,
    host="box",
    exit_code=1,
    stages=[
        StageRecord(
            name="train",
            state="failed",
            reason="params.lr 0.1 → 0.01",
            cmd="python src/train.py",
            key=OID,
            deps={"data/raw": OID, "gone": "", "weird-\udcff": OID},
            params={"lr": 0.01, "layers": [1, 2], "opt": {"name": "adam"}, "clip": None, "aug": True},
            code={"src/train.py": "12"},
            seen=["src/late.py"],
            env={"CUDA_VISIBLE_DEVICES": "34"},
            outs={"models/m.npz": Output(kind="tree", oid=OID, size=7, files=2)},
            metrics={"f1": 0.5},
            started=1790000001.0,
            seconds=11.0,
            exit_code=1,
            log=OID,
            tail="Traceback\nboom",
        )
    ],
    params={"lr": 0.01, "limit": math.inf},
    metrics={"f1": 0.5, "loss": -math.inf},
    summary={"loss": Series(count=3, last=0.1, min=0.1, max=2.0, last_step=2.0)},
    series=OID,
    environment=Environment(python="3.11.7", packages={"numpy": "2.0"}, locks={"uv.lock": OID}),
)
ALL: list[AnyRecord] = [
    FORK,
    RUN,
    Sweep(id=ID, time=1.0, snapshot=COMMIT, space={"lr": "1,2"}, trials=2),
    Note(id=ID, time=1.0, target="digits", text="x"),
    Rename(id=ID, time=1.0, old="a", new="b"),
    Archive(id=ID, time=1.0, name="a", commit=COMMIT),
    Restore(id=ID, time=1.0, name="a", commit=COMMIT),
    Delete(id=ID, time=1.0, name="a", commit=COMMIT),
    Retract(id=ID, time=1.0, target=OTHER),
]


TRACKED = msgspec.structs.replace(
    RUN,
    stages=[msgspec.structs.replace(RUN.stages[0], read=["opt", "seed", "train.lr"])],
    artifacts=Output(kind="tree", oid=OID, size=313, files=3),
    system=OID,
    usage={"cpu": 1.75, "memory": 536870912.0},
)


@pytest.mark.parametrize(
    ("name", "record"),
    [("record-fork-v1.json", FORK), ("record-run-v1.json", RUN), ("record-run-v1-tracked.json", TRACKED)],
)
def test_the_bytes_of_the_format(name: str, record: AnyRecord) -> None:
    data = (GOLDEN / name).read_bytes()
    assert encode(record) == data
    assert decode(data, name) == record


@pytest.mark.parametrize("record", ALL, ids=kind_of)
def test_every_kind_comes_back(record: AnyRecord) -> None:
    assert decode(encode(record), "x") == record


def test_a_rehearsal_comes_back_and_other_runs_say_nothing_of_a_sample() -> None:
    stage = msgspec.structs.replace(RUN.stages[0], sample=10)
    for record in (msgspec.structs.replace(RUN, sample=10, stages=[stage]), Sweep(id=RUN.id, time=1.0, sample=10)):
        assert decode(encode(record), "") == record
    assert b"sample" not in encode(msgspec.structs.replace(RUN, stages=[]))


def test_every_kind_is_known() -> None:
    assert {kind_of(record) for record in ALL} == set(KINDS) == record_check.KINDS


def test_not_a_number_survives() -> None:
    back = decode(encode(msgspec.structs.replace(RUN, metrics={"f1": math.nan}, params={"x": [math.nan]})), "x")
    assert isinstance(back, Run) and math.isnan(back.metrics["f1"])
    assert isinstance(back.params["x"], list) and math.isnan(back.params["x"][0])  # type: ignore[arg-type]


def test_unknown_kinds_are_skipped_and_unknown_fields_ignored() -> None:
    assert decode(b'{"kind":"promotion","anything":[1]}', "x") is None
    assert decode(encode(FORK).replace(b'{"author"', b'{"added":{"later":1},"author"'), "x") == FORK


def test_free_text_is_made_safe_to_print() -> None:
    text = "red \x1b[31m\r\nnext\rline\x00 \u202ereversed \ud800 日本\u3000語\tend"
    back = decode(encode(Note(id=ID, time=1.0, target="a", text=text)), "x")
    assert isinstance(back, Note)
    assert back.text == "red \ufffd[31m\nnext\nline\ufffd \ufffdreversed \ufffd 日本\u3000語\tend"


def changed(record: AnyRecord, *path: str | int, to: object) -> bytes:
    """The record's bytes with one value replaced."""
    values = json.loads(encode(record))
    at: Any = values
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return json.dumps(values).encode()


STAGE = ("stages", 0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff{}", "not JSON"),
        (b'{"kind":"run","time":NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "`kind`"),
        (b'{"kind":"run","x":' + b'{"a":' * 70 + b"1" + b"}" * 71, "deeper than 64"),
        (b"[]", "`kind`"),
        (b'{"kind":7}', "`kind`"),
        (b'{"kind":"run"}', "missing required field"),
        (b" " * (MAX_RECORD + 1), "of at most"),
        (changed(RUN, "id", to="01m32vr4a00000000000000001"), "id: '01m32"),
        (changed(RUN, "id", to="../../../../etc/passwd"), "not a ULID"),
        (changed(RUN, "time", to=-1), "time: -1"),
        (changed(RUN, "time", to={"$float": "nan"}), "time: nan"),
        (changed(RUN, "time", to=10**400), "time"),
        (changed(RUN, "ended", to=1e300), "ended"),
        (changed(RUN, "state", to="done"), "$.state"),
        (changed(RUN, "author", to="a\nb"), "author"),
        (changed(RUN, "experiment", to="-x"), "experiment: '-x' is not a branch name"),
        (changed(RUN, "commit", to="HEAD"), "commit: 'HEAD'"),
        (changed(RUN, "snapshot", to="C" * 40), "snapshot"),
        (changed(RUN, "series", to="ab"), "series"),
        (changed(RUN, "system", to="../x"), "system"),
        (changed(RUN, "artifacts", to={"kind": "tree", "oid": "ab", "size": 1}), "artifacts.oid"),
        (changed(RUN, "artifacts", to={"kind": "tree", "oid": OID, "size": -1}), "artifacts"),
        (changed(RUN, "metrics", "f1", to="high"), "$.metrics"),
        (changed(RUN, "environment", "locks", "uv.lock", to="zz"), "environment.locks.uv.lock"),
        (changed(RUN, "sample", to=-1), "sample: -1"),
        (changed(RUN, "sample", to=1 << 31), "sample"),
        (changed(RUN, *STAGE, "sample", to=-1), "stages[0].sample"),
        (changed(RUN, *STAGE, "name", to=""), "stages[0].name"),
        (changed(RUN, *STAGE, "key", to="g" * 64), "stages[0].key"),
        (changed(RUN, *STAGE, "source", to="x"), "stages[0].source"),
        (changed(RUN, *STAGE, "log", to="--help"), "stages[0].log"),
        (changed(RUN, *STAGE, "deps", to={"data": "x"}), "stages[0].deps.data"),
        (changed(RUN, *STAGE, "deps", to={"da\x1bta": ""}), "has a control character"),
        (changed(RUN, *STAGE, "outs", "models/m.npz", "oid", to=""), "oid: ''"),
        (changed(RUN, *STAGE, "outs", "models/m.npz", "size", to=-1), "negative"),
        (changed(RUN, *STAGE, "outs", "models/m.npz", "kind", to="link"), "$.stages[0].outs"),
        (changed(FORK, "name", to="a..b"), "name: 'a..b'"),
        (changed(FORK, "parent", to="a b"), "parent: 'a b'"),
        (changed(FORK, "run", to="x"), "run: 'x' is not a ULID"),
    ],
)
def test_malformed_records_are_refused_with_source_and_key(data: bytes, why: str) -> None:
    with pytest.raises(BadInput) as info:
        decode(data, "run/AB/X/record.json")
    assert "run/AB/X/record.json" in info.value.what and why in info.value.why


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/./b",
        "",
        "a//b",
        "a/",
        ".git/hooks/x",
        "sub/.GIT/config",
        "a" * 256,
        "a\nb",
    ],
)
def test_outputs_never_lead_out_of_the_project(path: str) -> None:
    outs = {path: Output(kind="file", oid=OID, size=1)}
    stage = StageRecord(name="s", state="succeeded", reason="", cmd="", outs=outs)
    with pytest.raises(BadInput):
        encode(Run(id=ID, time=1.0, experiment="a", state="succeeded", stages=[stage]))


@settings(deadline=None, max_examples=200)
@given(st.text("ab./-@{}~^:?*[\\ \x7f\x01é", max_size=8) | st.sampled_from(["HEAD", "a.lock", "a.lock/b", "@", "a/@"]))
def test_branch_names_are_those_of_git(name: str) -> None:
    asked = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False).returncode == 0
    # `git branch` refuses a leading dash and HEAD on top of what a ref may be called.
    expected = asked and not name.startswith("-") and name not in ("HEAD", "@")
    assert record_check.is_branch_name(name) == expected


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
PARAMS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), PARAMS, max_size=4), st.dictionaries(st.text(), st.floats(), max_size=4))
def test_whatever_a_run_holds_its_bytes_are_stable(params: dict[str, Any], metrics: dict[str, float]) -> None:
    run = Run(id=ID, time=1.0, experiment="a", state="succeeded", params=params, metrics=metrics)
    data = encode(run)
    back = decode(data, "x")
    assert back is not None and encode(back) == data and data.endswith(b"}\n")


def test_only_texts_that_cannot_be_printed_need_cleaning() -> None:
    for number in range(sys.maxunicode + 1):
        char = chr(number)
        if re.search(record_check._UNSAFE, char) or re.search(record_check._UNSAFE_IN_PATH, char):
            assert not char.isprintable(), hex(number)
