"""Score the trained model on the test images: metrics.json and the confusion matrix."""

import csv
import json
from pathlib import Path

import numpy as np

from model import MLP
from scores import accuracy, confusion, macro_f1


def main():
    with np.load("data/prepared/test.npz") as file:
        images, labels = file["images"], file["labels"]
    matrix = confusion(labels, MLP.load("models/digits.npz").predict(images))
    scores = {"accuracy": round(accuracy(matrix), 4), "f1": round(macro_f1(matrix), 4)}
    Path("metrics.json").write_text(json.dumps(scores, indent=2) + "\n")

    plot = Path("plots/confusion.csv")
    plot.parent.mkdir(exist_ok=True)
    with plot.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["true", "predicted", "count"])
        writer.writerows((true, predicted, matrix[true, predicted]) for true in range(10) for predicted in range(10))
    print(f"{len(labels)} test images: accuracy {scores['accuracy']}, macro F1 {scores['f1']}")


if __name__ == "__main__":
    main()
