"""The vocabulary: the quantities in which a mistake can be told, what a layer keeps and what mathematics makes of it.

A wrong gradient is rarely a random one. It is the right one times a quantity from around, or without one that belongs
in it: an activation's derivative, a mask, σ, the batch size. So the diagnosis needs names for all quantities around.

Where no formula fits, an experiment says what an element of the gradient depends on. Every layer and loss here works
sample by sample, and most of them element by element. Then an element of the gradient may depend on nothing but its own
row, or its own place. The experiment changes everything else and looks whether the element stays. A gradient that
depends on other samples was summed over the wrong axis. One that depends on its own place only, and is wrong, has a
wrong formula for the local derivative, even where that formula has no name.
"""

import copy
import itertools

import numpy as np

from numpyae.checks import is_number
from numpyae.gradcheck.invariants import caches

# (name, function) of what backward code makes of a cached quantity q, the simplest first
TRANSFORMS = (("{}", lambda q: q),
              ("(1 - {})", lambda q: 1 - q),
              ("{}²", lambda q: q * q),
              ("(1 - {}²)", lambda q: 1 - q * q),
              ("{0} (1 - {0})", lambda q: q * (1 - q)),
              ("σ'({})", lambda q: np.exp(-np.abs(q)) / (1 + np.exp(-np.abs(q))) ** 2),
              ("[{} > 0]", lambda q: (q > 0) * 1.0),
              ("[{} <= 0]", lambda q: (q <= 0) * 1.0),
              ("sign({})", np.sign),
              ("abs({})", np.abs),
              ("exp({})", np.exp),
              ("exp(-{})", lambda q: np.exp(-q)),
              ("exp(½ {})", lambda q: np.exp(0.5 * q)),
              ("(exp({}) - 1)", np.expm1),
              ("sqrt({})", lambda q: np.sqrt(np.abs(q))),
              ("(1 + {})", lambda q: 1 + q),
              ("σ({})", lambda q: 1 / (1 + np.exp(-q))),
              ("tanh({})", np.tanh),
              ("{0} / (1 + {0})", lambda q: q / (1 + q)),
              ("{}³", lambda q: q**3),
              ("exp(min({}, 0))", lambda q: np.exp(np.minimum(q, 0))),
              ("log({})", lambda q: np.log(np.abs(q))))
PLAIN = TRANSFORMS[:1]                # the quantities as they are

# the questions to ask about a factor that has this name: where it is too large, where it is too small
HINTS = {"the batch size": (": is the mean over the batch missing?",
                            ": is the batch size divided by twice, or a mean taken for a sum?"),
         "2": (": is a ½ missing, or something counted twice?",
               ": is the 2 of the square's derivative missing, or a ½ too many?")}

SIZES = {"x": "the number of inputs", "y": "the number of outputs", "out": "the number of outputs",
         "o": "the number of outputs"}
SAME = 1e-9                           # relative: what changes by less has not changed
PLACES = 5                            # so many elements are tried


