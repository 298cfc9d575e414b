"""The manners of a backward: what must hold exactly, without any finite difference.

It is linear in delta, and zero for zero: it is a product with a matrix. It gives the same twice. It adds to the
gradients of its parameters, since a shared weight gets a summand from each place. It leaves the input, delta,
everything that forward kept, and the parameters as they were: another layer may still need them. Gradients have the
shape and dtype of what they belong to.

Each broken rule becomes a finding: a dict with the place, the array, a cause of one or two words, and a sentence.
"""

import math
import traceback

import numpy as np

from numpyae.gradcheck.sentences import finding, raised, wrong_form
from numpyae.gradcheck.nests import WrongReturn
from numpyae.parameters import Parametric

ROUNDING = 1e-10                      # relative; what is cast to float32 is off by 1e-8
CANCELLED = 1e-15                     # of the largest summands


def run(subject, rng):
    """Return (gradients or None, findings about manners) of a backward pass with random deltas."""
    values = subject.values()
    outputs = subject.forward()
    findings = changed({**subject.fixed, **subject.arrays}, values, "forward changed its {} in place")
    deltas = [delta.copy() for delta in subject.deltas]
    hint = "" if subject.adds or subject.in_place else ": write in_place=True if it may"
    watched = (({**subject.inputs, **subject.fixed}, "backward changed its {} in place", "in place"),
               (dict(enumerate(deltas)), f"backward changed its delta in place{hint}", "in place"),
               (subject.parameters, "backward changed the parameter {}: weights may be updated only when all gradients "
                "are there", "updates"),
               (caches(subject), f"backward changed {{}} in place, which forward kept{hint}", "in place"),
               (dict(enumerate(outputs)), f"backward changed the output of forward in place{hint}", "in place"))
    before = [{name: np.copy(array) for name, array in arrays.items()} for arrays, *_ in watched]
    try:
        gradients = subject.backward(deltas)
    except Exception as error:        # whatever a student's backward raises
        subject.restore(values)
        return None, findings + [raises("backward", error)]
    findings += wrong_gradients(subject, gradients)
    if any(found["cause"] == "shape" for found in findings):
        return None, findings
    gradients = {name: np.array(gradients[name], dtype=np.float64) for name in subject.arrays}
    for (arrays, sentence, cause), old in zip(watched, before):
        found = changed(arrays, old, sentence, cause)
        allowed = subject.in_place and arrays is not watched[0][0] and cause == "in place"
        if allowed:
            subject.allowed += [f"{one['sentence']}, which in_place=True allows" for one in found]
        else:
            findings += found
    try:
        findings += wrong_when_repeated(subject, gradients, values)
        findings += not_linear(subject, gradients, values, rng) if subject.linear else []
    except Exception as error:        # it worked the first time
        findings.append(raises("a second backward", error))
    subject.restore(values)
    return gradients, findings


def changed(now, before, sentence, cause="in place"):
    """Return a list with the finding for the first array that is not what it was."""
    return [finding(cause, sentence.format(name), name if isinstance(name, str) else None) for name in now
            if not np.array_equal(now[name], before[name], equal_nan=np.asarray(now[name]).dtype.kind == "f")][:1]


def caches(subject):
    """Return {name: array} of all that the parts have kept from forward."""
    found = {f"{place}.{name}".lstrip("."): value for place, part in {**subject.parts, **subject.keepers}.items()
             for name, value in vars(part).items() if isinstance(value, np.ndarray) and name not in ("_w", "_grad")}
    return found | subject.cached()


def raises(method, error):
    """Return the finding for a method that failed: whose it is, and the line."""
    if isinstance(error, WrongReturn):
        return finding("shape", f"{method} {error}")
    owners = [frame.f_locals["self"] for frame, _ in traceback.walk_tb(error.__traceback__) if is_of_part(frame)]
    return finding("raises", raised(error, is_of_part, method)) | {
        "layer": next((type(owner).__name__ if owner._parts else repr(owner) for owner in owners[-1:]), "")}


def is_of_part(frame):
    """Return whether the method of a part of a model runs in this frame."""
    return isinstance(frame.f_locals.get("self"), Parametric)


def wrong_gradients(subject, gradients):
    """Return findings about what backward returned: arrays that are missing, or of another shape or dtype."""
    findings = []
    samples = next((len(given) for given in (*subject.inputs.values(), *subject.fixed.values()) if given.ndim), 0)
    for name, array in subject.arrays.items():
        gradient = gradients.get(name)
        if gradient is None:
            findings.append(finding("shape", f"backward returns no gradient of {name}", name))
        elif form := wrong_form(gradient, array.shape, samples):
            findings.append(finding("shape", f"the gradient of {name} {form}", name))
        elif subject.parts and (dtype := np.asarray(gradient).dtype) != np.float64:
            findings.append(finding("precision" if dtype == np.float32 else "dtype",
                                    f"the gradient of {name} must be float64, as {name} is, got {dtype}", name))
    return findings


def another_pass(subject, values, deltas=None, from_zero=True):
    """Return {name: gradient} of one more forward and backward at these values; deltas are the subject's by default."""
    subject.restore(values)
    subject.forward()
    deltas = [delta.copy() for delta in deltas or subject.deltas]
    return {name: np.array(gradient, dtype=np.float64)
            for name, gradient in subject.backward(deltas, from_zero).items()}


