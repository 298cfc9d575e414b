"""What must hold exactly, without any finite difference: the manners of a backward.

It is linear in delta, and zero for zero: it is a product with a matrix. It gives the same twice. It adds to the gradients of
its parameters, since a shared weight gets a summand from each place. It leaves the input, delta, everything that forward kept,
and the parameters as they were: another layer may still need them. Gradients have the shape and dtype of what they belong to.

Each broken rule becomes a finding: a dict with the place, the array, a cause of one or two words, and a sentence.
"""

import linecache

import numpy as np

from numpyae.gradcheck.subjects import WrongReturn, copies
from numpyae.parameters import Parametric

ROUNDING = 1e-10                      # relative; what is cast to float32 is off by 1e-8
CANCELLED = 1e-15                     # of the largest summands


def finding(cause, sentence, array=None, factor=None):
    """One thing that is wrong; the place is filled in by whoever knows it."""
    return {"place": "", "layer": "", "array": array, "cause": cause, "sentence": sentence, "factor": factor}


def run(subject, rng):
    """(gradients or None, findings): one backward pass with random deltas, and what is wrong with its manners."""
    findings = []
    given = {**subject.inputs, **subject.fixed}
    values_before = subject.values()
    before, parameters = copies(given), copies(subject.parameters)
    outputs = subject.forward()
    findings += changed(given, before, "forward changed its {} in place")
    before = copies(given)
    kept, values = caches(subject), [np.copy(output) for output in outputs]
    kept_before, deltas = copies(kept), [delta.copy() for delta in subject.deltas]
    try:
        gradients = subject.backward(deltas)
    except Exception as error:        # whatever a student's backward raises
        subject.restore(values_before)
        return None, findings + [raises("backward", error)]
    findings += wrong_form(subject, gradients)
    if any(found["cause"] == "shape" for found in findings):
        return None, findings
    gradients = {name: np.array(gradients[name], dtype=np.float64) for name in subject.arrays}
    findings += changed(given, before, "backward changed its {} in place")
    findings += changed(dict(enumerate(deltas)), dict(enumerate(subject.deltas)), "backward changed its delta in place")
    findings += changed(subject.parameters, parameters, "backward changed the parameter {}: weights may be updated only when all "
                        "gradients are there", "updates")
    findings += changed(kept, kept_before, "backward changed {} in place, which forward kept")
    findings += changed(dict(enumerate(outputs)), dict(enumerate(values)), "backward changed the output of forward in place")
    try:
        findings += wrong_when_repeated(subject, gradients, values_before)
        findings += not_linear(subject, gradients, values_before, rng) if subject.linear else []
    except Exception as error:        # it worked the first time
        findings.append(raises("a second backward", error))
    subject.restore(values_before)
    return gradients, findings


def changed(now, before, sentence, cause="in place"):
    """A finding for the first array that is not what it was."""
    for name in now:
        if not np.array_equal(now[name], before[name], equal_nan=np.asarray(now[name]).dtype.kind == "f"):
            return [finding(cause, sentence.format(name), name if isinstance(name, str) else None)]
    return []


def caches(subject):
    """{name: array} of all that the parts have kept from forward."""
    found = {}
    for place, leaf in {**subject.parts, **subject.keepers}.items():
        own = {"_w", "_grad"} | {"_" + prefix + name for name in getattr(leaf, "_shapes", ()) for prefix in ("", "d")}
        found |= {f"{place}.{name}".lstrip("."): value for name, value in vars(leaf).items()
                  if isinstance(value, np.ndarray) and name not in own}
    return {**found, **flat("cache", getattr(subject, "cache", None))}


