"""The hypotheses of the diagnosis, in the order in which they are tried: LEVELS, at the end of this file.

Each is a function of a case (one wrong array) and of the vocabulary (what lies about), and gives [(cause, words, factor), ...], empty
when it does not explain the discrepancy to within the error bar.
"""

import numpy as np

from numpyae.gradcheck import vocabulary
from numpyae.gradcheck.verdicts import AGREE, DISAGREE, SAFETY

EXACT = 1e-9                          # relative rounding of what is computed without finite differences
FEW = 6                               # with fewer elements a free constant would fit too much


class Case:
    """One array that is wrong, in the elements that could be judged: `a` yours, `n` the truth, `e` its error, all flat."""

    def __init__(self, shape, values, picked=None):
        judged = (values["verdict"] == AGREE) | (values["verdict"] == DISAGREE)
        if picked is not None:
            judged &= np.isin(values["index"], picked)
        self.not_finite = int(np.sum(judged & ~np.isfinite(values["yours"])))
        judged &= np.isfinite(values["yours"]) & np.isfinite(values["numerical"])
        self.shape = tuple(shape)
        self.index = values["index"][judged]
        self.a, self.n, self.e = values["yours"][judged], values["numerical"][judged], values["error"][judged]
        self.wrong, self.kinked = values["verdict"][judged] == DISAGREE, values["kinked"][judged]
        self.parts = {term: part[judged] for term, part in values.get("by_name", {}).items()}
        self.whole = len(self.index) == np.prod(shape, dtype=int)

    def narrowed(self):
        """The same, with nothing but the wrong elements."""
        case = Case.__new__(Case)
        case.__dict__.update(self.__dict__)
        case.index, case.a, case.n, case.e = (v[self.wrong] for v in (self.index, self.a, self.n, self.e))
        case.parts = {term: part[self.wrong] for term, part in self.parts.items()}
        case.kinked, case.wrong, case.whole = self.kinked[self.wrong], self.wrong[self.wrong], False
        return case

    def at(self, array):
        """The elements of an array of the whole shape."""
        return np.asarray(array, dtype=np.float64).reshape(-1)[self.index]

    def fits(self, candidate, error, target=None):
        """Is `candidate` the target, what backward gives unless another is given, to within this error and rounding?"""
        target = self.a if target is None else target
        return bool(np.all(np.abs(target - candidate) <= SAFETY * error + EXACT * np.abs(candidate).max(initial=0)))

    def constant(self, basis, error, target=None):
        """c such that target = c basis to within |c| error, or None; target is `a` unless given."""
        target = self.a if target is None else target
        size = np.abs(basis)
        if not size.size or not size.max() > 0:
            return None
        sure = size > 0.1 * size.max()
        c = float(np.median(target[sure] / basis[sure]))
        slack = SAFETY * (abs(c) * error + (0 if target is self.a else self.e)) + EXACT * np.maximum(np.abs(target), abs(c) * size).max()
        slack = slack + size * SAFETY * abs(c) * np.max(error / size.max())
        good = np.isfinite(c) and c != 0 and np.all(np.abs(target - c * basis) <= slack)
        return c if good else None


def is_off_a_kink(case, words):
    """Wrong on kinks only: no slope between the one to the left and the one to the right."""
    if not np.all(case.kinked[case.wrong]):
        return []
    i = int(np.argmax(case.wrong))
    return [("kink", f"is wrong only where f has a kink: backward gives {case.a[i]:.6g}, the slopes to the left and to the right are "
             f"{case.n[i] - case.e[i]:.6g} and {case.n[i] + case.e[i]:.6g}, and only what lies between is right", None)]


def is_zero(case, words):
    """Nothing there."""
    nothing = np.abs(case.a) <= 1e-13 * np.abs(case.n).max(initial=0)
    if (case.wrong.sum() > 1 or not case.shape) and np.all(nothing[case.wrong]) and np.all(case.wrong | nothing):
        return [("zero", "is 0 everywhere" + (", up to rounding" if np.any(case.a) else ": backward never computes it"), None)]
    return []


def is_a_multiple(case, words):
    """The right gradient times a number, everywhere or in the elements that are wrong."""
    for one in (case, case.narrowed()):
        c = one.constant(one.n, one.e)
        if c is None or abs(c - 1) < 1e-6:
            continue
        names = names_of(c, words)
        if not names and one.wrong.sum() < FEW:
            continue
        where = "" if one is case else f"in {case.wrong.sum()} of {len(case.a)} elements ({stretch(case)}) "
        if abs(c + 1) < 1e-6:
            return [("sign", f"{where}has the wrong sign", -1.0)]
        return [("factor", where + multiple(c, names), c)]
    return []