class Vocabulary:
    """Named arrays: `rows`, with a row for each sample; `deltas`, what backward receives; `parameters`, `gradients`.

    `numbers`: {name: value}, what a factor can be; `mixes_columns`: whether an output depends on more than one input;
    `experiment`: a function that finds out what an element of the gradient depends on (`dependence`), or None.
    """

    def __init__(self, deltas=None, parameters=None, numbers=None):
        self.rows, self.deltas, self.gradients = {}, deltas or {}, {}
        self.parameters, self.numbers = parameters or {}, numbers or {}
        self.mixes_columns, self.experiment = False, None

    def names_of(self, c, tolerance=1e-6):
        """Return at most three names of the larger of c and 1/c, all equally simple."""
        c = max(abs(c), 1 / abs(c)) if c else 0.0
        return next(filter(None, ([name for name, value in level.items() if abs(c / value - 1) < tolerance]
                                  for level in self.levels())), [])[:3]

    def levels(self):
        """Yield {name: number}: simple numbers first, then those around, then products that have a natural role.

        A size is natural as it is, squared, or under a root; a setting, such as the weight of a penalty, also doubled
        or halved; a product as that of the batch size with another number.
        Whatever else can be multiplied to give a number is numerology, and explains nothing.
        """
        yield {"1": 1}
        named = {name: value for name, value in self.numbers.items() if value > 0 and value != 1}
        named |= {f"1 / {name}": 1 / value for name, value in named.items() if value < 1 or name.startswith("sigma")}
        yield {"2": 2, "3": 3, "4": 4} | named | {f"{name} squared": value**2 for name, value in named.items()}
        settings = {name: value for name, value in named.items() if name.startswith("1 / ") or value % 1}
        yield ({f"the root of {name}": value**0.5 for name, value in self.numbers.items() if value > 1}
               | {f"2 times {name}": 2 * value for name, value in settings.items()}
               | {f"half {name}": value / 2 for name, value in settings.items()})
        batch = named.get("the batch size")
        factors = {"2 times": 2, "half": 0.5} | {f"{name} times": value for name, value in named.items()}
        yield {f"{factor} the batch size": batch * value for factor, value in factors.items()} if batch else {}

    def called(self, c):
        """Return what the larger of c and 1/c is, as in `, and 7 is the batch size`, "" for a number without a name."""
        number = f"{max(abs(c), 1 / abs(c)):.6g}"
        names = [name for name in self.names_of(c) if name != number]
        return f", and {number} is {', or '.join(names)}" if names else ""

    def multiple(self, c):
        """Return that something is c times what it should be: `is 7 times too large, and 7 is the batch size: ...`."""
        names, large = self.names_of(c), abs(c) > 1
        if "1" in names:
            return "has the wrong sign"
        times = (f"is {max(abs(c), 1 / abs(c)):.6g} times too {'large' if large else 'small'}"
                 + " and has the wrong sign" * (c < 0))
        hint = next((hints[not large] for name, hints in HINTS.items() if name in names), "")
        return times + (self.called(c) + hint if names else ", the same factor in every element")


def of_subject(subject):
    """Return the Vocabulary of all that is around this subject."""
    deltas, given, made = (names.split() for names in subject.words)
    outputs, batch = subject.forward(), [*subject.inputs.values(), *subject.fixed.values()]
    named = dict(zip(given, batch)) | dict(zip(made, outputs))
    words = Vocabulary(deltas=dict(zip(deltas, subject.deltas)), parameters=subject.parameters,
                       numbers=sizes(subject, named, batch))
    if deltas:
        words.mixes_columns = "y" in named and mixes_columns(subject)
        words.rows = rows(subject, named)
        words.gradients = {f"d{name}": window for name, window in subject.windows.items()}
    for owner in (subject.target, *subject.parts.values()):
        attributes = getattr(owner, "__dict__", {})      # with what stands on the class, as setting() keeps it
        attributes = attributes | {name: getattr(owner, name) for name in getattr(owner, "adjustable", ())}
        words.numbers |= {name: float(value) for name, value in attributes.items() if is_number(value)
                          and not name.startswith("_") and name not in ("n_in", "n_out", "size")}
    return words


def rows(subject, named):
    """Return {name: array} of what has a name, what forward keeps, and what mathematics makes of it."""
    found = {}
    if "t" in named and named["o"].shape == named["t"].shape:
        found["(o - t)"] = named["o"] - named["t"]
    found |= {name.split(".")[-1]: array for name, array in caches(subject).items()
              if array.ndim and array.dtype.kind in "fb" and not name.endswith("replay")}
    found |= {name: array for name, array in named.items() if array.dtype.kind == "f"}
    return found | (derivatives(subject.target, named["x"], named["y"]) if "y" in named else {})


