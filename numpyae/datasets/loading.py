"""Load a data set by its name, or a file by its path.

A model sees numbers only; what they mean is a convention, and half of all wrong likelihoods come from not knowing it.
So each Dataset carries its convention along as a sentence.
"""

import os
from typing import NamedTuple

import numpy as np

from numpyae.checks import must
from numpyae.datasets.files import GREY, as_labels, as_table, read
from numpyae.datasets.generated import check_dtype
from numpyae.datasets.records import RECORDS

SEED = 0         # of the generated sets, so that "digits" means the same pictures to everybody


class Dataset(NamedTuple):
    """Samples with their labels, and those held out, or None.

    x is (N, D), y (N,) int64 labels, or (N, T) targets, or None.
    """

    name: str
    x: np.ndarray
    y: np.ndarray | None
    x_test: np.ndarray | None
    y_test: np.ndarray | None
    image_shape: tuple[int, int] | None     # (rows, columns) of a sample that is a picture
    convention: str                         # what the numbers in x mean


def load(name, dtype=np.float64, rng=None):
    """Return the Dataset of a name in `datasets.listing()`, or of a file's path: x in `dtype`, one sample per row.

    rng draws the generated sets (None: the same for everybody); stored ones have no use for it. In a file, uint8 is
    taken for grey levels and divided by 255, all else is kept; labels are those y that are whole numbers, and nothing
    is held out. ValueError for an unknown name or a bad file, TypeError for a dtype other than float32 and float64,
    ConnectionError when a download is needed and impossible.
    """
    dtype = check_dtype("load: dtype", dtype)
    key = os.fspath(name) if isinstance(name, os.PathLike) else name
    must(isinstance(key, str), f"load: name must be a string or a path, got {key!r}", TypeError)
    if key in RECORDS:
        from numpyae.datasets.download import fetch
        record = RECORDS[key]
        place = fetch(key) if record.files else np.random.default_rng(SEED if rng is None else rng)
        return Dataset(key, *record.read(place, dtype), record.image_shape, record.convention)
    must(os.path.exists(key), f"load: name must be one of {', '.join(RECORDS)}, or the path of a file, got {key!r}")
    x, y = read(key)
    must(x.ndim >= 2 and x.size > 0,
         f"{key}: expected at least one sample and two dimensions (N, ...), got shape {x.shape}")
    return Dataset(key, as_table(x, dtype), None if y is None else as_labels(key, y, len(x), dtype), None, None,
                   image_shape=x.shape[1:] if x.ndim == 3 else None,
                   convention=GREY if x.dtype == np.uint8 else "numbers as they are in the file")

