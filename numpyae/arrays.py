"""Named arrays in files: .npz without pickle, written whole or not at all, checked before they are believed."""

import os

import numpy as np

from numpyae.checks import FLOATS


def write_arrays(path, arrays):
    """Write named arrays to an .npz. A reader sees the old file or the new one, whatever kills this process.

    It does not wait for the disk, so that short epochs stay short: a power cut may cost the newest file.
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
    """Return the named arrays of an .npz as a dict. No pickle; ValueError for anything but a whole .npz of arrays."""
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
        except Exception as error:    # zipfile, zlib, numpy and the system each have their own for a damaged file
            raise ValueError(f"{path}: expected an .npz file of arrays, got a damaged or other file ({error})") from error


def fill(targets, arrays, source):
    """Copy named arrays into the arrays of the same names, after every name, shape and dtype was checked.

    ValueError, which begins with `source`, unless all of them fit; then nothing was copied.
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
            finite = np.isfinite(arrays[name].astype(target.dtype, copy=False)).all()
        if not finite:
            raise ValueError(f"{source}: {name} contains NaN, infinity, or what is too large for {target.dtype}")
    for name, target in targets.items():
        target[...] = arrays[name]
