"""The demo's data: the 1,797 handwritten digits that scikit-learn ships, as PNG files and a table of labels."""

from __future__ import annotations

import csv
import os
import random

from axil.errors import AxilError

MIXED_UP = 100
"""Labels that are wrong at first, so that the story has something to correct."""


def require_extra() -> None:
    """Raise `AxilError` naming the extra if a package the demo needs is missing."""
    from importlib.util import find_spec

    names = {"numpy": "numpy", "sklearn": "scikit-learn", "PIL": "pillow"}
    missing = [package for module, package in names.items() if find_spec(module) is None]
    if missing:
        raise AxilError(
            "the demo's packages are not installed",
            f"missing: {', '.join(missing)}",
            "pip install 'axil[demo]'",
        )


def write_raw(folder: str) -> int:
    """Write images/NNNN.png and labels.csv (`MIXED_UP` labels wrong) into `folder`; returns the number of images."""
    import numpy
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = numpy.round(digits.images * (255 / 16)).astype(numpy.uint8)
    os.makedirs(os.path.join(folder, "images"))
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(os.path.join(folder, "images", f"{number:04}.png"))
    labels = [int(label) for label in digits.target]
    write_labels(folder, mixed_up(labels))
    return len(labels)


def mixed_up(labels: list[int]) -> list[int]:
    """`labels` with `MIXED_UP` of them wrong, always the same ones."""
    chance = random.Random(7)
    wrong = set(chance.sample(range(len(labels)), MIXED_UP))
    return [(label + chance.randint(1, 9)) % 10 if number in wrong else label for number, label in enumerate(labels)]


def correct_labels(folder: str) -> int:
    """Write `labels.csv` in `folder` anew with the true labels; returns how many rows changed."""
    from sklearn.datasets import load_digits

    path = os.path.join(folder, "labels.csv")
    with open(path, newline="", encoding="utf-8") as file:
        before = [int(row["label"]) for row in csv.DictReader(file)]
    after = [int(label) for label in load_digits().target]
    write_labels(folder, after)
    return sum(old != new for old, new in zip(before, after, strict=True))


def write_labels(folder: str, labels: list[int]) -> None:
    with open(os.path.join(folder, "labels.csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "label"])
        writer.writerows((f"{number:04}.png", label) for number, label in enumerate(labels))
