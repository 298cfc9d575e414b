"""The data sets: the record of each, and below it the function that reads it.

The part held out is fixed: the published test part where there is one, else a part that no choice of ours can favour
(whole persons, the last rows). The field `convention` says what a number means; it decides which likelihood is right.

First come the generated sets, which get an `rng`; then those that can be downloaded; then those that no mirror has in
the form we read: they need your own copy in `$NUMPYAE_DATA/<name>/` or the cache.
"""

import numpy as np

from numpyae.datasets.files import GREY, as_table, read, read_idx
from numpyae.datasets.generated import curves, noisy_sine, swiss_roll, two_moons
from numpyae.datasets.records import data_set
from numpyae.datasets.typeset import SIDE, digits


def split(n, x, y=None):
    """Return the first n samples, and the others as the ones held out: x, y, x_test, y_test."""
    return x[:n], None if y is None else y[:n], x[n:], None if y is None else y[n:]


@data_set("digits", "10 000 + 2 000 typeset digits, 28 x 28 grey, ten classes",
          convention="grey levels in [0, 1], 1 is white", labels="the digit", image_shape=(SIDE, SIDE))
def generate_digits(rng, dtype):
    return split(10000, *digits(12000, rng, dtype))


@data_set("two_moons", "1 000 + 1 000 points in two interleaved half circles",
          convention="plane coordinates, circles of radius 1", labels="the half circle")
def generate_two_moons(rng, dtype):
    x, y = two_moons(2000, rng=rng)
    return split(1000, x.astype(dtype), y)


@data_set("noisy_sine", "10 + 100 noisy measurements of a sine wave, for regression",
          convention="x in [0, 1], y the targets sin(2πx) + 0.3 ε", labels="targets",
          source="[000]; Bishop 2006 (PRML), figure 1.2")
def generate_noisy_sine(rng, dtype):
    return [a.astype(dtype) for a in (*noisy_sine(10, rng=rng), *noisy_sine(100, rng=rng))]


@data_set("swiss_roll", "1 000 + 1 000 points on a rolled-up sheet in space",
          convention="coordinates in space, a tenth of the radius", labels="the place on the sheet, (angle, height)",
          source="Tenenbaum 2000, figure 3")
def generate_swiss_roll(rng, dtype):
    return split(1000, *(array.astype(dtype) for array in swiss_roll(2000, rng=rng)))


@data_set("curves", "20 000 + 10 000 pictures of curves through three random points, 28 x 28 grey",
          convention="grey levels in [0, 1], 1 is on the curve", image_shape=(28, 28),
          labels="the three points, in pixels", source="in the manner of Hinton & Salakhutdinov 2006")
def generate_curves(rng, dtype):
    x, y = curves(30000, rng, dtype)
    return split(20000, x, y.astype(dtype))


# downloads


IDX_FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
             "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