def multiple(c, names):
    """`is 7 times too large, and 7 is the batch size: ...`."""
    sign = " and has the wrong sign" if c < 0 else ""
    c = abs(c)
    number = f"{max(c, 1 / c):.6g}"
    size = f"is {number} times too {'large' if c > 1 else 'small'}{sign}"
    if not names:
        return f"{size}, the same factor in every element"
    meaning = ", or ".join(name for name in names if name != number)
    hint = ""
    if "the batch size" in names:
        hint = ": is the mean over the batch missing?" if c > 1 else ": is the batch size divided by twice, or a mean taken for a sum?"
    elif number == "2":
        hint = ": is a ½ missing, or something counted twice?" if c > 1 else ": is the 2 of the square's derivative missing, or a ½ too many?"
    return size + (f", and {number} is {meaning}" if meaning else "") + hint


def names_of(c, words, tolerance=1e-6):
    """What the larger of c and 1/c equals: a simple number, one of those that lie about, or a product of two of them."""
    if c == 0:
        return []
    c = max(abs(c), 1 / abs(c))

    def close(value):
        return value > 0 and abs(c / value - 1) < tolerance

    if close(1):
        return ["1"]
    named = {name: value for name, value in words.numbers.items() if value > 0 and value != 1}
    named |= {f"1 / {name}": 1 / value for name, value in named.items()}
    names = [f"{k}" for k in (2, 3, 4) if close(k)]
    names += [name for name, value in named.items() if close(value)]
    names += [f"{name} squared" for name, value in named.items() if close(value**2)]
    if not names:
        names = [f"2 times {name}" for name, value in named.items() if close(2 * value)]
        names += [f"half {name}" for name, value in named.items() if close(value / 2)]
        items = list(named.items())
        names += [f"{p} times {q}" for i, (p, u) in enumerate(items) for q, v in items[i + 1:] if close(u * v)]
    return names[:3]


def called(c, words):
    """`, and 7 is the batch size`: what the larger of c and 1/c is, "" for a number without a name."""
    number = f"{max(abs(c), 1 / abs(c)):.6g}"
    names = [name for name in names_of(c, words) if name != number]
    return f", and {number} is {', or '.join(names)}" if names else ""


def stretch(case):
    """Which elements are wrong, in words."""
    at = np.array(np.unravel_index(case.index[case.wrong], case.shape)).T
    rest = np.array(np.unravel_index(case.index[~case.wrong], case.shape)).T
    for axis, word in enumerate(("row", "column")[:at.shape[1]]):
        lines = sorted(set(at[:, axis]))
        if not set(lines) & set(rest[:, axis]):
            return f"{word}{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:5]))}{' ...' if len(lines) > 5 else ''}"
    return f"at {at[0].tolist()}" if len(at) == 1 else f"the first at {at[0].tolist()}"


def should_be_zero(case, words):
    """Right but for elements where f is flat, or for elements that are left at 0."""
    if case.wrong.sum() > 1 and not np.any(case.a[case.wrong]):
        cause = "axes" if stretch(case).startswith(("row", "column")) else "elementwise"
        return [(cause, f"is 0 in {case.wrong.sum()} of {len(case.a)} elements ({stretch(case)}), and right elsewhere", None)]
    if case.wrong.sum() < len(case.wrong) and np.all(np.abs(case.n[case.wrong]) <= SAFETY * case.e[case.wrong]):
        return [("elementwise", f"is not 0 in {case.wrong.sum()} of {len(case.a)} elements ({stretch(case)}) where the truth is 0, and "
                 "right elsewhere: is something clipped or masked in forward, and not in backward?", None)]
    return []


def is_transposed(case, words):
    """W where Wᵀ belongs, in a square array or by reshape."""
    if case.whole and len(case.shape) == 2:
        truth = case.n.reshape(case.shape)
        if case.fits(truth.T.ravel(), case.e.max()) and min(case.shape) > 1:
            square = case.shape[0] == case.shape[1]
            return [("transposed", "is the transpose of what it should be" if square else
                     "holds the right numbers in the order of the transpose: was it reshaped instead of transposed?", None)]
    return []


