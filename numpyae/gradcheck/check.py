"""The check itself: what backward says against what finite differences say, in every array, and what follows from it.

    subject     what is checked, as a function of arrays              subjects.py
    manners     what must hold exactly                                invariants.py
    verdicts    agree, disagree, cannot tell, kink                    verdicts.py
    where       the first layer that is wrong, only when one is       where.py
    what        the likely mistake, tested against the numbers        diagnosis.py
    the point   a check is only as good as the point it is done at    here

At a bias of 0 a decayed bias looks right; with one sample a sum is a mean; with a batch of 5 and a layer of 5 a factor
of 5 has two names; a square W can be transposed unseen. So the report says so.
"""

import copy
import importlib

import numpy as np

from numpyae.gradcheck import diagnosis, invariants
from numpyae.gradcheck.nests import as_leaf
from numpyae.gradcheck.numerical import steady
from numpyae.gradcheck.report import Report
from numpyae.gradcheck.verdicts import DISAGREE, VERDICTS, compare
from numpyae.parameters import Parametric


def check(target, *batch, rng=None):
    """Check every gradient of a layer (x), loss (o, t), posterior (h), prior (z), penalty (network, x), model (batch).

    Return a Report. A class is checked at its own examples; then the report is the first that is not ok, else the last.
    `rng=None` means default_rng(0): a check is repeatable. Raise TypeError for anything else, or a batch that is no
    float array (class labels may be integers); ValueError for NaN, infinity, no elements at all, or a function that
    gives two values at one point.
    """
    from numpyae.gradcheck.cases import examples_of      # the library's own classes, which foreign code does not need

    rng = fresh(rng)
    if hasattr(target, "examples") and isinstance(target, type) and not batch:
        for example in examples_of(target, rng):
            report = check(*example)
            if not report.ok:
                break
        return report
    return examine(type(target).__name__, subject_of(target, batch, rng), rng)


def subject_of(target, batch, rng):
    """Return the Subject of a target at a batch, on float64 copies of both."""
    from numpyae.gradcheck.parts import ModelSubject, kind_of

    kind = kind_of(target)
    if kind is None:
        raise TypeError(f"check: expected a Layer, Loss, posterior or Model, got {type(target).__name__}; for other "
                        "code use check_function, check_layer or check_object")
    names = target.batch_names if kind is ModelSubject else kind.batch_names
    if len(batch) != len(names):
        raise ValueError(f"check: a {type(target).__name__} is checked at ({', '.join(names)}), "
                         f"got {len(batch)} arrays")
    labels = getattr(getattr(target, "criterion", target), "takes_labels", kind is ModelSubject)
    batch = [as_float64(f"check: {name}", array, labels and index)
             for index, (name, array) in enumerate(zip(names, batch))]
    return kind(target.astype(np.float64) if isinstance(target, Parametric) else copy.deepcopy(target), batch, rng)


def assert_gradients(target, *batch, rng=None):
    """Raise AssertionError with the report of `check` unless all gradients agree: one line in a test."""
    __tracebackhide__ = True
    approve(check(target, *batch, rng=rng))


def approve(report):
    """Raise AssertionError with the whole report, which pytest does not cut, unless it is ok."""
    __tracebackhide__ = True
    if not report.ok:
        raise AssertionError(str(report))


def fresh(rng):
    """Return a generator of other numbers: x is often drawn from default_rng(0) too, and delta must not be x."""
    return np.random.default_rng(np.random.default_rng(0 if rng is None else copy.deepcopy(rng)).integers(2**63))


def examine(name, subject, rng):
    """Return the Report: manners, verdicts, and, only where something is wrong, where and what."""
    for array_name, array in subject.arrays.items():
        if not np.all(np.isfinite(array)):
            raise ValueError(f"check: {array_name} must be finite, got NaN or infinity")
    steady(subject.f)
    where = importlib.import_module("numpyae.gradcheck.where") if subject.parts else None
    taps = where.record(subject, subject.parts) if where else []
    gradients, findings = invariants.run(subject, rng)
    findings += where.manners(subject, taps, rng) if where else []
    rows, taylor = [], None
    if gradients is not None:
        findings += invariants.terms(subject)
        rows = compare(subject, {None: gradients, **invariants.gradients_by_term(subject, gradients)}, rng)
        if any(row["verdict"] == VERDICTS[DISAGREE] for row in rows):
            found = where.explain(subject, taps, rows, rng) if where else diagnosis.explain(subject, rows)
            findings = diagnosis.in_order(found, findings)
        taylor = taylor_test(subject, gradients, rng)
    whole = repr(subject.target) if set(subject.parts) == {""} else type(subject.target).__name__ * bool(subject.parts)
    findings = diagnosis.at_owners([{**found, "layer": found["layer"] or whole} for found in findings], subject.parts)
    return Report(name, rows, diagnosis.without_echoes(findings), subject.notes() + doubts(subject, rows), taylor)