@data_set("fashion-mnist", "60 000 + 10 000 pieces of clothing, 28 x 28 grey, ten classes",
          convention=GREY, labels="the class", image_shape=(28, 28), licence="MIT",
          source="Zalando Research, Fashion-MNIST (Xiao 2017)",
          mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                   "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
          files=dict(zip(IDX_FILES, (
              (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
              (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
              (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
              (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5")))))
@data_set("mnist", "60 000 + 10 000 handwritten digits, 28 x 28 grey, ten classes",
          convention=GREY, labels="the digit", image_shape=(28, 28), licence="CC BY-SA 3.0",
          source="MNIST (LeCun, Cortes & Burges 1998)",
          mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/",
                   "https://storage.googleapis.com/cvdf-datasets/mnist/",
                   "https://raw.githubusercontent.com/fgnt/mnist/master/"),
          files=dict(zip(IDX_FILES, (
              (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
              (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
              (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
              (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6")))))
def read_idx_files(folder, dtype):
    x, y, x_test, y_test = (read_idx(folder / file) for file in IDX_FILES)
    return as_table(x, dtype), y.astype(np.int64), as_table(x_test, dtype), y_test.astype(np.int64)


# your own copies


@data_set("20news", "11 314 + 7 532 messages as counts of 2 000 words, 20 groups",
          convention="counts of 2000 words; some messages have none of them", labels="the group", licence="none stated",
          source='20 Newsgroups, "bydate" split (J. Rennie, qwone.com/~jason/20Newsgroups), counts of the 2000 '
                 'commonest words',
          files={"20news_counts_2000.npz":
                 (1556041, "a6c762489f1806e627b14d66f78fd5324df7ae0fb0dc9e5b56e788cf6c6d5051")})
def read_20news(folder, dtype):
    with np.load(folder / "20news_counts_2000.npz", allow_pickle=False) as z:
        x = np.zeros((len(z["y"]), len(z["vocab"])), dtype)
        rows = np.repeat(np.arange(len(x)), np.diff(z["indptr"]))
        x[rows, z["indices"]] = z["data"]
        y, late = z["y"].astype(np.int64), z["is_test"]
    return x[~late], y[~late], x[late], y[late]


@data_set("binarized-mnist", "50 000 + 10 000 digits of black and white pixels, drawn once",
          convention="0 or 1, drawn once with the grey level as probability of 1", image_shape=(28, 28),
          source="MNIST binarised once (Larochelle & Murray 2011), as packed bits", licence="as mnist",
          files={"binarized_mnist_packed.npz":
                 (2295919, "50de2c8299a5a297789293ab2c30f6fc3cb8c359a15e5e88d5501aa18ebb8fa5")})
def read_binarized_mnist(folder, dtype):
    with np.load(folder / "binarized_mnist_packed.npz", allow_pickle=False) as z:
        x, x_test = (np.unpackbits(z[part], axis=1).astype(dtype) for part in ("train", "test"))
    return x, None, x_test, None


@data_set("ecg5000", "2 500 + 2 500 heartbeats of 140 values, normal or not", licence="ODC-By 1.0 (the recording)",
          convention="no unit: each beat is shifted and scaled to mean 0 and standard deviation 1",
          labels="1 for the anomalous ones; those to learn from are all normal",
          source="UCR time series archive, ECG5000 (PhysioNet, BIDMC record chf07), each beat standardised",
          files={"ecg5000_unscaled.npz":
                 (5357391, "102a608c2e83faf38816e12919985bf2efc73ed0b224dead54a6390af1df54df")})
def read_ecg5000(folder, dtype):
    with np.load(folder / "ecg5000_unscaled.npz", allow_pickle=False) as z:
        return split(2500, z["X"].astype(dtype), z["y"])


@data_set("frey-faces", "1 600 + 365 pictures of one face, 28 x 20 grey", convention=GREY, image_shape=(28, 20),
          source="B. Frey's film of his face (cs.nyu.edu/~roweis/data), 28 x 20 pixels", licence="none stated",
          files={"freyfaces.npy": (1100528, "13a0cd943fe56c8a2f4c05bc670b097ae2fda4f9d3a0d5215277712ac02f12e6")})
def read_frey_faces(folder, dtype):
    return split(1600, as_table(read(folder / "freyfaces.npy")[0], dtype))


@data_set("horse-colic", "300 horses, 28 columns, a fifth of the cells missing", licence="CC BY 4.0",
          convention="as in the table, units differ by column; NaN where it has ?",
          labels="the outcome: 1 lived, 2 died, 3 was put to sleep, 0 unknown. It is also column 22 of x, and columns "
                 "23 to 27 are found out with it: leave them out to predict y",
          source="UCI machine learning repository, Horse Colic",
          files={"horse-colic.csv": (25151, "6ea4b4e9819f56dd021bea06d4a56c711825d0e6e33bc0cfc183f054fc4256d6"),
                 "horse-colic.names": (9011, "1705de0aa502a130664e1fe1b7ce0618e31a48476ef7dd89e62a808ca3567f13")})
def read_horse_colic(folder, dtype):
    table, _ = read(folder / "horse-colic.csv")
    return table.astype(dtype), np.nan_to_num(table[:, 22]).astype(np.int64), None, None


@data_set("kodak", "24 photographs, 512 x 512 grey", convention=GREY, image_shape=(512, 512),
          source="Kodak's 24 test pictures (r0k.us/graphics/kodak), grey, the centre 512 x 512",
          licence="released by Kodak for unrestricted use",
          files={"kodak_gray_512.npy": (6291584, "81cd30fe67a517a35b4fb835b83037ba4829765e11102b3f08651a80a452d7c1")})
def read_kodak(folder, dtype):
    return as_table(read(folder / "kodak_gray_512.npy")[0], dtype), None, None, None


@data_set("odds", "1 831 heart records of 21 values, 176 of them outliers",
          convention="each column of mean 0 and standard deviation 1", labels="1 for the outliers",
          source="ODDS library, Cardio (S. Rayana 2016, odds.cs.stonybrook.edu)", licence="none stated",
          files={"cardio.mat": (68318, "5e568b6a73711012c481fa6cc984ab9c68e9a4fa44d6aeb3b43efa381c3f695b")})
def read_odds(folder, dtype):
    x, y = read(folder / "cardio.mat")
    return x.astype(dtype), y.ravel().astype(np.int64), None, None


@data_set("olivetti", "300 + 100 faces of 40 people, 64 x 64 grey", convention=GREY, image_shape=(64, 64),
          labels="the person", licence="none stated; asks for credit",
          source="AT&T Laboratories Cambridge, the Olivetti faces, 64 x 64",
          files={"olivettifaces.npy": (1638528, "f4675846a7737863b5913460418a189c76b9a9d911df1098179bf8d67e254408")})
def read_olivetti(folder, dtype):
    return split(300, as_table(read(folder / "olivettifaces.npy")[0], dtype), np.repeat(np.arange(40), 10))


@data_set("optdigits", "3 823 + 1 797 handwritten digits, 8 x 8 grey", image_shape=(8, 8),
          convention="counts 0..16 of ink divided by 16", labels="the digit",
          source="UCI machine learning repository, Optical Recognition of Handwritten Digits", licence="CC BY 4.0",
          files={"optdigits.names": (2439, "3e82f7202d72a2b7dbdbc324c8c90fe8853164f5d6ab978a071357ad3de89f02"),
                 "optdigits.tes": (264712, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"),
                 "optdigits.tra": (563639, "e1b683cc211604fe8fd8c4417e6a69f31380e0c61d4af22e93cc21e9257ffedd")})
def read_optdigits(folder, dtype):
    table, test = (np.loadtxt(folder / f"optdigits.{part}", delimiter=",") for part in ("tra", "tes"))
    x, x_test = ((counts[:, :64] / 16).astype(dtype) for counts in (table, test))
    return x, table[:, 64].astype(np.int64), x_test, test[:, 64].astype(np.int64)