def is_a_wrong_sum(case, words):
    """One number broadcast, or the sum over other axes."""
    if not case.whole:
        return []
    truth, yours = case.n.reshape(case.shape), case.a.reshape(case.shape)
    over = [(None, "all its elements")] if truth.size > 1 else []
    over += [(0, "its first axis"), (1, "its second axis")] if truth.ndim == 2 and min(truth.shape) > 1 else []
    for axis, name in over:
        for word, sums in (("sum", np.sum), ("mean", np.mean)):
            candidate = np.broadcast_to(sums(truth, axis=axis, keepdims=True), case.shape)
            if np.abs(candidate).max() > 1e-6 * np.abs(truth).max() and case.fits(candidate.ravel(), case.e.sum()):
                return [("axes", f"holds the {word} over {name} in every place: it is summed over too many axes", None)]
    deltas = [(name, array) for name, array in words.deltas.items() if array.ndim == 2]
    if yours.ndim == 1:
        for name, delta in deltas:
            for rows, word in ((delta[:1], "of the first sample only"), (delta[-1:], "of the last sample only"),
                               (delta.T, "summed over the features, not over the samples")):
                total = rows.sum(axis=0)
                if total.shape == yours.shape and len(delta) > 1 and case.fits(total, EXACT):
                    return [("axes", f"is {name} {word}", None)]
    pairs = [(f"{name}ᵀ {delta_name}", x, delta) for name, x in words.rows.items() for delta_name, delta in deltas
             if x.shape[1:] + delta.shape[1:] == case.shape and len(x) == len(delta) > 1]
    for name, x, delta in pairs:
        for one, word in ((0, "first"), (-1, "last")):
            if case.fits(np.outer(x[one], delta[one]).ravel(), EXACT):
                return [("axes", f"is {name} of the {word} sample only", None)]
    return []


def lacks_a_term(case, words):
    """A named term of the loss is missing, doubled, or of the wrong sign."""
    found = []
    for term, part in case.parts.items():
        c = case.constant(part, case.e, case.a - case.n)
        if c is not None and len(case.a) > 1:
            how = {-1.0: f"misses the gradient of the term {term}", 1.0: f"has the gradient of the term {term} twice",
                   -2.0: f"has the gradient of the term {term} with the wrong sign"}.get(round(c, 6))
            how = how or f"has the gradient of the term {term} times {1 + c:.6g}" + (called(c + 1, words) if c > -1 else "")
            found.append(("term", how, None))
    return found


def has_a_factor(case, words):
    """n q or n / q for what lies about: a derivative or a mask forgotten or too many."""
    return factors(case, words, vocabulary.quantities(words.rows, case.shape, vocabulary.PLAIN))


def has_any_factor(case, words):
    """The same for whatever can be made of it."""
    return factors(case, words, vocabulary.quantities(words.rows, case.shape))


def factors(case, words, candidates):
    """The findings of n q and n / q for each of these quantities."""
    found = []
    for name, q in candidates:
        q = case.at(q)
        with np.errstate(all="ignore"):
            for candidate, word in ((case.n * q, f"has a factor {name} too many, or lacks a division by it"),
                                    (case.n / q, f"lacks the factor {name}")):
                error = np.abs(candidate / np.where(case.n == 0, np.inf, case.n)) * case.e
                if np.all(np.isfinite(candidate)) and np.ptp(candidate) > 0:
                    c = case.constant(candidate, error)
                    if c is not None and names_of(c, words):
                        found.append(("elementwise", word + times(c, words), None))
        if not np.any(case.a[q == 0]) and np.any(case.n[q == 0]) and case.fits(np.where(q == 0, 0, case.n), case.e):
            found.append(("elementwise", f"is 0 wherever {name} is 0, and right elsewhere", None))
        elif np.any(q == 0) and lost_mask(case, q):
            found.append(("elementwise", f"lacks the factor {name}: it lets through what {name} stops", None))
    return sorted(found, key=lambda one: " and a factor " in one[1])


def lost_mask(case, q):
    """n = a q for a q with zeros: the truth is known from a, not the other way round."""
    c = case.constant(case.a * q, 0 * case.e, case.n)
    return c is not None and abs(abs(c) - 1) < 1e-6


def times(c, words):
    """What is left besides: a sign, or a number that has a name."""
    if abs(c - 1) < 1e-6:
        return ""
    return " and a factor -1" if abs(c + 1) < 1e-6 else f" and a factor {c:.6g}" + f" ({', or '.join(names_of(c, words))})"