def flat(name, value):
    """{name: array} of the arrays in a nest of tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        return {name: value}
    if isinstance(value, dict):
        return {key: array for k, v in value.items() for key, array in flat(f"{name}[{k!r}]", v).items()}
    if isinstance(value, (tuple, list)):
        return {key: array for k, v in enumerate(value) for key, array in flat(f"{name}[{k}]", v).items()}
    return {}


def raises(method, error):
    """The finding for a method that failed: whose it is, and the line."""
    words = " ".join(str(error).split())
    if isinstance(error, WrongReturn):
        return finding("shape", f"{method} {words}")
    hint = ": is a transpose missing, or are the operands of a product swapped?" if "matmul" in words else ""
    step, found = error.__traceback__, finding("raises", f"{method} raises {type(error).__name__}: {words}{hint}")
    while step is not None:
        owner = step.tb_frame.f_locals.get("self")
        if isinstance(owner, Parametric):
            found["layer"] = repr(owner) if not owner._parts else type(owner).__name__
            line = linecache.getline(step.tb_frame.f_code.co_filename, step.tb_lineno).strip()
            if line:
                found["sentence"] = f"{method} raises {type(error).__name__} at `{line}`: {words}{hint}"
        step = step.tb_next
    return found


def wrong_form(subject, gradients):
    """Findings about what backward returned: arrays that are missing, of another shape, or of another dtype."""
    findings = []
    for name, array in subject.arrays.items():
        if name not in gradients or gradients[name] is None:
            findings.append(finding("shape", f"backward returns no gradient of {name}", name))
        elif not is_real(gradients[name]):
            findings.append(finding("shape", f"the gradient of {name} must be an array of real numbers, got "
                                    f"{type(gradients[name]).__name__}", name))
        elif np.shape(gradients[name]) != array.shape:
            shape, more = np.shape(gradients[name]), ""
            rows = next((len(given) for given in (*subject.inputs.values(), *subject.fixed.values()) if given.ndim), 0)
            if shape == (rows, *array.shape) and rows > 1:
                more = f": is the sum over the {rows} samples missing?"
            findings.append(finding("shape", f"the gradient of {name} must have shape {array.shape}, got {shape}{more}", name))
        elif subject.parts and np.asarray(gradients[name]).dtype != np.float64:
            dtype = np.asarray(gradients[name]).dtype
            cause = "precision" if dtype == np.float32 else "dtype"
            findings.append(finding(cause, f"the gradient of {name} must be float64, as {name} is, got {dtype}", name))
    return findings


def is_real(gradient):
    """Whether this is an array, or a nest of numbers that makes one."""
    try:
        return np.asarray(gradient).dtype.kind in "fiub"
    except ValueError:
        return False


def wrong_when_repeated(subject, gradients, values):
    """Findings from a second pass: it must give the same, and add it to the parameters' gradients."""
    findings = []
    subject.restore(values)
    subject.forward()
    afresh = copies_of(subject.backward([delta.copy() for delta in subject.deltas]))
    subject.restore(values)
    subject.forward()
    again = subject.backward([delta.copy() for delta in subject.deltas], from_zero=False)
    adds = subject.linear and getattr(subject, "cache", None) is None
    for name, first in gradients.items():
        expected = 2 * first if adds and name in subject.parameters else first
        if same(again[name], expected):
            continue
        if adds and name in subject.parameters and same(afresh[name], first):
            findings.append(finding("overwrites", f"backward must add to d{name} (`+=`) and change nothing that is there: a "
                                    "second call does not give twice the gradient", name))
        elif not subject.linear and same(again[name], 2 * first):
            findings.append(finding("not zeroed", f"backward called twice doubles the gradient of {name}: does it start from zero?",
                                    name))
        elif same(afresh[name], first):
            findings.append(finding("redrawn", f"backward called twice, with nothing set to 0 in between, gives another gradient of {name}: "
                                    "does it read what the first call left behind?", name))
        else:
            findings.append(finding("redrawn", f"backward called twice gives another gradient of {name}: is noise drawn anew in it?", name))
    return findings or stale(subject, gradients, values)


