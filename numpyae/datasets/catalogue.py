"""The data sets by name: what `load` knows, where each comes from, and what its numbers mean.

A model sees numbers only; what they mean is a convention, and half of all wrong likelihoods come from not knowing it.
So each Dataset carries its convention along as a sentence.
"""

import os
from typing import NamedTuple

import numpy as np

from numpyae.datasets.files import read, read_idx
from numpyae.datasets.generated import check_dtype, curves, noisy_sine, swiss_roll, two_moons
from numpyae.datasets.typeset import SIDE, digits

NAMES = {
    "digits": "10 000 + 2 000 typeset digits, 28 x 28 grey, ten classes; generated",
    "two_moons": "1 000 + 1 000 points in two interleaved half circles; generated",
    "noisy_sine": "10 + 100 noisy measurements of a sine wave, for regression; generated",
    "swiss_roll": "1 000 + 1 000 points on a rolled-up sheet in space; generated",
    "curves": "20 000 + 10 000 pictures of curves through three random points, 28 x 28 grey; generated",
    "mnist": "60 000 + 10 000 handwritten digits, 28 x 28 grey, ten classes; 12 MB to download",
    "fashion-mnist": "60 000 + 10 000 pieces of clothing, 28 x 28 grey, ten classes; 31 MB to download",
    "binarized-mnist": "50 000 + 10 000 digits of black and white pixels, drawn once; your own copy",
    "frey-faces": "1 600 + 365 pictures of one face, 28 x 20 grey; your own copy",
    "olivetti": "300 + 100 faces of 40 people, 64 x 64 grey; your own copy",
    "optdigits": "3 823 + 1 797 handwritten digits, 8 x 8 grey; your own copy",
    "20news": "11 314 + 7 532 messages as counts of 2 000 words, 20 groups; your own copy",
    "kodak": "24 photographs, 512 x 512 grey; your own copy",
    "ecg5000": "2 500 + 2 500 heartbeats of 140 values, normal or not; your own copy",
    "odds": "1 831 heart records of 21 values, 176 of them outliers; your own copy",
    "horse-colic": "300 horses, 28 columns, a fifth of the cells missing; your own copy",
}
SEED = 0         # of the generated sets, so that "digits" means the same pictures to everybody
GREY = "grey levels 0..255 divided by 255, so in [0, 1]"
AS_STORED = "numbers as they are in the file"


class Dataset(NamedTuple):
    """Samples with their labels: x (N, D), y (N,) int64 labels, or (N, T) targets, or None; the same held out, or
    None."""

    name: str
    x: np.ndarray
    y: np.ndarray | None
    x_test: np.ndarray | None
    y_test: np.ndarray | None
    image_shape: tuple[int, int] | None     # (rows, columns) of a sample that is a picture
    convention: str                         # what the numbers in x mean


def load(name, dtype=np.float64, rng=None):
    """The Dataset of a name in NAMES, or of a file's path: x in `dtype`, one sample per row.

    rng draws the generated sets (None: the same for everybody); stored ones have no use for it. In a file, uint8 is
    taken for grey levels and divided by 255, all else is kept; labels are those y that are whole numbers, and nothing
    is held out. ValueError for an unknown name or a bad file, TypeError for a dtype other than float32 and float64,
    ConnectionError when a download is needed and impossible.
    """
    dtype = check_dtype("load: dtype", dtype)
    key = os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(key, str):
        raise TypeError(f"load: name must be a string or a path, got {key!r}")
    if key in GENERATED:
        return GENERATED[key](dtype, np.random.default_rng(SEED if rng is None else rng))
    if key in ("mnist", "fashion-mnist"):
        return load_idx_set(key, dtype)
    if key in NAMES:
        from numpyae.datasets.stored import STORED
        return Dataset(key, *STORED[key](dtype))
    if os.path.exists(key):
        return load_file(key, dtype)
    raise ValueError(f"load: name must be one of {', '.join(NAMES)}, or the path of a file, got {key!r}")