def is_something_else(case, words):
    """A quantity that delta does not multiply."""
    for name, q in vocabulary.quantities(words.rows, case.shape, vocabulary.PLAIN):
        c = case.constant(case.at(q), 0 * case.e)
        if c is not None and is_simple(c, words) and len(case.a) >= FEW:
            return [("operand", f"is {'' if abs(c - 1) < 1e-6 else f'{c:.6g} times '}{name}, whatever delta is", None)]
    return []


def is_another_expression(case, words):
    """delta q, where the truth is delta times something else, or mixes the columns of delta."""
    found, truth = [], expression(case, words, case.n, case.e)
    yours = expression(case, words, case.a, 0 * case.e)
    if yours is not None and truth is not None:
        found.append(("elementwise", f"is {yours}, where finite differences say {truth}", None))
    elif yours is not None and words.coupled:
        found.append(("diagonal", f"is {yours}: it takes each output by itself, as if the Jacobian were diagonal; the truth mixes the "
                      f"outputs of {next(iter(words.deltas))}", None))
    elif yours is not None:
        found = misses_a_summand(case, words) or [("elementwise", f"is {yours}, which is not what finite differences say", None)]
    return found


def expression(case, words, target, error):
    """`c delta q` that equals target, in words; None where there is none."""
    for delta_name, delta in words.deltas.items():
        delta = vocabulary.as_rows(delta, case.shape)
        if delta is None:
            continue
        delta = case.at(delta)
        for name, q in [("", np.ones(len(case.a))), *((name, case.at(q)) for name, q in vocabulary.quantities(words.rows, case.shape))]:
            c = case.constant(delta * q, 0 * case.e, target) if np.ptp(delta * q) > 0 else None
            if c is not None and names_of(c, words):
                return f"{'' if abs(c - 1) < 1e-6 else '-' if abs(c + 1) < 1e-6 else f'{c:.6g} '}{delta_name} {name}".strip()
    return None


def misses_a_summand(case, words):
    """a - n is a quantity, alone or times delta, or a parameter."""
    found, d = [], case.a - case.n
    if len(d) >= 3 and case.wrong.all() and np.ptp(case.n) > 0 and np.all(np.abs(d - d[0]) <= SAFETY * case.e + EXACT * np.abs(d).max()):
        if is_simple(d[0], words):
            return [("term", f"is off by the same number, {d[0]:.6g}, in every element{called(d[0], words)}: a summand is missing "
                     "or too many", None)]
        return [("not zeroed", f"is off by the same number, {d[0]:.6g}, in every element: does it start from zero?", None)]
    bases = [(f"{delta_name} {name}".strip(), case.at(delta) * q) for delta_name, delta in fitting(words.deltas, case)
             for name, q in [("", 1.0), *((name, case.at(q)) for name, q in vocabulary.quantities(words.rows, case.shape))]]
    bases += [(name, case.at(q)) for name, q in vocabulary.quantities(words.rows, case.shape)]
    bases += [(name, case.at(array)) for name, array in words.parameters.items() if array.shape == case.shape]
    for name, basis in bases:
        c = case.constant(basis, 0 * case.e, d) if np.ptp(basis) > 0 else None
        if c is not None and (is_simple(c, words) or (len(d) >= FEW and name in words.parameters)):
            missing = c < 0 or "(1 - " in name           # 1 - q too many is also a q - 1 that is missing
            found.append(("term", f"is off by {'' if abs(abs(c) - 1) < 1e-6 else f'{abs(c):.6g} '}{name}: a summand is "
                          + ("missing or has the wrong sign" if missing else "too many"), None))
        elif c is not None and len(d) >= FEW and (is_simple(1 + c, words) or is_simple(1 - c, words)):
            times = 1 + c if is_simple(1 + c, words) else 1 - c
            found.append(("term", f"is off by {c:.6g} {name}, as if it lacked a factor {times:.6g}, or had one too many"
                          + called(times, words), None))
    return found[:2]


def is_simple(c, words):
    """Whether this number is ±1, or has a name."""
    return bool(names_of(c, words))


def misses_a_scaled_parameter(case, words):
    """a - n is a parameter times one number for each of its columns, or rows: the gradient of a penalty, such as W Σ φ'²."""
    if not case.whole or len(case.shape) != 2 or min(case.shape) < 3:
        return []
    d = (case.a - case.n).reshape(case.shape)
    for name, W in words.parameters.items():
        for axis, word in ((0, "column"), (1, "row")):
            if W.shape == case.shape and np.any(W, axis=axis).all():
                v = np.sum(d * W, axis=axis, keepdims=True) / np.sum(W * W, axis=axis, keepdims=True)
                if np.all(np.abs(d - v * W) <= SAFETY * case.e.max() + EXACT * np.abs(d).max()):
                    return [("term", f"is off by {name} times one number for each {word} ({', '.join(f'{u:.4g}' for u in v.ravel()[:4])} "
                             "...): a summand of this form, such as the gradient of a penalty, is missing or wrong", None)]
    return []


