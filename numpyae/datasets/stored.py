"""Real data that is read from your own copy: `$NUMPYAE_DATA/<name>/`, or the cache. Each file is checked by its SHA-256 first.

Every function returns the Dataset of one name. What is held out is fixed: the published test part where there is one, else a
part that no choice of ours can favour (whole persons, the last rows).
"""

import numpy as np

from numpyae.datasets.download import fetch
from numpyae.datasets.files import read


def load_20news(dtype):
    """Word counts of 18 846 messages, 2000 words; held out: the later messages of the "bydate" split."""
    with np.load(fetch("20news") / "20news_counts_2000.npz", allow_pickle=False) as z:
        x = np.zeros((len(z["y"]), len(z["vocab"])), dtype)
        rows = np.repeat(np.arange(len(x)), np.diff(z["indptr"]))
        x[rows, z["indices"]] = z["data"]
        y, late = z["y"].astype(np.int64), z["is_test"]
    return x[~late], y[~late], x[late], y[late], None, "counts of 2000 words; some messages have none of them"


def load_binarized_mnist(dtype):
    """MNIST with every pixel drawn once as 0 or 1: 50 000 to learn from and, held out, the 10 000 test digits; no labels."""
    with np.load(fetch("binarized-mnist") / "binarized_mnist_packed.npz", allow_pickle=False) as z:
        x, x_test = (np.unpackbits(z[part], axis=1).astype(dtype) for part in ("train", "test"))
    return x, None, x_test, None, (28, 28), "0 or 1, drawn once with the grey level as probability of 1"


def load_ecg5000(dtype):
    """5000 heartbeats of 140 values; y is 1 for the anomalous ones. The first 2500 are all normal; held out: the rest."""
    with np.load(fetch("ecg5000") / "ecg5000_unscaled.npz", allow_pickle=False) as z:
        x, y = z["X"].astype(dtype), z["y"]
    return x[:2500], y[:2500], x[2500:], y[2500:], None, "no unit: each beat is shifted and scaled to mean 0 and standard deviation 1"


def load_frey_faces(dtype):
    """1965 pictures of one face from a film, 28 x 20; held out: the last 365."""
    x = grey(np.load(fetch("frey-faces") / "freyfaces.npy", allow_pickle=False), dtype)
    return x[:1600], None, x[1600:], None, (28, 20), "grey levels 0..255 divided by 255"


def load_horse_colic(dtype):
    """300 horses, 28 columns, 19.1 % of the cells missing (NaN). y is the outcome: 1 lived, 2 died, 3 was put to sleep, 0 unknown.

    The outcome is also column 22 of x, and columns 23 to 27 are found out with it: leave them out to predict y.
    """
    table, _ = read(fetch("horse-colic") / "horse-colic.csv")
    y = np.nan_to_num(table[:, 22]).astype(np.int64)
    return table.astype(dtype), y, None, None, None, "as in the table, units differ by column; NaN where it has ?"


def load_kodak(dtype):
    """24 photographs, 512 x 512 grey."""
    x = grey(np.load(fetch("kodak") / "kodak_gray_512.npy", allow_pickle=False), dtype)
    return x, None, None, None, (512, 512), "grey levels 0..255 divided by 255"


def load_odds(dtype):
    """Cardio: 1831 heart records of 21 measurements; y is 1 for the 176 outliers."""
    x, y = read(fetch("odds") / "cardio.mat")
    return x.astype(dtype), y.ravel().astype(np.int64), None, None, None, "each column of mean 0 and standard deviation 1"


def load_olivetti(dtype):
    """40 people, 10 faces each, 64 x 64; y is the person. Held out: the last ten people."""
    x = grey(np.load(fetch("olivetti") / "olivettifaces.npy", allow_pickle=False), dtype)
    y = np.repeat(np.arange(40), 10)
    return x[:300], y[:300], x[300:], y[300:], (64, 64), "grey levels 0..255 divided by 255"


def load_optdigits(dtype):
    """3823 + 1797 handwritten digits, 8 x 8; other writers in the held-out part."""
    folder = fetch("optdigits")
    train, test = (np.loadtxt(folder / f"optdigits.{part}", delimiter=",") for part in ("tra", "tes"))
    x, x_test = ((table[:, :64] / 16).astype(dtype) for table in (train, test))
    return x, train[:, 64].astype(np.int64), x_test, test[:, 64].astype(np.int64), (8, 8), "counts 0..16 of ink divided by 16"


def grey(images, dtype):
    """(N, …) uint8 as rows of floats in [0, 1]."""
    return np.divide(images.reshape(len(images), -1), dtype.type(255), dtype=dtype)


STORED = {"20news": load_20news, "binarized-mnist": load_binarized_mnist, "ecg5000": load_ecg5000, "frey-faces": load_frey_faces,
          "horse-colic": load_horse_colic, "kodak": load_kodak, "odds": load_odds, "olivetti": load_olivetti, "optdigits": load_optdigits}
