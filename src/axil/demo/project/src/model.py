"""A multi-layer perceptron with one hidden layer, in NumPy."""

import numpy as np


class MLP:
    """Softmax regression on top of one layer of ReLU units."""

    def __init__(self, weights):
        self.weights = weights

    @classmethod
    def random(cls, inputs, hidden, classes, rng):
        """He initialisation."""
        return cls(
            {
                "w1": rng.normal(0, np.sqrt(2 / inputs), (inputs, hidden)),
                "b1": np.zeros(hidden),
                "w2": rng.normal(0, np.sqrt(2 / hidden), (hidden, classes)),
                "b2": np.zeros(classes),
            }
        )

    @classmethod
    def load(cls, path):
        with np.load(path) as file:
            return cls(dict(file))

    def save(self, path):
        np.savez(path, **self.weights)

    def forward(self, images):
        """Hidden activations and class probabilities."""
        w = self.weights
        hidden = np.maximum(images @ w["w1"] + w["b1"], 0)
        logits = hidden @ w["w2"] + w["b2"]
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        return hidden, exp / exp.sum(axis=1, keepdims=True)

    def predict(self, images):
        return self.forward(images)[1].argmax(axis=1)

    def loss_and_gradients(self, images, labels):
        """Mean cross-entropy of a batch, and its gradient for every weight."""
        rows = np.arange(len(labels))
        hidden, probabilities = self.forward(images)
        loss = -np.log(probabilities[rows, labels] + 1e-12).mean()

        delta = probabilities.copy()
        delta[rows, labels] -= 1
        delta /= len(labels)
        back = (delta @ self.weights["w2"].T) * (hidden > 0)
        return loss, {
            "w1": images.T @ back,
            "b1": back.sum(axis=0),
            "w2": hidden.T @ delta,
            "b2": delta.sum(axis=0),
        }