def fitting(deltas, case):
    """The deltas that have this shape, or can be broadcast to it."""
    return [(name, array) for name, delta in deltas.items() if (array := vocabulary.as_rows(delta, case.shape)) is not None]


def is_another_product(case, words):
    """The gradient of a parameter, or dx, from products of the wrong arrays; or off by such a product."""
    if not case.whole:
        return []
    found = []
    truth = next((name for name, product in products(case.shape, words) if case.fits(product.ravel(), case.e, case.n)), None)
    for name, product in products(case.shape, words):
        if case.fits(product.ravel(), 0 * case.e):
            belongs = f"where {truth} belongs" if truth else "which is not what finite differences say"
            found.append(("operand", f"is {name}, {belongs}", None))
    summands = []
    for name, product in products(case.shape, words) if truth is None or not found else ():
        c = case.constant(product.ravel(), 0 * case.e, case.a - case.n)
        if c is not None and names_of(c, words, 1e-8 if case.a.size < FEW else 1e-6):
            summands.append(("term", f"is off by {c:.6g} times {name}: a summand is {'missing' if c < 0 else 'too many'}", None))
        elif c is not None and c > -1 and case.a.size >= FEW and is_simple(1 + c, words):
            summands.append(("term", f"has {name} {1 + c:.6g} times in it, where once is right{called(1 + c, words)}", None))
    return (summands or found)[:2]


def products(shape, words):
    """(name, array of this shape) of sums over samples, matrix products and such, of what lies about."""
    rows = [(name, array) for name, array in {**words.deltas, **words.rows}.items() if array.ndim == 2 and array.dtype.kind == "f"]
    rows += [(f"({delta_name} {name})", delta * q) for delta_name, delta in words.deltas.items() if delta.ndim == 2
             for name, q in vocabulary.quantities(words.rows, delta.shape, vocabulary.TRANSFORMS[:5])]
    columns = [(name, array) for name, array in {**words.deltas, **words.rows}.items() if array.ndim == 1 and array.dtype.kind == "f"]
    if len(shape) == 2:
        for left, p in rows:
            for right, q in rows:
                if (p.shape[1], q.shape[1]) == shape and len(p) == len(q):
                    yield f"{left}ᵀ {right}", p.T @ q
            for right, W in {**words.parameters, **words.gradients}.items():
                for word, M in ((right, W), (f"{right}ᵀ", W.T)):
                    if W.ndim == 2 and p.shape[1] == M.shape[0] and (len(p), M.shape[1]) == shape:
                        yield f"{left} {word}", p @ M
                    if W.ndim == 2 and M.shape[1] == len(p) and (len(M), p.shape[1]) == shape:
                        yield f"{word} {left}", M @ p
    if len(shape) == 1:
        for left, p in rows:
            if p.shape[1:] == shape:
                yield f"Σ_n {left}", p.sum(axis=0)
                for right, q in rows:
                    if q.shape == p.shape:
                        yield f"Σ_n {left} {right}", (p * q).sum(axis=0)
    if len(shape) == 0:
        everything = rows + columns
        for left, p in everything:
            yield f"Σ {left}", np.array(p.sum())
            for right, q in everything:
                if q.shape == p.shape:
                    yield f"Σ {left} {right}", np.array((p * q).sum())