def as_float64(name, array, labels=False):
    """Return a float64 copy of an array, or of a network, after a look at it."""
    if name.endswith("network") and isinstance(array, Parametric):
        return array.astype(np.float64)
    array = as_leaf(name, np.array(array) if isinstance(array, int) else array)
    dtype = getattr(array, "dtype", type(array).__name__)
    if getattr(dtype, "kind", "O") not in ("iuf" if labels else "f"):
        raise TypeError(f"{name} must be a float array, got {dtype}")
    return array


# The point of the check

def doubts(subject, rows):
    """Return sentences about what this point can hide: zeros and equal sizes, silent units, a term that drowns."""
    parameters, batch = subject.parameters, {**subject.inputs, **subject.fixed}
    still = [name for name, array in parameters.items() if array.size and not np.any(array)]
    ones = [name for name, array in {**parameters, **batch}.items()
            if array.dtype.kind == "f" and array.size > 1 and np.all(array == 1)]
    square = [name for name, array in parameters.items() if array.ndim == 2 and array.shape[0] == array.shape[1] > 1]
    widths = {size for array in parameters.values() if array.ndim == 2 for size in array.shape}
    widths |= {array.shape[1] for array in batch.values() if np.ndim(array) == 2}
    n = next((len(array) for array in batch.values() if np.ndim(array)), 0)
    flat = [row["array"] for row in rows if row["checked"] > 1 and row["term"] is None and row["verdict"] == "agree"
            and not np.any(row["values"]["yours"])]
    terms = {name: abs(value) for name, value in (getattr(subject.target, "terms", None) or {}).items()}
    largest = max(terms, key=terms.get, default=None)
    small = [name for name, size in terms.items() if size < 1e-6 * terms[largest]]
    sentences = ((still, f"{', '.join(still)}: all 0, which hides what multiplies it (a decayed bias, say): add a "
                  "little noise first"),
                 (ones, f"{', '.join(ones)}: all 1, which hides a factor too few or too many: a scale, a mask"),
                 (n == 1, "the batch has one sample: a sum over the batch, a mean and no sum at all look the same"),
                 (square, f"{', '.join(square)}: square, so a transpose too many or too few fits the shapes"),
                 (n > 1 and n in widths,
                  f"the batch size {n} is also the width of a layer: a factor of {n} has two names"),
                 *((True, sentence) for sentence in silent_units(subject)),
                 *((True, f"the gradient of {name} is 0 everywhere at this point") for name in flat),
                 (small, f"the term {largest} dominates: {', '.join(small)} is less than a millionth of it"))
    return [sentence for holds, sentence in sentences if holds]


def silent_units(subject):
    """Yield which units are off for every sample."""
    for name, side in subject.active_sets().items():
        leaf = subject.parts[name]
        if side.ndim == 2 and not side.any(axis=0).all() and not hasattr(leaf, "k"):
            off = np.sum(~side.any(axis=0))
            yield (f"{leaf!r}" + f" ({name})" * bool(name) + f": {off} of {side.shape[1]} units are off for every "
                   "sample, and nothing behind them is tested")


def taylor_test(subject, gradients, rng):
    """Return the Taylor test along one random direction v of all arrays: {"h", "first", "second", "noise"}.

    first = |f(w + h v) - f(w)| falls as h; second = |f(w + h v) - f(w) - h g·v| as h² when the gradient g is right,
    else as h.
    """
    arrays = {name: array for name, array in subject.arrays.items() if array.size}
    starts = subject.values()
    v = {name: rng.standard_normal(array.shape) * (np.sqrt(np.mean(array**2)) or 1) for name, array in arrays.items()}

    def value(h):
        for name, array in arrays.items():
            array[...] = starts[name] + h * v[name]
        return float(np.atleast_1d(subject.value())[0])

    steps, slope = 10.0 ** np.arange(-1, -8.5, -0.5), float(sum(np.sum(gradients[name] * v[name]) for name in arrays))
    try:
        with np.errstate(all="ignore"):
            middle, *values = [value(h) for h in (0, *steps)]
    finally:
        subject.restore(starts)
    change = np.array(values) - middle
    return {"h": steps.tolist(), "first": np.abs(change).tolist(), "second": np.abs(change - steps * slope).tolist(),
            "noise": 4 * np.finfo(np.float64).eps * abs(middle)}