def stale(subject, gradients, values):
    """Findings when backward gives something else after a forward elsewhere: it reads what an earlier forward kept."""
    rng = np.random.default_rng(0)
    for array in subject.arrays.values():
        array *= rng.uniform(-1, 1, array.shape)
    try:
        with np.errstate(all="ignore"):
            subject.forward()
    except (ArithmeticError, ValueError):
        return []                                        # that place is outside its domain
    finally:
        subject.restore(values)
    subject.forward()
    again = copies_of(subject.backward([delta.copy() for delta in subject.deltas]))
    return [finding("stale", f"backward gives another gradient of {name} when forward was called elsewhere before: does it read what an "
                    "earlier forward kept?", name) for name, first in gradients.items() if not same(again[name], first)]


def not_linear(subject, gradients, values, rng):
    """Findings from backward(v) and backward(u + v): B(u + v) = B(u) + B(v), and B(0) = 0."""
    others = [rng.standard_normal(delta.shape) * (np.abs(delta).max(initial=0) or 1) for delta in subject.deltas]
    results = []
    for deltas in (others, [u + v for u, v in zip(subject.deltas, others)], [0 * u for u in subject.deltas]):
        subject.restore(values)
        subject.forward()
        results.append(copies_of(subject.backward(deltas)))
    findings = []
    inside = CANCELLED * sum(np.abs(delta).sum() for delta in others)        # what a sum may lose where its summands cancel,
    for array in subject.arrays.values():                                    # such as 1 - h² of a saturated unit
        inside = inside * max(1.0, np.abs(array).max(initial=0))
    for name, first in gradients.items():
        v, both, none = (result[name] for result in results)
        size = max(np.abs(first).max(initial=0), np.abs(v).max(initial=0))
        gap = np.abs(both - first - v).max(initial=0)
        gap = 0.0 if gap <= inside else gap
        if np.abs(none).max(initial=0) > ROUNDING * size and same(none, v):
            findings.append(finding("nonlinear", f"backward gives the same gradient of {name} whatever comes in: it does not use it", name))
        elif np.abs(none).max(initial=0) > ROUNDING * size:
            findings.append(finding("nonlinear", f"backward(0) gives a gradient of {name} that is not 0: something is added that "
                                    "delta does not multiply", name))
        elif gap > 1e-6 * size:
            findings.append(finding("nonlinear", f"backward is not linear in delta: for {name}, backward(u + v) is not backward(u) "
                                    "+ backward(v)", name))
        elif gap > ROUNDING * size:
            findings.append(finding("precision", f"the gradient of {name} has only the digits of float32 (relative error "
                                    f"{gap / size:.0e}): is something cast on the way?", name))
    return findings


def gradients_by_term(subject, gradients):
    """{term: {name: gradient}}, where the gradients of the terms add up to the whole; else {}: backward knows no terms."""
    by_term = {term: subject.gradients(term) for term in subject.terms}
    for name, whole in gradients.items() if by_term else ():
        parts = [by_term[term][name] for term in by_term]
        size = max(np.abs(part).max(initial=0) for part in (whole, *parts))
        if not np.all(np.abs(sum(parts) - whole) <= ROUNDING * size):
            return {}
    return by_term


def terms(subject):
    """A finding when the terms of a loss do not add up to it."""
    value, *parts = np.atleast_1d(subject.f())
    if not parts or abs(value - sum(parts)) <= ROUNDING * max(map(abs, (value, *parts))):
        return []
    return [finding("term", f"the terms {', '.join(subject.names)} add up to {sum(parts):.8g}, but the loss is {value:.8g}")]


def same(a, b):
    """Equal up to rounding, NaN to NaN."""
    a, b = np.asarray(a), np.asarray(b)
    size = np.max(np.abs(b), initial=0, where=np.isfinite(b))
    return a.shape == b.shape and np.allclose(a, b, rtol=ROUNDING, atol=ROUNDING * size + 1e-300, equal_nan=True)


def copies_of(gradients):
    """{name: copy} of what a backward returned: it may use one buffer for all its results."""
    return {name: np.array(gradient, dtype=np.float64) for name, gradient in gradients.items()}