def has_another_factor(case, words):
    """n times one quantity over another: one cached name in the place of another."""
    wide = [(name, case.at(q)) for name, q in vocabulary.quantities(words.rows, case.shape)]
    wide += [(name, case.at(q)) for name, q in fitting(words.deltas, case)]
    with np.errstate(all="ignore"):
        ratio = case.a / case.n
        sure = np.isfinite(ratio) & (np.abs(case.n) > 100 * case.e) & (np.abs(case.n) > 1e-6 * np.abs(case.n).max(initial=0))
        if sure.sum() < FEW or not wide:
            return []
        logs = np.array([np.log(np.abs(q[sure])) for _, q in wide]).reshape(len(wide), -1)
        target = np.log(np.abs(ratio[sure]))
    with np.errstate(all="ignore"):
        close = np.abs(logs[:, None, :2] - logs[None, :, :2] - target[:2]).max(axis=2) < 1e-6
    found = []
    for i, j in np.argwhere(close):
        with np.errstate(all="ignore"):
            candidate = case.n * wide[i][1] / wide[j][1]
            error = np.abs(wide[i][1] / wide[j][1]) * case.e
        for sign in (1, -1):
            if i != j and np.all(np.isfinite(candidate)) and case.fits(sign * candidate, error):
                found.append(("elementwise", f"is {'-' if sign < 0 else ''}{wide[i][0]} / {wide[j][0]} times what it should be: one stands "
                              "where the other belongs", None))
    return found[:1]


def mixes_wrong_axes(case, words):
    """a - n is a wrong sum inside: of delta t over other axes, as a mean, or with a factor t too few."""
    if not case.whole or len(case.shape) != 2:
        return []
    d = case.a - case.n
    for cause, sentence, off in wrong_sums(case, words):
        c = case.constant(off.ravel(), 0 * case.e, d)
        if c is not None and abs(abs(c) - 1) < 1e-6:
            return [(cause, sentence, None)]
    return []


def wrong_sums(case, words):
    """(cause, sentence, by how much the gradient is off), for sums of delta t over the features, with a factor t, or none, outside."""
    ones = [("", np.ones(case.shape))]
    inner = ones + vocabulary.quantities(words.rows, case.shape)
    for delta_name, delta in fitting(words.deltas, case):
        for name, t in inner:
            summand = f"{delta_name} {name}".strip()
            right = np.sum(delta * t, axis=1, keepdims=True)
            for outer in (np.ones(case.shape), t):
                for word, cause, total in (("over the samples", "axes", np.sum(delta * t, axis=0, keepdims=True)),
                                           ("over both axes", "axes", np.sum(delta * t, keepdims=True)),
                                           ("as a mean", "term", right / t.shape[1])):
                    yield cause, f"has {summand} summed {word}, where it must be summed over the features", outer * (right - total)
                yield "elementwise", (f"has Σ {delta_name} in it where Σ {summand} belongs, or the other way round: a factor inside the "
                                      "sum is missing, or too many"), outer * (np.sum(delta, axis=1, keepdims=True) - right)
                yield "diagonal", f"is off by Σ {summand}: the part of the Jacobian that couples the outputs is not right", outer * right


def has_other_rounding(case, words):
    """As exact as float32, and no more."""
    size, gap = np.abs(case.n).max(initial=0), np.abs(case.a - case.n)
    often = case.wrong.sum() >= max(2, 0.25 * len(case.wrong))
    if size and often and np.all(gap <= 4 * np.finfo(np.float32).eps * size) and np.median(
            gap[case.wrong] / np.abs(case.n[case.wrong])) < 1e-4:
        return [("precision", "is right to the seven digits of float32, and no further: is something cast on the way, or is a small constant in one "
                 "pass only?", None)]
    return []


def depends_on_others(case, words):
    """What no formula explains, an experiment may: samples that are mixed, or a local derivative with a wrong formula."""
    known = words.locality() if words.locality else None
    if known is None:
        return []
    (my_row, my_place), (true_row, true_place) = known
    if true_row and not my_row:
        return [("axes", "depends at one sample on the other samples, and should not: something is summed, or read, along the wrong axis",
                 None)]
    if true_place and my_place:
        i = int(np.argmax(case.wrong * np.abs(case.a - case.n)))
        at = [int(k) for k in np.unravel_index(case.index[i], case.shape)]
        where = "" if case.wrong.all() else f" in {case.wrong.sum()} of {len(case.a)} elements"
        return [("elementwise", f"has a wrong local derivative{where}, and no axes are mixed up: at {at} yours is {case.a[i]:.6g}, the truth "
                 f"{case.n[i]:.6g}", None)]
    if true_place and my_row:
        return [("operand", "depends at one place on other places of the same sample, and should not: another array stands where this "
                 "element's own belongs", None)]
    return []


LEVELS = (is_off_a_kink, is_zero, has_other_rounding, is_a_multiple, is_transposed, is_a_wrong_sum, lacks_a_term, has_a_factor,
          should_be_zero, is_something_else, is_another_expression, has_any_factor, misses_a_summand, misses_a_scaled_parameter,
          is_another_product, has_another_factor, mixes_wrong_axes, depends_on_others)
