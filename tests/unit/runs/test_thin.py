"""Which files and which of many items a rehearsal keeps."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from axil.runs.thin import FEW, MOST_FOLDERS, Stream, ending, evenly, thin


def test_every_class_keeps_some() -> None:
    paths = [f"{split}/{kind}/{n:04}.jpg" for split, kind, n in product(("train", "val"), "abcde", range(100))]
    kept = thin(paths, 10)
    assert len(kept) == 10
    assert {path.rpartition("/")[0] for path in kept} == {path.rpartition("/")[0] for path in paths}


def test_more_classes_than_samples_keep_one_each() -> None:
    paths = [f"{kind:05}/{n}.png" for kind in range(MOST_FOLDERS + 500) for n in range(3)]
    assert len(thin(paths[: 300 * 3], 10)) == 300
    assert len(thin(paths, 10)) == MOST_FOLDERS


def test_a_small_class_gives_its_share_to_the_others() -> None:
    paths = ["rare/1.jpg", *(f"usual/{n:03}.jpg" for n in range(50))]
    kept = thin(paths, 10)
    assert len(kept) == 10
    assert "rare/1.jpg" in kept


def test_pictures_and_their_labels_stay_together() -> None:
    paths = [f"images/{n:03}.jpg" for n in range(77)] + [f"labels/{n:03}.txt" for n in range(77)]
    kept = thin(paths, 12)
    stems = {top: {path[len(top) + 1 : -4] for path in kept if path.startswith(top)} for top in ("images", "labels")}
    assert stems["images"] == stems["labels"]
    assert len(stems["images"]) == 12


def test_settings_and_parts_of_a_model_stay() -> None:
    paths = ["config.json", "vocab.txt", *(f"model-{n}-of-5.safetensors" for n in range(5)), "a.jpg", "b.jpg", "c.jpg"]
    assert thin(paths, 1) == sorted({*paths} - {"b.jpg", "c.jpg"})


def test_endings() -> None:
    found = {name: ending(name) for name in ("a/B.JPEG", "x.csv.gz", "x.gz", "README", ".hidden", "v1.2/x", "a.nii.gz")}
    assert found == {
        "a/B.JPEG": ".jpg",
        "x.csv.gz": ".csv.gz",
        "x.gz": ".gz",
        "README": "",
        ".hidden": "",
        "v1.2/x": "",
        "a.nii.gz": ".nii.gz",
    }


PATHS = st.sets(
    st.builds(
        lambda folders, name, kind: "/".join([*folders, name + kind]),
        st.lists(st.sampled_from("abc"), max_size=3),
        st.text("0123456789", min_size=1, max_size=3),
        st.sampled_from([".jpg", ".csv", ".txt", ""]),
    ),
    max_size=80,
)


@given(PATHS, st.integers(1, 20))
def test_a_choice_is_some_of_each_kind_in_each_folder(paths: set[str], n: int) -> None:
    kept = thin(paths, n)
    assert kept == sorted(set(kept)) == thin(sorted(paths, reverse=True), n)
    assert set(kept) <= paths
    places = {(path.rpartition("/")[0], ending(path)) for path in paths}
    assert {(path.rpartition("/")[0], ending(path)) for path in kept} == places
    for kind in {ending(path) for path in paths}:
        whole = [path for path in paths if ending(path) == kind]
        folders = {path.rpartition("/")[0] for path in whole}
        most = max(n if kind == ".jpg" else max(n, FEW), len(folders))
        assert len([path for path in kept if ending(path) == kind]) == min(most, len(whole))


@given(st.integers(0, 3000), st.integers(1, 40))
def test_a_stream_is_spread_over_all_of_it(count: int, n: int) -> None:
    stream = Stream[int](n)
    for item in range(count):
        stream.add(item)
    chosen = stream.chosen()
    assert stream.count == count
    assert len(chosen) == min(n, count)
    assert chosen == sorted(set(chosen))
    if count > n:
        edges = [*chosen, count]
        assert max(b - a for a, b in pairwise(edges)) <= 2 * count / n + 1


@given(st.lists(st.integers()), st.integers(1, 20))
def test_evenly(items: list[int], n: int) -> None:
    assert len(evenly(items, n)) == min(n, len(items))
