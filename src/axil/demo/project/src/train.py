"""Train the MLP by mini-batch gradient descent; log loss and F1 after every epoch."""

from pathlib import Path

import numpy as np

import axil
from model import MLP
from scores import confusion, macro_f1

PREPARED = Path("data/prepared")
MODEL = Path("models/digits.npz")
WORST_LOSS = 2 * np.log(10)  # guessing has log 10


def load(name):
    with np.load(PREPARED / f"{name}.npz") as file:
        return file["images"], file["labels"]


def learning_rate(params, epoch):
    """The step size in this epoch."""
    return params["lr"]


def run_epoch(model, images, labels, lr, params, rng):
    """One pass over the data in random order; returns the mean loss of its batches."""
    order = rng.permutation(len(labels))
    losses = []
    for start in range(0, len(order), params["batch"]):
        batch = order[start : start + params["batch"]]
        loss, gradients = model.loss_and_gradients(images[batch], labels[batch])
        for name, gradient in gradients.items():
            decay = params["weight_decay"] if name.startswith("w") else 0
            model.weights[name] -= lr * (gradient + decay * model.weights[name])
        losses.append(loss)
    return float(np.mean(losses))


def main():
    params = axil.params.train
    rng = np.random.default_rng(params["seed"])
    images, labels = load("train")
    valid_images, valid_labels = load("valid")
    model = MLP.random(images.shape[1], params["hidden"], 10, rng)

    for epoch in range(params["epochs"]):
        loss = run_epoch(model, images, labels, learning_rate(params, epoch), params, rng)
        f1 = macro_f1(confusion(valid_labels, model.predict(valid_images)))
        axil.log(loss=loss, valid_f1=f1, step=epoch)
        if not loss < WORST_LOSS:
            raise SystemExit(f"training diverges: loss {loss:.2f} in epoch {epoch + 1} with lr {params['lr']}")
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}/{params['epochs']}  loss {loss:.4f}  valid f1 {f1:.4f}")

    MODEL.parent.mkdir(parents=True, exist_ok=True)
    model.save(MODEL)


if __name__ == "__main__":
    main()
