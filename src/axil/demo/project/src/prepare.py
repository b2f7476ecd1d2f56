"""PNG images and labels.csv -> arrays, split at random into train, valid and test."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

import axil

RAW = Path("data/raw")
PREPARED = Path("data/prepared")


def load_raw():
    """Images as rows of 64 values between 0 and 1, and their labels."""
    with (RAW / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    images = [np.asarray(Image.open(RAW / "images" / row["file"]), dtype=np.float32) for row in rows]
    return np.stack(images).reshape(len(rows), -1) / 255, np.array([int(row["label"]) for row in rows])


def split(count, shares, rng):
    """One array of indices per share. It looks at no label, so a corrected label moves no image to another part."""
    ends = np.round(np.cumsum(shares) * count).astype(int)
    return np.split(rng.permutation(count), ends[:-1])


def main():
    params = axil.params.prepare
    images, labels = load_raw()
    valid, test = params["valid_share"], params["test_share"]
    parts = split(len(labels), [1 - valid - test, valid, test], np.random.default_rng(params["seed"]))

    PREPARED.mkdir(parents=True, exist_ok=True)
    for name, indices in zip(["train", "valid", "test"], parts):
        np.savez(PREPARED / f"{name}.npz", images=images[indices], labels=labels[indices])
        print(f"{name}: {len(indices)} images")


if __name__ == "__main__":
    main()
