"""Data sets: numbers in rows, what the columns mean, and a part held out to see whether learning was more than memory.

    data = datasets.load("digits")
    data.x, data.y               # (10000, 784) grey levels and (10000,) labels to learn from
    data.x_test, data.y_test     # 2000 more, which no training step may look at
    data.convention              # what the numbers mean: it decides which likelihood is right

| name            | x, held out              | what                                          | from      |
|-----------------|--------------------------|-----------------------------------------------|-----------|
| "noisy_sine"    | (10, 1), 100             | the regression problem of [000]               | a formula |
| "two_moons"     | (1000, 2), 1000          | two curved classes in the plane               | a formula |
| "digits"        | (10000, 784), 2000       | typeset digits with known factors             | typefaces |
| "swiss_roll"    | (1000, 3), 1000          | a sheet rolled up in space                    | a formula |
| "curves"        | (20000, 784), 10000      | curves through three random points            | a formula |
| "mnist"         | (60000, 784), 10000      | handwritten digits                            | download  |
| "fashion-mnist" | (60000, 784), 10000      | pieces of clothing; harder, same shape        | download  |
| "binarized-mnist" "frey-faces" "olivetti" "optdigits" "20news" "kodak" "ecg5000" "odds" "horse-colic": your own copies, see `stored` |||
| a file's path   | (N, D), none             | IDX, .npz, .npy, .csv or .mat                 | you       |

A download goes to your cache once, checksum and all; `$NUMPYAE_DATA/<name>/` is looked at first. The functions behind
the names (`noisy_sine`, `two_moons`, `digits`, `swiss_roll`, `curves`) make as many samples as you ask for; `binarize` turns grey pictures
into black and white ones. Read in this order: generated, typeset, files, matlab, download,
stored, catalogue.
"""

from numpyae.datasets.catalogue import NAMES, Dataset, load
from numpyae.datasets.files import read, read_idx
from numpyae.datasets.generated import binarize, curves, noisy_sine, patches, photograph, swiss_roll, two_moons, whiten
from numpyae.datasets.typeset import digits

__all__ = ["NAMES", "Dataset", "load", "noisy_sine", "two_moons", "swiss_roll", "curves", "digits", "binarize", "photograph", "whiten",
           "patches", "read", "read_idx"]
