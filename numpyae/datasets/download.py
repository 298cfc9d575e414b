"""Fetching data sets: nothing is believed before its checksum is right, and nothing half-finished is ever found.

A download can stop at any byte, and a mirror can answer with anything. Three habits make that harmless. The bytes go
into `<file>.part`, and only a file whose SHA-256 is the published one is renamed, in one step, to its own name: so
whatever has that name is whole. What is in a .part is kept, and the next attempt asks the server for the rest only
(HTTP Range). And when a mirror fails in any way, the next one is asked.

Files are looked for in `$NUMPYAE_DATA/<name>/`, then in the cache, `$XDG_CACHE_HOME/numpyae/<name>/` (`~/.cache`
where that is not set). Files found there are checked and never changed.
"""

import hashlib
import os
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path

TIMEOUT = 20         # seconds without a byte before the next mirror is asked
BLOCK = 2**16        # bytes read at once
STEPS = 10           # progress lines per file

MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/",
              "https://storage.googleapis.com/cvdf-datasets/mnist/",
              "https://raw.githubusercontent.com/fgnt/mnist/master/"),
    "fashion-mnist": ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                      "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
}
SOURCES = {          # of the sets that no mirror has in the form we read; who has the files puts them into the folder
    "20news": "20 Newsgroups, \"bydate\" split (J. Rennie, qwone.com/~jason/20Newsgroups), counts of the 2000 commonest words",
    "binarized-mnist": "MNIST binarised once (Larochelle & Murray 2011), as packed bits",
    "ecg5000": "UCR time series archive, ECG5000 (PhysioNet, BIDMC record chf07), each beat standardised",
    "frey-faces": "B. Frey's film of his face (cs.nyu.edu/~roweis/data), 28 x 20 pixels",
    "horse-colic": "UCI machine learning repository, Horse Colic, CC BY 4.0",
    "kodak": "Kodak's 24 test pictures (r0k.us/graphics/kodak), grey, the centre 512 x 512",
    "odds": "ODDS library, Cardio (S. Rayana 2016, odds.cs.stonybrook.edu)",
    "olivetti": "AT&T Laboratories Cambridge, the Olivetti faces, 64 x 64",
    "optdigits": "UCI machine learning repository, Optical Recognition of Handwritten Digits, CC BY 4.0",
}
FILES = {            # name: {file: (bytes, SHA-256)}
    "mnist": {
        "train-images-idx3-ubyte.gz": (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        "train-labels-idx1-ubyte.gz": (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        "t10k-images-idx3-ubyte.gz": (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        "t10k-labels-idx1-ubyte.gz": (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        "train-labels-idx1-ubyte.gz": (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        "t10k-images-idx3-ubyte.gz": (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        "t10k-labels-idx1-ubyte.gz": (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    },
    "20news": {
        "20news_counts_2000.npz": (1556041, "a6c762489f1806e627b14d66f78fd5324df7ae0fb0dc9e5b56e788cf6c6d5051"),
    },
    "binarized-mnist": {
        "binarized_mnist_packed.npz": (2295919, "50de2c8299a5a297789293ab2c30f6fc3cb8c359a15e5e88d5501aa18ebb8fa5"),
    },
    "ecg5000": {
        "ecg5000_unscaled.npz": (5357391, "102a608c2e83faf38816e12919985bf2efc73ed0b224dead54a6390af1df54df"),
    },
    "frey-faces": {
        "freyfaces.npy": (1100528, "13a0cd943fe56c8a2f4c05bc670b097ae2fda4f9d3a0d5215277712ac02f12e6"),
    },
    "horse-colic": {
        "horse-colic.csv": (25151, "6ea4b4e9819f56dd021bea06d4a56c711825d0e6e33bc0cfc183f054fc4256d6"),
        "horse-colic.names": (9011, "1705de0aa502a130664e1fe1b7ce0618e31a48476ef7dd89e62a808ca3567f13"),
    },
    "kodak": {
        "kodak_gray_512.npy": (6291584, "81cd30fe67a517a35b4fb835b83037ba4829765e11102b3f08651a80a452d7c1"),
    },
    "odds": {
        "cardio.mat": (68318, "5e568b6a73711012c481fa6cc984ab9c68e9a4fa44d6aeb3b43efa381c3f695b"),
    },
    "olivetti": {
        "olivettifaces.npy": (1638528, "f4675846a7737863b5913460418a189c76b9a9d911df1098179bf8d67e254408"),
    },
    "optdigits": {
        "optdigits.names": (2439, "3e82f7202d72a2b7dbdbc324c8c90fe8853164f5d6ab978a071357ad3de89f02"),
        "optdigits.tes": (264712, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"),
        "optdigits.tra": (563639, "e1b683cc211604fe8fd8c4417e6a69f31380e0c61d4af22e93cc21e9257ffedd"),
    },
}


class MirrorError(Exception):
    """One mirror did not deliver one file; the next may."""


def fetch(name, progress=None):
    """The folder that holds the verified files of a data set, downloaded into the cache where they are nowhere else.

    progress: True prints lines to stderr while downloading, False none, None (the default) on a terminal only.
    ValueError for an unknown name, and for a file whose SHA-256 is wrong (it is left as it is); ConnectionError, one
    sentence saying which file to put where, when no mirror delivers.
    """
    if name not in FILES:
        raise ValueError(f"fetch: name must be one of {', '.join(FILES)}, got {name!r}")
    for folder in folders(name):
        if all((folder / file).is_file() for file in FILES[name]):
            verify(name, folder)
            return folder
    folder = folders(name)[-1]
    if name not in MIRRORS:
        raise FileNotFoundError(f"{name}: there is no {' and '.join(FILES[name])} in {' or '.join(map(str, folders(name)))}; nothing can be "
                                f"downloaded, the files come from: {SOURCES[name]}")
    verify(name, folder)                # what is there already must be right before the rest is worth downloading
    show = sys.stderr.isatty() if progress is None else progress
    for file in FILES[name]:
        if not (folder / file).exists():
            fetch_file(name, folder, file, show)
    return folder


def folders(name):
    """Where the files of a data set may be: in $NUMPYAE_DATA, if that is set, and in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    own = [Path(os.environ["NUMPYAE_DATA"]) / name] if os.environ.get("NUMPYAE_DATA") else []
    return own + [Path(cache) / "numpyae" / name]


def verify(name, folder):
    """ValueError if a file of the data set is in the folder and its SHA-256 is not the published one."""
    for file, (_, published) in FILES[name].items():
        path = folder / file
        if not path.is_file():
            continue
        found = sha256(path)
        if found != published:
            raise ValueError(f"{path}: expected the file with SHA-256 {published}, got {found}: "
                             "move it away to have it downloaded again")


def sha256(path):
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_file(name, folder, file, show):
    """Downloads one file from the first mirror that delivers it."""
    size, published = FILES[name][file]
    part = folder / (file + ".part")
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for mirror in MIRRORS[name]:
            try:
                complete(mirror + file, part, size, published, show)
                os.replace(part, folder / file)
                return
            except MirrorError as error:
                failures.append(f"{mirror} {error}")
    except OSError as error:            # of the disk: those of the network have become MirrorErrors
        raise OSError(f"{name}: cannot write {part}: {error}") from error
    raise ConnectionError(f"{name}: no mirror delivered {file} ({'; '.join(failures)}); without a network put "
                          f"{', '.join(FILES[name])} from {MIRRORS[name][0]} into {folder} or $NUMPYAE_DATA/{name}")


def complete(url, part, size, published, show):
    """Completes a .part from one mirror and checks it; if the bytes it began with were wrong, once more from zero."""
    while True:
        begun = part.stat().st_size if part.exists() else 0
        if begun > size:
            begun = 0
        if begun < size:
            begun = download(url, part, begun, size, show)
        if sha256(part) == published:
            return
        part.unlink()
        if begun == 0:
            raise MirrorError("sent a file with another SHA-256")


def download(url, part, begun, size, show):
    """Adds to a .part, whose first `begun` bytes are kept, the rest of the file; returns how many bytes really were
    kept."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={begun}-"} if begun else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except (OSError, HTTPException, ValueError) as error:
        raise MirrorError(f"did not answer: {getattr(error, 'reason', error)}") from error
    with response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
            begun = 0                   # the server sends all of it
        length = response.headers.get("Content-Length", str(size - begun))
        if length != str(size - begun):
            raise MirrorError(f"offered {length} bytes, expected {size - begun}")
        with open(part, "r+b" if begun else "wb") as file:
            file.seek(begun)
            copy(response, file, begun, size, show and url)
    return begun


def copy(response, file, done, size, label):
    """Copies what is missing, from `done` bytes to `size`, with progress lines when there is a label."""
    while done < size:
        try:
            block = response.read(min(BLOCK, size - done))
        except (OSError, HTTPException) as error:
            raise MirrorError(f"broke off after {done} of {size} bytes: {error}") from error
        if not block:
            raise MirrorError(f"broke off after {done} of {size} bytes")
        file.write(block)
        before, done = done, done + len(block)
        if label and before * STEPS // size < done * STEPS // size:
            print(f"{label}: {100 * done // size} % of {size / 1e6:.1f} MB", file=sys.stderr, flush=True)
