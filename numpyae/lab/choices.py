"""Choices that the data make: the scaling, the likelihood, the size of a batch and the number of epochs.

A setting that nobody gives is chosen here, by the kind and the size of the data, and said in the announcement.
"""

import math

import numpy as np

SCALINGS = ("none", "centred", "standardised")
STEPS = {"regression": 3000, "ae": 2000, "vae": 2000}                        # at least so many in a training run,
EPOCHS = {"regression": (10, 2000), "ae": (40, 200), "vae": (40, 400)}       # within these numbers of epochs


def likelihood(task, x, image_shape):
    """Return the word of the loss for these data: bernoulli for pictures in [0, 1] and 0/1 data, else gaussian."""
    if task == "ae":
        return "squared-error"
    unit = x.min() >= 0 and x.max() <= 1
    return "bernoulli" if unit and (image_shape or np.all((x == 0) | (x == 1))) else "gaussian"


def batch_size(task, n):
    """Return how many samples a step takes: a tenth of the data, from 10 to 100."""
    return min(n, max(10, min(100, n // 10)))


def epochs(task, n, D, batch):
    """Return how many epochs give enough steps: the most for a curve, the fewest for more features than samples."""
    least, most = EPOCHS[task]
    if task == "regression" and D == 1:
        return most
    if task != "regression" and D > n:
        return least
    return min(most, max(least, math.ceil(STEPS[task] / math.ceil(n / batch))))


def decay(task, n, D, likelihood):
    """Return the weight of the weight decay: a little for a table's targets, more for more features than samples."""
    if task == "regression":
        return 0.001 if D > 1 and likelihood == "squared-error" else 0.0
    return 0.03 if D > n else 0.0


def scaling(x, image_shape, density, wanted=None, bounded=False):
    """Return (word, centre, spread) for x (N, D): how each feature is scaled, x' = (x - centre) / spread.

    Pictures are centred: each pixel loses its mean, and all are divided by one number, so that x' is of size 1: a
    network learns slowly from small numbers. Pictures with more pixels than there are samples keep their size, or they
    would be learnt by heart, and so do those of a `bounded` target, in [0, 1]. Under a `density`, which has one σ for
    all of x', pictures without dead pixels are standardised. A table is standardised where its columns have other
    units, which their spreads show, or are far from size 1, and centred where only their means are far from 0. Sparse
    data, most of which are 0, keep their zeros. `wanted` names the word to take.
    """
    mean, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    size, moving = float(np.sqrt(np.mean(spread**2))) or 1.0, spread[spread > 0]
    if wanted is not None or not moving.size:
        word = wanted or "none"
    elif image_shape:
        word = "standardised" if density and spread.min() > 0.05 * size else "centred"
    elif np.mean(x == 0) > 0.5:
        word = "none"
    elif not 0.1 < size < 5 or moving.max() > 10 * moving.min():
        word = "standardised"
    else:
        word = "centred" if np.abs(mean).max() > size else "none"
    ones = np.ones(x.shape[1])
    if word == "none":
        return word, 0 * ones, ones
    if word == "centred":
        return word, mean, (size if len(x) > x.shape[1] and not bounded else 1.0) * ones
    return word, mean, np.where(spread > 1e-8 * np.maximum(np.abs(mean), 1e-300), spread, 1.0)