def sizes(subject, named, batch):
    """Return {name: number} of all sizes: of batch and named arrays, of a model's parts, of a function's arrays."""
    if not batch:
        return {f"{name}.shape[{axis}]": size for name, array in subject.parameters.items()
                for axis, size in enumerate(array.shape)}
    found = {"the batch size": len(batch[0])} if batch[0].ndim else {}
    found |= {SIZES[name]: array.shape[-1] for name, array in named.items() if name in SIZES and array.ndim}
    if subject.latent:
        found["the number of latent dimensions"] = subject.target.d
    if len(subject.parts) > 1 and "y" not in named:      # a model, or a penalty on a network
        found |= {f"the width of {place}": part.n_out for place, part in subject.parts.items()
                  if getattr(part, "n_out", None)}
        found |= {f"the number of features of {name}": array.shape[1] for name, array in subject.fixed.items()
                  if array.ndim == 2}
    return found


def mixes_columns(subject):
    """Return whether a change of the middle column of x changes another column of y."""
    x = subject.inputs["x"]
    if x.ndim != 2 or subject.deltas[0].shape != x.shape:
        return True
    middle = x.shape[1] // 2
    (y,), (other,) = outputs_when_moved(subject, x, (slice(None), middle), 0.1)
    return not np.array_equal(np.delete(y, middle, axis=1), np.delete(other, middle, axis=1))


def derivatives(layer, x, y):
    """Return φ'(a) and φ'(φ(a)) of an elementwise activation, by name; {} for any other layer."""
    if not hasattr(layer, "derivative") or x.shape != y.shape:
        return {}
    fresh, h = copy.deepcopy(layer), 1e-6 * (np.abs(x).max() or 1)
    slope = (fresh.forward(x + h) - fresh.forward(x - h)) / (2 * h)
    fresh.forward(x.copy())
    gap = np.abs(fresh.derivative() - slope)
    if np.median(gap) > 1e-4 or np.mean(gap > 1e-4) > 0.2:
        return {}                                        # inherited, and of another function than this forward
    here = np.copy(fresh.derivative())
    fresh.forward(y.copy())
    return {"φ'(a)": here, "φ'(φ(a))": np.copy(fresh.derivative())}


def as_rows(array, shape):
    """Return the array broadcast to this shape, a vector of the batch size as a column; None where it does not fit."""
    if array.ndim == 1 and len(shape) == 2 and array.shape == shape[:1] and shape[0] != shape[1]:
        array = array[:, None]
    try:
        return np.broadcast_to(array, shape).astype(np.float64)
    except ValueError:
        return None


def quantities(rows, shape, transforms=TRANSFORMS):
    """Return [(name, array of this shape), ...]: every transform of every row array that fits, each value once.

    Equal arrays stand there under the first name and the second: `mask (= [x > 0])`.
    """
    found = {}
    for (pattern, transform), (name, array) in itertools.product(transforms, rows.items()):
        q = as_rows(array, shape)
        if q is None or pattern != "{}" and "φ" in name:
            continue
        with np.errstate(all="ignore"):
            value = transform(q)
        if np.all(np.isfinite(value)) and np.ptp(value) > 0:
            key = np.round(value / np.abs(value).max(), 11).tobytes()
            found.setdefault(key, []).append((pattern.format(name), value))
    return [(" (= ".join(name for name, _ in same[:2]) + ")" * (len(same) > 1), same[0][1]) for same in found.values()]


# The experiment

def dependence(subject, name, term, mixes_columns):
    """Return whether this gradient and the true one depend on (their own row only, their own place only).

    Return None where that cannot be asked: the gradient is not the same twice, not linear in delta, or of an f that is
    not defined nearby.
    """
    array = subject.inputs.get(name)
    if array is None or array.ndim != 2 or len(array) < 2 or not all_by_sample(subject, len(array)):
        return None
    values, deltas = subject.values(), [delta.copy() for delta in subject.deltas]

    def now(factor=1):
        """Return the gradient for the deltas times this factor; then put everything back."""
        for delta in subject.deltas:
            delta *= factor
        try:
            return np.array(subject.gradients(term)[name], dtype=np.float64)
        finally:
            subject.restore(values)
            for delta, kept in zip(subject.deltas, deltas):
                delta[...] = kept

    try:
        before = now()
        if not (np.array_equal(before, now()) and np.allclose(now(-2), -2 * before, rtol=SAME, atol=0)):
            return None
        mine = tuple(unmoved(subject, now, before, by_row) for by_row in (True, False))
        subject.forward()
        return mine, of_truth(subject, array, mixes_columns)
    except Exception:                                    # the experiment has left the domain of f
        subject.restore(values)
        return None


