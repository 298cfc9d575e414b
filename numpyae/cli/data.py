"""Fetch, verify and show a data set, or list them.

Without a name: list the data sets. With one: fetch it where it is not there yet, verify its checksums, and show what is
in it.
"""

import numpy as np


OPTIONS = {"name": dict(metavar="NAME", nargs="?",
                        help="digits, mnist, two_moons, curves …, or a file (.npz, .csv, .mat, IDX)")}


def run(arguments):
    """Fetch, verify, describe; images also as characters. Without a name, list all."""
    from numpyae import datasets

    if arguments.name is None:
        print(datasets.listing())
        return
    data = datasets.load(arguments.name, dtype=np.float32)
    for name in ("x", "y", "x_test", "y_test"):
        array = getattr(data, name)
        if array is not None:
            missing = f", {np.isnan(array).mean():.1%} missing" if np.isnan(array).any() else ""
            print(f"{name:8} {str(array.shape):14} {array.dtype}  {np.nanmin(array):.4g} to {np.nanmax(array):.4g}, "
                  f"mean {np.nanmean(array):.4g}{missing}")
    print(f"{data.name}: {data.convention}")
    record = datasets.NAMES.get(arguments.name)
    for name in ("labels", "source", "licence"):
        if getattr(record, name, ""):
            print(f"{name}: {getattr(record, name)}")
    if data.image_shape:
        shades = np.array(list(" .:-=+*#%@"))
        step = max(1, -(-4 * data.image_shape[1] // 256))                # every step-th pixel: at most 256 columns
        image = np.concatenate([row.reshape(data.image_shape)[:, ::step] for row in data.x[:4]], axis=1)
        print("\n".join(map("".join, shades[np.clip(image * 9.99, 0, 9).astype(int)][::2 * step])))
