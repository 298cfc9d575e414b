"""The point of a check, as good as which the check is: what to beware of there, and the Taylor test.

At a bias of 0 a decayed bias looks right; with one sample a sum is a mean; with a batch of 5 and a layer of 5 a factor
of 5 has two names; a square W can be transposed unseen. So the report says so.
"""

import numpy as np

from numpyae.gradcheck.subjects import copies
from numpyae.models import Model


def warnings(subject, rows=()):
    """Return sentences about what this point can hide."""
    nothing = [f"the gradient of {row['array']} is 0 everywhere at this point" for row in rows
               if row["checked"] > 1 and row["term"] is None and row["verdict"] == "agree"
               and not np.any(row["values"]["yours"])]
    return [*of_arrays(subject), *of_units(subject), *nothing, *of_terms(subject.target)]


def of_arrays(subject):
    """Return what zeros and equal sizes can hide."""
    parameters, batch = subject.parameters, {**subject.inputs, **subject.fixed}
    still = [name for name, array in parameters.items() if array.size and not np.any(array)]
    square = [name for name, array in parameters.items() if array.ndim == 2 and array.shape[0] == array.shape[1] > 1]
    widths = {size for array in parameters.values() if array.ndim == 2 for size in array.shape}
    widths |= {array.shape[1] for array in batch.values() if np.ndim(array) == 2}
    n = next((len(array) for array in batch.values() if np.ndim(array)), 0)
    doubts = ((still, f"{', '.join(still)}: all 0, which hides what multiplies it (a decayed bias, say): add a little "
               "noise first"),
              (n == 1, "the batch has one sample: a sum over the batch, a mean and no sum at all look the same"),
              (square, f"{', '.join(square)}: square, so a transpose too many or too few fits the shapes"),
              (n > 1 and n in widths,
               f"the batch size {n} is also the width of a layer: a factor of {n} has two names"))
    return [sentence for holds, sentence in doubts if holds]


def of_units(subject):
    """Yield which units are off for every sample."""
    for name, side in subject.active_sets().items():
        leaf = subject.parts[name]
        if side.ndim == 2 and not side.any(axis=0).all() and not hasattr(leaf, "k"):
            off = f"{np.sum(~side.any(axis=0))} of {side.shape[1]} units are off for every sample"
            yield f"{f'{leaf!r} ({name})' if name else repr(leaf)}: {off}, and nothing behind them is tested"


def of_terms(target):
    """Return which terms of a loss drown beside the largest."""
    sizes = {name: abs(value) for name, value in (target.terms or {}).items()} if isinstance(target, Model) else {}
    largest = max(sizes, key=sizes.get, default=None)
    small = [name for name, size in sizes.items() if size < 1e-6 * sizes[largest]]
    return [f"the term {largest} dominates: {', '.join(small)} is less than a millionth of it"] if small else []


def taylor(subject, gradients, rng):
    """Return the Taylor test along one random direction v of all arrays: {"h", "first", "second", "noise"}.

    first = |f(w + h v) - f(w)| falls as h; second = |f(w + h v) - f(w) - h g·v| as h² when the gradient g is right,
    else as h.
    """
    arrays = {name: array for name, array in subject.arrays.items() if array.size}
    starts = copies(arrays)
    v = {name: rng.standard_normal(array.shape) * (np.sqrt(np.mean(array**2)) or 1) for name, array in arrays.items()}

    def value(h):
        for name, array in arrays.items():
            array[...] = starts[name] + h * v[name]
        return float(np.atleast_1d(subject.f())[0])

    steps, slope = 10.0 ** np.arange(-1, -8.5, -0.5), float(sum(np.sum(gradients[name] * v[name]) for name in arrays))
    try:
        with np.errstate(all="ignore"):
            middle, *values = [value(h) for h in (0, *steps)]
    finally:
        for name, array in arrays.items():
            array[...] = starts[name]
    change = np.array(values) - middle
    return {"h": steps.tolist(), "first": np.abs(change).tolist(), "second": np.abs(change - steps * slope).tolist(),
            "noise": 4 * np.finfo(np.float64).eps * abs(middle)}