def unmoved(subject, now, before, by_row):
    """Return whether elements of the gradient now() stay while all other rows, or places, change a little."""
    rng, D, size = np.random.default_rng(0), features(subject), np.abs(before).max(initial=0) or 1.0
    for i in rng.permutation(before.size)[:PLACES]:
        row, column = divmod(int(i), before.shape[1])
        for array in movable(subject):
            own = np.zeros(array.shape, dtype=bool)
            axis = sample_axis(array, len(before))
            np.moveaxis(own, axis, 0)[row] = (by_row or axis == array.ndim - 1
                                              or np.arange(array.shape[-1]) % D == column % D)
            array[~own] *= rng.uniform(0.8, 1.0, np.sum(~own))
        if not abs(now()[row, column] - before[row, column]) <= SAME * size:
            return False
    return True


def of_truth(subject, array, mixes_columns):
    """Return whether the true gradient depends on (its own row only, its own place only): f is then a sum over them."""
    D = features(subject)
    rows = additive(subject, array, (0, slice(None)), (1, slice(None))) and all(
        np.array_equal(*(np.delete(output, len(array) // 2, sample_axis(output, len(array))) for output in pair))
        for pair in zip(*outputs_when_moved(subject, array, len(array) // 2)))           # mixtures can be additive, too
    places = D < 2 or additive(subject, array, (0, 0), (0, 1)) and other_places_stay(subject, array, D)
    return rows, places and not mixes_columns


def outputs_when_moved(subject, array, place, share=0.3):
    """Return the outputs as they are, and with this place of the array larger by a share of its largest number."""
    before, kept = [np.copy(output) for output in subject.forward()], array.copy()
    array[place] += share * (np.abs(kept).max() or 1)
    after = [np.copy(output) for output in subject.forward()]
    array[...] = kept
    subject.forward()
    return before, after


def other_places_stay(subject, array, D):
    """Return whether a change of the first place moves no other place of the outputs: mixtures can be additive, too."""
    moved = [np.flatnonzero(np.any(old != new, axis=tuple(range(old.ndim - 1))))
             for old, new in zip(*outputs_when_moved(subject, array, (slice(None), 0)))
             if sample_axis(old, len(array)) < old.ndim - 1]
    return all(np.all(places % D == 0) for places in moved)


def sample_axis(array, N):
    """Return the axis of the N samples in (N,), (N, D), (K, N, D) of K draws, or (K, N), a number for each of them."""
    return array.ndim - 1 - (array.ndim > 1 and array.shape[-2] == N)


def features(subject):
    """Return how many places a row has: the smallest width, of which others hold two, such as μ and logvar."""
    N = len(next(iter(subject.inputs.values())))
    return min(array.shape[-1] for array in movable(subject) if sample_axis(array, N) < array.ndim - 1)


def movable(subject):
    """Return the arrays that have a row for each sample."""
    return [array for array in (*subject.inputs.values(), *subject.fixed.values(), *subject.deltas)
            if array.dtype.kind == "f"]


def all_by_sample(subject, N):
    """Return whether all that can be moved, and every real delta, has an axis of N samples: the first or the second."""
    return (all(array.ndim and N in array.shape[:2] and array.ndim <= 3 for array in movable(subject))
            and all(delta.dtype.kind != "c" for delta in subject.deltas))


def additive(subject, array, first, second):
    """Return whether f(both moved) - f(one moved) - f(other moved) + f = 0 for two rows, or two places of one row."""
    kept, values = array.copy(), []
    for moved in ((), (first,), (second,), (first, second)):
        for place in moved:
            array[place] += 0.3 * (np.abs(kept).max() or 1)
        values.append(float(np.atleast_1d(subject.value())[0]))
        array[...] = kept
    none, one, other, both = values
    return abs(both - one - other + none) <= SAME * max(map(abs, (none, one, other, both, 1e-300)))