def load_digits(dtype, rng):
    """10 000 typeset digits and 2 000 held out."""
    x, y = digits(12000, rng, dtype)
    return Dataset("digits", x[:10000], y[:10000], x[10000:], y[10000:], (SIDE, SIDE),
                   "grey levels in [0, 1], 1 is white")


def load_two_moons(dtype, rng):
    """1 000 points of the two moons and 1 000 held out."""
    x, y = two_moons(2000, rng=rng)
    x = x.astype(dtype)
    return Dataset("two_moons", x[:1000], y[:1000], x[1000:], y[1000:], None, "plane coordinates, circles of radius 1")


def load_noisy_sine(dtype, rng):
    """The ten measurements of [000] and 100 more, with the targets as y (N, 1)."""
    arrays = [a.astype(dtype) for a in (*noisy_sine(10, rng=rng), *noisy_sine(100, rng=rng))]
    return Dataset("noisy_sine", *arrays, None, "x in [0, 1], y the targets sin(2πx) + 0.3 ε")


def load_swiss_roll(dtype, rng):
    """1 000 points of the swiss roll and 1 000 held out; y is the place on the sheet, (angle, height)."""
    x, y = (array.astype(dtype) for array in swiss_roll(2000, rng=rng))
    return Dataset("swiss_roll", x[:1000], y[:1000], x[1000:], y[1000:], None, "coordinates in space, a tenth of the radius")


def load_curves(dtype, rng):
    """20 000 curves and 10 000 held out; y are the three points, in pixels."""
    x, y = curves(30000, rng, dtype)
    return Dataset("curves", x[:20000], y[:20000].astype(dtype), x[20000:], y[20000:].astype(dtype), (28, 28),
                   "grey levels in [0, 1], 1 is on the curve")


GENERATED = {"digits": load_digits, "two_moons": load_two_moons, "noisy_sine": load_noisy_sine, "swiss_roll": load_swiss_roll,
             "curves": load_curves}


def load_idx_set(name, dtype):
    """A data set of four IDX files in MNIST's manner, found or downloaded."""
    from numpyae.datasets.download import fetch
    folder = fetch(name)
    arrays = []
    for part in ("train", "t10k"):
        arrays.append(as_table(read_idx(folder / f"{part}-images-idx3-ubyte.gz"), dtype))
        arrays.append(read_idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int64))
    return Dataset(name, *arrays, (28, 28), GREY)


def load_file(path, dtype):
    """All of a file as one Dataset with nothing held out."""
    x, y = read(path)
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"{path}: expected at least one sample and two dimensions (N, ...), got shape {x.shape}")
    if y is not None:
        y = as_labels(path, y, len(x), dtype)
    convention = GREY if x.dtype == np.uint8 else AS_STORED
    image_shape = x.shape[1:] if x.ndim == 3 else None
    return Dataset(os.fspath(path), as_table(x, dtype), y, None, None, image_shape, convention)


def as_table(x, dtype):
    """x (N, ...) as (N, D) in `dtype`, grey levels divided by 255; written straight into its only copy."""
    x = x.reshape(len(x), -1)
    if x.dtype != np.uint8:
        with np.errstate(over="ignore"):                 # too large for float32 becomes infinite, and is refused as that later
            return x.astype(dtype, order="C", copy=False)
    return np.divide(x, dtype.type(255), dtype=dtype)


def as_labels(path, y, n, dtype):
    """Whole numbers, one for each of n samples, as labels (n,) int64; all else as targets (n, T) in `dtype`."""
    if y.shape == (1, n):               # MATLAB has no vectors, only rows and columns
        y = y.T
    if y.ndim == 0 or len(y) != n:
        raise ValueError(f"{path}: expected y for each of {n} samples, got shape {y.shape}")
    y = y.reshape(n, -1)
    if y.shape[1] == 1 and np.all(np.isfinite(y)) and np.all(y == np.rint(y)):
        return y[:, 0].astype(np.int64)
    return y.astype(dtype)
