"""Download data sets: nothing is believed before its checksum is right, and nothing half-finished is ever found.

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

from numpyae.checks import must
from numpyae.datasets.records import RECORDS

TIMEOUT = 20         # seconds without a byte before the next mirror is asked
BLOCK = 2**16        # bytes read at once
STEPS = 10           # progress lines per file


class MirrorError(Exception):
    """One mirror did not deliver one file; the next may."""


def fetch(name, progress=None):
    """Return the folder that holds the verified files of a data set. Download them into the cache if they are nowhere.

    progress: True prints lines to stderr while downloading, False none, None (the default) on a terminal only.
    ValueError for an unknown name, and for a file whose SHA-256 is wrong (it is left as it is); ConnectionError, one
    sentence saying which file to put where, when no mirror delivers.
    """
    record = RECORDS.get(name)
    if record is None or not record.files:
        known = ", ".join(record.name for record in RECORDS.values() if record.files)
        raise ValueError(f"fetch: name must be one of {known}, got {name!r}")
    places = folders(name)
    for folder in places:
        if all((folder / file).is_file() for file in record.files):
            verify(record, folder)
            return folder
    must(record.mirrors, f"{name}: there is no {' and '.join(record.files)} in {' or '.join(map(str, places))}; "
                         f"nothing can be downloaded, the files come from: {record.source}", FileNotFoundError)
    folder = places[-1]
    verify(record, folder)              # what is there already must be right before the rest is worth downloading
    show = sys.stderr.isatty() if progress is None else progress
    for file in record.files:
        if not (folder / file).exists():
            fetch_file(record, folder, file, show)
    return folder


def folders(name):
    """Return where the files of a data set may be: in $NUMPYAE_DATA, if that is set, and in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    own = [Path(os.environ["NUMPYAE_DATA"]) / name] if os.environ.get("NUMPYAE_DATA") else []
    return own + [Path(cache) / "numpyae" / name]


def verify(record, folder):
    """Raise ValueError if a file of the data set is in the folder and its SHA-256 is not the published one."""
    for file, (_, published) in record.files.items():
        path = folder / file
        found = sha256(path) if path.is_file() else published
        must(found == published, f"{path}: expected the file with SHA-256 {published}, got {found}: "
                                 "move it away to have it downloaded again")


def sha256(path):
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_file(record, folder, file, show):
    """Download one file from the first mirror that delivers it."""
    part, failures = folder / (file + ".part"), []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for mirror in record.mirrors:
            try:
                complete(mirror + file, part, *record.files[file], show)
                os.replace(part, folder / file)
                return
            except MirrorError as error:
                failures.append(f"{mirror} {error}")
    except OSError as error:            # of the disk: those of the network have become MirrorErrors
        raise OSError(f"{record.name}: cannot write {part}: {error}") from error
    raise ConnectionError(f"{record.name}: no mirror delivered {file} ({'; '.join(failures)}); without a network put "
                          f"{', '.join(record.files)} from {record.mirrors[0]} into {folder} or "
                          f"$NUMPYAE_DATA/{record.name}")


def complete(url, part, size, published, show):
    """Complete a .part from one mirror and check it; if the bytes it began with were wrong, once more from zero."""
    while True:
        begun = part.stat().st_size if part.exists() else 0
        if begun != size:
            begun = download(url, part, begun if begun < size else 0, size, show)
        if sha256(part) == published:
            return
        part.unlink()
        must(begun > 0, "sent a file with another SHA-256", MirrorError)


def download(url, part, begun, size, show):
    """Add the rest of the file to a .part whose first `begun` bytes are kept; return how many really were kept."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={begun}-"} if begun else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except (OSError, HTTPException, ValueError) as error:
        raise MirrorError(f"did not answer: {getattr(error, 'reason', error)}") from error
    with response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
            begun = 0                   # the server sends all of it
        length = response.headers.get("Content-Length", str(size - begun))
        must(length == str(size - begun), f"offered {length} bytes, expected {size - begun}", MirrorError)
        with open(part, "r+b" if begun else "wb") as file:
            file.seek(begun)
            copy(response, file, begun, size, show and url)
    return begun


def copy(response, file, done, size, label):
    """Copy what is missing, from `done` bytes to `size`, with progress lines when there is a label."""
    while done < size:
        try:
            block = response.read(min(BLOCK, size - done))
        except (OSError, HTTPException) as error:
            raise MirrorError(f"broke off after {done} of {size} bytes: {error}") from error
        must(block, f"broke off after {done} of {size} bytes", MirrorError)
        file.write(block)
        before, done = done, done + len(block)
        if label and before * STEPS // size < done * STEPS // size:
            print(f"{label}: {100 * done // size} % of {size / 1e6:.1f} MB", file=sys.stderr, flush=True)
