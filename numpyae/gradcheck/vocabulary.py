"""The quantities in which a mistake can be told: what a layer keeps, and what the mathematics of this field makes of it.

A wrong gradient is rarely a random one. It is the right one times something that lies about, or with something that lies about
left out: an activation's derivative, a mask, σ, the batch size. So the diagnosis needs names for all that lies about.
"""

import copy

import numpy as np

from numpyae.gradcheck.invariants import caches
from numpyae.gradcheck.subjects import LayerSubject, LossSubject, PenaltySubject, PosteriorSubject, PriorSubject

# What backward code makes of a cached quantity q, the simplest first.
TRANSFORMS = (("{}", lambda q: q), ("(1 - {})", lambda q: 1 - q), ("{}²", lambda q: q * q), ("(1 - {}²)", lambda q: 1 - q * q),
              ("{0} (1 - {0})", lambda q: q * (1 - q)),
              ("σ'({})", lambda q: np.exp(-np.abs(q)) / (1 + np.exp(-np.abs(q))) ** 2),
              ("[{} > 0]", lambda q: (q > 0) * 1.0), ("[{} <= 0]", lambda q: (q <= 0) * 1.0),
              ("sign({})", np.sign), ("abs({})", np.abs), ("exp({})", np.exp), ("exp(-{})", lambda q: np.exp(-q)),
              ("exp(½ {})", lambda q: np.exp(0.5 * q)), ("(exp({}) - 1)", np.expm1), ("sqrt({})", lambda q: np.sqrt(np.abs(q))),
              ("(1 + {})", lambda q: 1 + q), ("σ({})", lambda q: 1 / (1 + np.exp(-q))), ("tanh({})", np.tanh),
              ("{0} / (1 + {0})", lambda q: q / (1 + q)), ("{}³", lambda q: q**3),
              ("exp(min({}, 0))", lambda q: np.exp(np.minimum(q, 0))), ("log({})", lambda q: np.log(np.abs(q))))


PLAIN = TRANSFORMS[:1]                # the quantities as they are


class Vocabulary:
    """Named arrays: `rows`, with a row for each sample; `deltas`, what backward receives; `parameters` and their `gradients`.
    `numbers`: {name: value}, what a factor can be; `coupled`: whether an output depends on more than one input; `locality`: asks
    what an element of the gradient depends on (`locality.py`), or None."""

    def __init__(self, rows, deltas, parameters, gradients, numbers, coupled):
        self.rows, self.deltas, self.parameters, self.gradients, self.numbers = rows, deltas, parameters, gradients, numbers
        self.coupled, self.locality = coupled, None


def of_subject(subject):
    """All that can be named around this subject."""
    numbers, rows, deltas, gradients, coupled = {}, {}, {}, {}, False
    if isinstance(subject, LayerSubject):
        deltas = {"delta": subject.deltas[0]}
        y = subject.forward()[0]
        x = subject.inputs["x"]
        coupled = mixes_columns(subject)
        rows = {**row_caches(subject), "x": x, "y": y, **derivatives(subject.target, x, y)}
        numbers = {"the batch size": len(x), "the number of inputs": x.shape[-1], "the number of outputs": y.shape[-1]}
        gradients = {f"d{name}": window for name, window in subject.windows.items()}
    elif isinstance(subject, LossSubject):
        o, t = subject.inputs["output"], subject.fixed["target"]
        deltas = {"weight": subject.deltas[0]}
        subject.forward()
        if t.ndim == 2 and t.shape == o.shape:
            rows = {"(o - t)": o - t}
        rows = {**rows, **row_caches(subject), "o": o, **({"t": t} if t.dtype.kind == "f" else {})}
        numbers = {"the batch size": len(o), "the number of outputs": o.shape[-1]}
    elif isinstance(subject, PosteriorSubject):
        subject.forward()
        deltas = {"dz": subject.deltas[0], "dkl": subject.deltas[1]}
        rows = row_caches(subject)
        numbers = {"the batch size": len(subject.inputs["h"]), "the number of latent dimensions": subject.target.d}
    elif isinstance(subject, PriorSubject):
        subject.forward()
        deltas = {"dlog_p": subject.deltas[0]}
        rows, gradients = row_caches(subject), {f"d{name}": window for name, window in subject.windows.items()}
        numbers = {"the number of latent dimensions": subject.target.d}
        numbers |= {"the batch size": subject.deltas[0].shape[-1], "the number of draws": subject.deltas[0].size / subject.deltas[0].shape[-1]}
    elif isinstance(subject, PenaltySubject):
        subject.forward()
        rows = row_caches(subject)
        numbers = {"the batch size": len(subject.inputs["x"])}
        numbers |= {f"the width of {place}": part.n_out for place, part in subject.parts.items() if part.n_out}
    elif hasattr(subject, "cache"):
        deltas = {"dout": subject.deltas[0]}
        y = subject.forward()[0]
        rows = {**row_caches(subject), **subject.inputs, "out": y}
        if y.ndim and subject.inputs["x"].ndim:
            numbers = {"the batch size": len(y), "the number of inputs": subject.inputs["x"].shape[-1],
                       "the number of outputs": y.shape[-1]}
    elif subject.fixed:
        numbers = {"the batch size": len(next(iter(subject.fixed.values())))}
        numbers |= {f"the width of {place}": part.n_out for place, part in subject.parts.items() if getattr(part, "n_out", None)}
        numbers |= {f"the number of features of {name}": array.shape[1] for name, array in subject.fixed.items() if array.ndim == 2}
    else:
        numbers = {f"{name}.shape[{axis}]": size for name, array in subject.parameters.items() for axis, size in enumerate(array.shape)}
    for owner in (subject.target, *subject.parts.values()):
        numbers |= settings(owner)
    return Vocabulary(rows, deltas, subject.parameters, gradients, numbers, coupled)


