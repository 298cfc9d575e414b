"""A check is only as good as the point it is done at: what to beware of there, and the Taylor test.

At a bias of 0 a decayed bias looks right; with one sample a sum is a mean; with a batch of 5 and a layer of 5 a factor of 5 has two
names; a square W can be transposed unseen. So the report says so.
"""

import numpy as np

from numpyae.gradcheck.subjects import active_set_of
from numpyae.models import Model


def warnings(subject, rows=()):
    """Sentences about what this point can hide."""
    found = []
    parameters = subject.parameters
    still = [name for name, array in parameters.items() if array.size and not np.any(array)]
    if still:
        found.append(f"{', '.join(still)}: all 0, which hides what multiplies it (a decayed bias, say): add a little noise first")
    batch = {**subject.inputs, **subject.fixed}
    n = next((len(array) for array in batch.values() if np.ndim(array)), None)
    if n == 1:
        found.append("the batch has one sample: a sum over the batch, a mean and no sum at all look the same")
    square = [name for name, array in parameters.items() if array.ndim == 2 and array.shape[0] == array.shape[1] > 1]
    if square:
        found.append(f"{', '.join(square)}: square, so a transpose too many or too few fits the shapes")
    widths = {size for name, array in parameters.items() if array.ndim == 2 for size in array.shape}
    widths |= {array.shape[1] for array in batch.values() if np.ndim(array) == 2}
    if n is not None and n > 1 and n in widths:
        found.append(f"the batch size {n} is also the width of a layer: a factor of {n} has two names")
    for name, leaf in subject.parts.items():
        side = active_set_of(leaf)
        if side is not None and side.ndim == 2 and not side.any(axis=0).all() and not hasattr(leaf, "k"):
            found.append(f"{f'{leaf!r} ({name})' if name else repr(leaf)}: {np.sum(~side.any(axis=0))} of {side.shape[1]} units are off "
                         "for every sample, and nothing behind them is tested")
    for row in rows:
        if row["checked"] > 1 and row["term"] is None and not np.any(row["values"]["yours"]) and row["verdict"] == "agree":
            found.append(f"the gradient of {row['array']} is 0 everywhere at this point")
    if isinstance(subject.target, Model) and len(subject.target.terms or ()) > 1:
        sizes = {name: abs(value) for name, value in subject.target.terms.items()}
        largest = max(sizes, key=sizes.get)
        small = [name for name, size in sizes.items() if size < 1e-6 * sizes[largest]]
        if small:
            found.append(f"the term {largest} dominates: {', '.join(small)} is less than a millionth of it")
    return found


def taylor(subject, gradients, rng):
    """The Taylor test along one random direction v of all arrays: {"h", "first", "second", "noise"}.

    first = |f(w + h v) - f(w)| falls as h; second = |f(w + h v) - f(w) - h g·v| as h² when the gradient g is right, else as h.
    """
    def value():
        return float(np.atleast_1d(subject.f())[0])

    arrays = {name: array for name, array in subject.arrays.items() if array.size}
    starts = {name: array.copy() for name, array in arrays.items()}
    v = {name: rng.standard_normal(array.shape) * (np.sqrt(np.mean(array**2)) or 1) for name, array in arrays.items()}
    middle, slope = value(), float(sum(np.sum(gradients[name] * v[name]) for name in arrays))
    result = {"h": [], "first": [], "second": [], "noise": 4 * np.finfo(np.float64).eps * abs(middle)}
    try:
        with np.errstate(all="ignore"):
            for h in 10.0 ** np.arange(-1, -8.5, -0.5):
                for name, array in arrays.items():
                    array[...] = starts[name] + h * v[name]
                change = value() - middle
                result["h"].append(float(h))
                result["first"].append(abs(change))
                result["second"].append(abs(change - h * slope))
    finally:
        for name, array in arrays.items():
            array[...] = starts[name]
    return result
