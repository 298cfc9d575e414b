"""What the judges are made of: gradients by the check, arrays against the truth and against usual mistakes."""

import math
import re

import numpy as np

from numpyae import gradcheck

DRAWS = 2                             # times that a judge is called, each with other points
ONE_EACH = ": one value for each sample is asked for"


class Wrong(Exception):
    """The sentence that says what is wrong."""


def must(right, sentence):
    """Raise Wrong with this sentence unless it is right."""
    if not right:
        raise Wrong(sentence)


def primes(rng, n):
    """n different sizes."""
    return [int(size) for size in rng.permutation([3, 5, 7, 11, 13])[:n]]


def gradients(make, names=()):
    """A judge: `make(rng)` -> [(target, *batch), ...], each held against finite differences.

    names: {how the check calls something: how the task does}.
    """
    def run(rng):
        for target, *batch in make(rng):
            report = gradcheck.check(target, *batch, rng=rng)
            if not report.ok:
                lines = str(report).split("\n\n")[0].splitlines()
                said = " ".join(line.replace("  also: ", "Also: ") for line in lines[:3])
                for name, own in dict(names).items():
                    said = re.sub(rf"\b{name}\b", own, said)
                raise Wrong(said)
    return run


def of_activation(kind):
    """A judge of its backward."""
    return gradients(an_activation(kind), {"dx": "da", "gradient of x": "gradient of a"})


def of_loss(make):
    """A judge of its backward."""
    return gradients(make, {"doutput": "∂L/∂o", "gradient of output": "gradient of o",
                            "whatever delta is": "whatever weight is"})


def returned(name, call, *arrays):
    """call(*arrays), which must leave them as they are, and return something. Wrong otherwise."""
    before = [np.copy(array) for array in arrays]
    found = call(*arrays)
    for k, (array, old) in enumerate(zip(arrays, before)):
        if isinstance(array, np.ndarray) and not np.array_equal(array, old):
            raise Wrong(f"{name} changes its argument{f' {k + 1}' * (len(arrays) > 1)} in place; others may still need it")
    if found is None:
        raise Wrong(f"{name} returns None: is the `return` missing?")
    return found


def hold(name, found, truth, mistakes=(), sizes=(), tolerance=1e-9):
    """Wrong unless found is the array `truth`. mistakes: {what is wrong: the array it gives}; sizes: {name: number}."""
    truth = np.asarray(truth)
    if not isinstance(found, (np.ndarray, np.floating, float)):
        raise Wrong(f"{name} must be an array, got {type(found).__name__}")
    found = np.asarray(found)
    if found.shape == truth.shape and found.dtype.kind == "f" and found.dtype != truth.dtype and near(found, truth, 1e-2):
        raise Wrong(f"{name} must be {truth.dtype}, as what it is made of, got {found.dtype}")
    if found.shape == truth.shape and found.dtype.kind == "f" and near(found, truth, tolerance):
        return
    for sentence, array in dict(mistakes).items():
        if np.shape(array) == found.shape and np.all(np.isfinite(array)) and near(found, array, tolerance):
            raise Wrong(f"{name}: {sentence}")
    if found.shape != truth.shape:
        turned = ": is it transposed?" if found.shape == truth.shape[::-1] else ""
        raise Wrong(f"{name} must have shape {truth.shape}, got {found.shape}{turned}")
    if found.dtype.kind != "f":
        raise Wrong(f"{name} must be an array of floats, got {found.dtype}")
    if not np.all(np.isfinite(found)):
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
        raise Wrong(f"{name} is {found[at]} at {list(at)}, and {truth[at]:.6g} is right: does something overflow, or is a "
                    f"logarithm taken of 0?")
    raise Wrong(f"{name} {difference(found, truth, dict(sizes), tolerance)}")


def near(found, truth, tolerance):
    """Equal up to rounding."""
    size = np.max(np.abs(truth), initial=0)
    return np.all(np.abs(found - truth) <= tolerance * size + 1e-300)


def difference(found, truth, sizes, tolerance):
    """How found differs from truth, in a few words: sign, factor, a constant, or where most."""
    if near(found, 0 * truth, tolerance):
        return "is 0 everywhere"
    if near(found, -truth, tolerance):
        return "has the wrong sign"
    if near(found, truth, 1e-4):
        part = np.max(np.abs(found - truth)) / np.max(np.abs(truth))
        return f"is right but for a part of {part:.0e}: is a small number added where none belongs, or are digits lost?"
    c = float(np.vdot(truth, found) / np.vdot(truth, truth))
    if c and near(found, c * truth, 10 * tolerance):
        number = max(abs(c), 1 / abs(c))
        names = [meaning for meaning, size in {**sizes, "1 / log 2: nats are asked for, not bits": 1 / math.log(2)}.items()
                 if abs(number / size - 1) < 1e-6]
        return (f"is {number:.6g} times too "
                f"{'large' if abs(c) > 1 else 'small'}{' and has the wrong sign' if c < 0 else ''}"
                + (f", and {number:.6g} is {' or '.join(names)}" if names else ""))
    shift = float(np.median(found - truth))
    if found.size > 1 and near(found - shift, truth, 10 * tolerance):
        return f"is off by {shift:.6g} everywhere: is a constant forgotten, or one too many?"
    off = np.abs(found - truth)
    at = tuple(int(i) for i in np.unravel_index(np.argmax(off), off.shape))
    count = int(np.sum(off > tolerance * np.max(np.abs(truth), initial=0)))
    place = f" at {list(at)}" if at else ""
    return f"is wrong in {count} of {off.size} elements, most{place}: yours is {found[at]:.6g}, and {truth[at]:.6g} is right"


def table(shape, element):
    """An array of this shape by a function of its indices, one number at a time."""
    return np.array([element(*index) for index in np.ndindex(shape)], dtype=float).reshape(shape)


def an_activation(kind):
    """[(layer, x)], with units on both sides of 0 and no unit at it."""
    def make(rng):
        N, H = primes(rng, 2)
        return [(kind(), rng.uniform(0.1, 2.5, (N, H)) * rng.choice([-1.0, 1.0], (N, H)))]
    return make


def a_real_loss(kind, **options):
    """[(loss, o, t)] of a loss of real targets."""
    def make(rng):
        N, D = primes(rng, 2)
        loss = kind(**options)
        return [(loss, rng.standard_normal((N, D * loss.outputs_per_feature)), rng.standard_normal((N, D)))]
    return make


def keeps(method, owner, truths, mistakes=()):
    """Raise Wrong unless `method` has kept these arrays, {name: truth}, as attributes of owner, for the way back."""
    gone = [name for name in truths if not hasattr(owner, name)]
    must(not gone, f"{method} must keep self.{', self.'.join(gone)}, which the way back reads")
    for name, truth in truths.items():
        hold(f"self.{name}", getattr(owner, name), truth, mistakes)