def mixes_columns(subject):
    """Whether a change of the middle column of x changes another column of y."""
    x, y = subject.inputs["x"], np.copy(subject.forward()[0])
    kept = x.copy()
    if x.ndim != 2 or y.shape != x.shape:
        return True
    middle = x.shape[1] // 2
    x[:, middle] += 0.1 * (np.abs(kept).max() or 1)
    other = np.copy(subject.forward()[0])
    x[...] = kept
    subject.forward()
    return not np.array_equal(np.delete(y, middle, axis=1), np.delete(other, middle, axis=1))


def row_caches(subject):
    """The caches by their own names, floats and truths only."""
    return {name.split(".")[-1]: array for name, array in caches(subject).items()
            if array.ndim and array.dtype.kind in "fb" and not name.endswith("replay")}


def settings(owner):
    """The numbers among the attributes: keep, k, sigma, beta."""
    found = {}
    for name, value in getattr(owner, "__dict__", {}).items():
        if isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool) and not name.startswith("_") \
                and name not in ("n_in", "n_out", "size"):
            found[name] = float(value)
    return found


def derivatives(layer, x, y):
    """φ'(a) and φ'(φ(a)) of an elementwise activation."""
    if not hasattr(layer, "derivative") or x.shape != y.shape:
        return {}
    fresh, h = copy.deepcopy(layer), 1e-6 * (np.abs(x).max() or 1)
    slope = (fresh.forward(x + h) - fresh.forward(x - h)) / (2 * h)
    fresh.forward(x.copy())
    if np.median(np.abs(fresh.derivative() - slope)) > 1e-4 or np.mean(np.abs(fresh.derivative() - slope) > 1e-4) > 0.2:
        return {}                                        # inherited, and of another function than this forward
    found = {}
    for name, point in (("φ'(a)", x), ("φ'(φ(a))", y)):
        fresh.forward(point.copy())
        found[name] = np.copy(fresh.derivative())
    return found


def as_rows(array, shape):
    """The array broadcast to this shape, a vector of the batch size as a column; None where it does not fit."""
    if array.ndim == 1 and len(shape) == 2 and array.shape == shape[:1] and shape[0] != shape[1]:
        array = array[:, None]
    try:
        return np.broadcast_to(array, shape).astype(np.float64)
    except ValueError:
        return None


def quantities(rows, shape, transforms=TRANSFORMS):
    """[(name, array of this shape), ...]: every transform of everything that fits, each value once, with its second name too."""
    found = []
    for pattern, transform in transforms:
        for name, array in rows.items():
            q = as_rows(array, shape)
            if q is None or (pattern != "{}" and "φ" in name):
                continue
            with np.errstate(all="ignore"):
                value = transform(q)
            if np.all(np.isfinite(value)) and np.ptp(value) > 0:
                found.append((pattern.format(name), value))
    return merged(found)


def merged(found):
    """Equal arrays once, under the first name and the second: `mask (= [x > 0])`."""
    kept, names = {}, {}
    for name, value in found:
        key = np.round(value / np.abs(value).max(), 11).tobytes()
        names.setdefault(key, []).append(name)
        kept.setdefault(key, value)
    return [(" (= ".join(names[key][:2]) + ")" * (len(names[key]) > 1), value) for key, value in kept.items()]
