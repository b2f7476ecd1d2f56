"""Scores of a classifier, all read off its confusion matrix."""

import numpy as np


def confusion(labels, predicted, classes=10):
    """Counts: a row for each true class, a column for each predicted one."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def accuracy(matrix):
    return float(np.trace(matrix) / matrix.sum())


def macro_f1(matrix):
    """The mean over classes of the harmonic mean of precision and recall."""
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    return float(np.mean(2 * np.diag(matrix) / np.maximum(both, 1)))