def wrong_when_repeated(subject, gradients, values):
    """Return findings from a second pass: it must give the same, and add it to the parameters' gradients."""
    afresh, again = another_pass(subject, values), another_pass(subject, values, from_zero=False)
    adds = subject.linear and subject.adds
    findings = []
    for name, first in gradients.items():
        added = adds and name in subject.parameters
        from_zero, doubled = same(afresh[name], first), same(again[name], 2 * first)
        findings += first_true((
            (doubled if added else same(again[name], first), "", ""),
            (added and from_zero, "overwrites", f"backward must add to d{name} (`+=`) and change nothing that is "
             "there: a second call does not give twice the gradient"),
            (doubled and not subject.linear, "not zeroed",
             f"backward called twice doubles the gradient of {name}: does it start from zero?"),
            (from_zero, "redrawn", "backward called twice, with nothing set to 0 in between, gives another gradient "
             f"of {name}: does it read what the first call left behind?"),
            (True, "redrawn", f"backward called twice gives another gradient of {name}: is noise drawn anew in it?")),
            name)
    return findings or stale(subject, gradients, values)


def first_true(reasons, name):
    """Return a list with the finding of the first (holds, cause, sentence) that holds; without a cause all is well."""
    cause, sentence = next((cause, sentence) for holds, cause, sentence in reasons if holds)
    return [finding(cause, sentence, name)] if cause else []


def stale(subject, gradients, values):
    """Return findings if a forward elsewhere changes what backward gives: it reads what an earlier forward kept."""
    rng = np.random.default_rng(0)
    for array in subject.arrays.values():
        array *= rng.uniform(-1, 1, array.shape)
    try:
        with np.errstate(all="ignore"):
            subject.forward()
    except Exception:
        return []                                        # that place is outside its domain
    again = another_pass(subject, values)
    return [finding("stale", f"backward gives another gradient of {name} when forward was called elsewhere before: "
                    "does it read what an earlier forward kept?", name)
            for name, first in gradients.items() if not same(again[name], first)]


def not_linear(subject, gradients, values, rng):
    """Return findings from backward(v) and backward(u + v): B(u + v) = B(u) + B(v), and B(0) = 0."""
    others = [rng.standard_normal(delta.shape) * (np.abs(delta).max(initial=0) or 1) for delta in subject.deltas]
    at_v, at_both, at_none = (another_pass(subject, values, [a * u + b * v for u, v in zip(subject.deltas, others)])
                              for a, b in ((0, 1), (1, 1), (0, 0)))
    findings, sizes = [], [max(1.0, largest(array)) for array in subject.arrays.values()]
    lost = CANCELLED * sum(np.abs(delta).sum() for delta in others) * math.prod(sizes)   # where summands cancel: 1 - h²
    for name, u in gradients.items():
        v, zero = at_v[name], at_none[name]
        size, gap = max(map(largest, (u, v))), largest(at_both[name] - u - v)
        findings += first_true((
            (largest(zero) > ROUNDING * size and same(zero, v), "nonlinear",
             f"backward gives the same gradient of {name} whatever comes in: it does not use it"),
            (largest(zero) > ROUNDING * size, "nonlinear",
             f"backward(0) gives a gradient of {name} that is not 0: something is added that delta does not multiply"),
            (not gap > max(lost, ROUNDING * size, subject.digits * size), "", ""),
            (gap > 1e-6 * size, "nonlinear",
             f"backward is not linear in delta: for {name}, backward(u + v) is not backward(u) + backward(v)"),
            (True, "precision", f"the gradient of {name} has only the digits of float32 (relative error "
             f"{gap / (size or 1):.0e}): is something cast on the way?")), name)
    return findings


def largest(array):
    """Return the largest absolute value, 0 of an empty array."""
    return np.abs(array).max(initial=0)


def gradients_by_term(subject, gradients):
    """Return {term: {name: gradient}} if these add up to the whole, else {}: then backward knows no terms."""
    by_term = {term: subject.gradients(term) for term in subject.terms}
    for name, whole in gradients.items() if by_term else ():
        parts = [gradient[name] for gradient in by_term.values()]
        if not np.all(np.abs(sum(parts) - whole) <= ROUNDING * max(map(largest, (whole, *parts)))):
            return {}
    return by_term


def terms(subject):
    """Return a list with a finding if the terms of a loss do not add up to it."""
    value, *parts = np.atleast_1d(subject.f())
    right = not parts or abs(value - sum(parts)) <= ROUNDING * max(map(abs, (value, *parts)))
    return [] if right else [finding("term", f"the terms {', '.join(subject.names)} add up to {sum(parts):.8g}, but "
                                     f"the loss is {value:.8g}")]


def same(a, b):
    """Return whether two arrays are equal up to rounding, NaN to NaN."""
    a, b = np.asarray(a), np.asarray(b)
    size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
    return a.shape == b.shape and np.allclose(a, b, rtol=ROUNDING, atol=ROUNDING * size + 1e-300, equal_nan=True)
