"""Data sets: numbers in rows, what the columns mean, and a part held out to see whether learning was more than memory.

    print(datasets.listing())    # all names, and what is behind them
    data = datasets.load("digits")
    data.x, data.y               # (10000, 784) grey levels and (10000,) labels to learn from
    data.x_test, data.y_test     # 2000 more, which no training step may look at
    data.convention              # what the numbers mean: it decides which likelihood is right

A download goes to your cache once, checksum and all; `$NUMPYAE_DATA/<name>/` is looked at first. In the place of a name
`load` takes the path of a file: IDX, .npz, .npy, .csv or .mat. The functions behind the generated names (`noisy_sine`,
`two_moons`, `digits`, `swiss_roll`, `curves`) make as many samples as you ask for; `binarize` turns grey pictures into
black and white ones. To add a data set, see `records`. Read in this order: generated, typeset, files, records, sets,
download, loading.
"""

from numpyae.datasets import sets  # its records are then there
from numpyae.datasets.files import read, read_idx
from numpyae.datasets.generated import binarize, curves, noisy_sine, patches, photograph, swiss_roll, two_moons, whiten
from numpyae.datasets.loading import Dataset, load
from numpyae.datasets.records import RECORDS as NAMES, data_set, listing
from numpyae.datasets.typeset import digits

__all__ = ["NAMES", "Dataset", "data_set", "listing", "load", "noisy_sine", "two_moons", "swiss_roll", "curves",
           "digits", "binarize", "photograph", "whiten", "patches", "read", "read_idx"]
