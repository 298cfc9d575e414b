"""Named arrays in files: .npz without pickle, written whole or not at all, and checked before they are used."""

import os

import numpy as np

from numpyae.checks import FLOATS


def write_arrays(path, arrays):
    """Write named arrays (a dict) to an .npz, atomically: a kill at any moment leaves a whole file, the old or the new.

    The function does not wait for the disk, so that short epochs stay short: a power cut may lose the newest file.
    Raise OSError, which names the path, if the file cannot be written.
    """
    path = os.fspath(path)
    part = path + ".part"
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path}: expected a file to write, got a folder")
    try:
        with open(part, "wb") as file:
            np.savez(file, **arrays)
        os.replace(part, path)
    except BaseException as error:
        if os.path.exists(part):
            os.remove(part)
        if isinstance(error, OSError):
            raise type(error)(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


def read_arrays(path):
    """Return the arrays of an .npz as a dict by name, without pickle.

    Raise FileNotFoundError if there is no such file, and ValueError unless it is a whole .npz of arrays.
    """
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    with file:
        if file.read(2) != b"PK":
            raise ValueError(f"{path}: expected an .npz file of arrays, got another kind of file")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except Exception as error:    # for a damaged file zipfile, zlib, numpy and the system raise different errors
            raise ValueError(f"{path}: expected an .npz file of arrays, got a damaged or other file "
                             f"({error})") from error


def fill(targets, arrays, source):
    """Copy named arrays into the arrays of `targets` (both dicts), after a check of every name, shape, dtype and value.

    Raise ValueError, which begins with `source`, and copy nothing, unless all of them fit.
    """
    missing, unknown = targets.keys() - arrays.keys(), arrays.keys() - targets.keys()
    if missing or unknown:
        raise ValueError(f"{source}: its arrays are of another architecture: "
                         + "; ".join(f"{word} {', '.join(sorted(names)[:3])}{' ...' if len(names) > 3 else ''}"
                                     for word, names in (("missing", missing), ("unknown", unknown)) if names))
    for name, target in targets.items():
        if arrays[name].shape != target.shape:
            raise ValueError(f"{source}: {name} must have shape {target.shape}, got {arrays[name].shape}")
        if arrays[name].dtype not in FLOATS:
            raise ValueError(f"{source}: {name} must be float32 or float64, got {arrays[name].dtype}")
        with np.errstate(over="ignore"):
            if not np.isfinite(arrays[name].astype(target.dtype, copy=False)).all():
                raise ValueError(f"{source}: {name} contains NaN, infinity, or a number too large for {target.dtype}")
    for name, target in targets.items():
        target[...] = arrays[name]
