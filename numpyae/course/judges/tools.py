"""Tools of the judges: gradients by the check, arrays against the truth and against usual mistakes."""

import math
import re

import numpy as np

from numpyae import gradcheck
from numpyae.gradcheck.case import Case
from numpyae.gradcheck.diagnosis import difference
from numpyae.gradcheck.sentences import wrong_form

DRAWS = 2                             # times that a judge is called, each with other points
ONE_EACH = ": one value for each sample is asked for"
# How the tasks call what the check calls otherwise, for `gradients`
ACTIVATION = {"dx": "da", "gradient of x": "gradient of a"}
LOSS = {"doutput": "∂L/∂o", "gradient of output": "gradient of o", "whatever delta is": "whatever weight is"}
NATS = {"1 / log 2: nats are asked for, not bits": 1 / math.log(2)}


class Wrong(Exception):
    """The sentence that says what is wrong."""


def must(right, sentence):
    """Raise Wrong with this sentence unless it is right."""
    if not right:
        raise Wrong(sentence)


def primes(rng, n):
    """Return n different sizes."""
    return [int(size) for size in rng.permutation([3, 5, 7, 11, 13])[:n]]


def moved(model, rng):
    """Return the model, its parameters off their initial values: no bias is 0."""
    model.w += 0.1 * rng.standard_normal(model.w.size)
    return model


def gradients(make, names=()):
    """Return a judge that holds what make(rng) yields, (target, *batch), against finite differences.

    `make` is the `examples` of a class, or like it; names: {how the check calls something: how the task does}.
    """
    def judge(rng):
        for target, *batch in make(rng):
            report = gradcheck.check(target, *batch, rng=rng)
            if not report.ok:
                said = " Also: ".join(report.sentences()[:3])
                for name, own in dict(names).items():
                    said = re.sub(rf"\b{name}\b", own, said)
                raise Wrong(said)
    return judge


def returned(name, call, *arrays):
    """Return call(*arrays). Raise Wrong if it changes an array, or returns nothing."""
    before = [np.copy(array) for array in arrays]
    found = call(*arrays)
    for k, (array, old) in enumerate(zip(arrays, before)):
        which = f" {k + 1}" * (len(arrays) > 1)
        must(not isinstance(array, np.ndarray) or np.array_equal(array, old),
             f"{name} changes its argument{which} in place; others may still need it")
    must(found is not None, f"{name} returns None: is the `return` missing?")
    return found


def hold(name, found, truth, mistakes=(), sizes=(), tolerance=1e-9, infinite=""):
    """Raise Wrong unless found is the array `truth`. mistakes: {sentence: what it gives}; sizes: {name: number}.

    infinite: a sentence for numbers that are not finite, instead of the usual one.
    """
    truth = np.asarray(truth)
    must(not infinite or not isinstance(found, np.ndarray) or np.all(np.isfinite(found)), infinite)
    must(isinstance(found, (np.ndarray, np.floating, float)), f"{name} must be an array, got {type(found).__name__}")
    found = np.asarray(found)
    must(found.dtype == truth.dtype or not near(found, truth, 1e-2),
         f"{name} must be {truth.dtype}, as what it is made of, got {found.dtype}")
    said = difference(found, truth, {**dict(sizes), **NATS}, tolerance)
    for sentence, array in dict(mistakes).items() if said else ():
        must(not np.all(np.isfinite(array)) or not near(found, array, tolerance), f"{name}: {sentence}")
    must(not said, f"{name} {said}")


def near(found, truth, tolerance):
    """Return whether two arrays are equal up to rounding, and of the same shape."""
    return not wrong_form(found, np.shape(truth)) and not Case.of(found, truth, tolerance).differs


def table(shape, element):
    """Return an array of this shape by a function of its indices, one number at a time."""
    return np.array([element(*index) for index in np.ndindex(shape)], dtype=float).reshape(shape)


def keeps(method, owner, truths, mistakes=()):
    """Raise Wrong unless `method` has kept these arrays, {name: truth}, as attributes of owner, for the way back."""
    gone = [name for name in truths if not hasattr(owner, name)]
    must(not gone, f"{method} must keep self.{', self.'.join(gone)}, which the way back reads")
    for name, truth in truths.items():
        hold(f"self.{name}", getattr(owner, name), truth, mistakes)
