"""Evaluation: what a code is good for, as a number.

A low reconstruction error says that little was lost, not that what is left is useful. `probe` asks how far a straight cut
gets: softmax regression on the codes, fitted by L-BFGS, its error on held-out samples. What made the codes stays as it is.
"""

import numpy as np

from numpyae.layers import Dense, Sequential
from numpyae.losses import SoftmaxCrossEntropy
from numpyae.models import Regression
from numpyae.optimizers import lbfgs


def probe(z, y, z_test, y_test, iterations=200):
    """The share of held-out samples that softmax regression on codes gets wrong, in [0, 1].

    z (N, K) and z_test (M, K) codes, y and y_test their classes 0 … C - 1. Codes are centred and divided by one number, the
    mean of their standard deviations. `iterations` of L-BFGS are the only regulariser. ValueError for labels that are not as
    many whole numbers from 0 as there are codes, or for classes that y lacks.
    """
    y, y_test = np.asarray(y), np.asarray(y_test)
    for name, labels, codes in (("y", y, z), ("y_test", y_test, z_test)):
        if labels.shape != (len(codes),) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise ValueError(f"probe: {name} must be {len(codes)} whole numbers from 0, got {labels.dtype} of shape {labels.shape}")
    classes = np.unique(y)
    if not np.isin(y_test, classes).all():
        lacking = np.setdiff1d(y_test, classes)[:5].tolist()
        raise ValueError(f"probe: y must have every class of y_test, lacks {lacking}")
    mean, scale = z.mean(axis=0), z.std(axis=0).mean() or 1
    network = Sequential(Dense(z.shape[1], int(classes.max()) + 1, init="zeros"))
    model = Regression(network, SoftmaxCrossEntropy()).astype(z.dtype)
    lbfgs(model, (z - mean) / scale, y, iterations=iterations, tolerance=0)
    return float(np.mean(model.predict((z_test - mean) / scale).argmax(axis=1) != y_test))
