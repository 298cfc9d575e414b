"""The hypotheses of the diagnosis, in the order in which they are tried: LEVELS, at the end of this file.

Each is a function of a case (one wrong array) and of the vocabulary (what lies about). It returns [(cause, words, factor), ...], which is
empty when it does not explain the discrepancy to within the error bar.
"""

import itertools

import numpy as np

from numpyae.gradcheck.case import EXACT
from numpyae.gradcheck.sentences import coefficient, multiple
from numpyae.gradcheck.verdicts import SAFETY
from numpyae.gradcheck.vocabulary import PLAIN, TRANSFORMS, as_rows, quantities

FEW = 6                               # with fewer elements a free constant would fit too much


def is_off_a_kink(case, words):
    """Only elements on kinks are wrong: no slope between the one to the left and the one to the right."""
    if not np.all(case.kinked[case.wrong]):
        return []
    i = int(np.argmax(case.wrong))
    return [("kink", f"is wrong only where f has a kink: backward gives {case.yours[i]:.6g}, the slopes to the left and to the right "
             f"are {case.truth[i] - case.error[i]:.6g} and {case.truth[i] + case.error[i]:.6g}, and only what lies between is right",
             None)]


def is_zero(case, words):
    """Nothing is there."""
    nothing = np.abs(case.yours) <= 1e-13 * np.abs(case.truth).max(initial=0)
    if (case.wrong.sum() > 1 or not case.shape) and np.all(nothing[case.wrong]) and np.all(case.wrong | nothing):
        return [("zero", "is 0 everywhere" + (", up to rounding" if np.any(case.yours) else ": backward never computes it"), None)]
    return []


def has_other_rounding(case, words):
    """It is as exact as float32, and no more."""
    size, gap = np.abs(case.truth).max(initial=0), np.abs(case.yours - case.truth)
    often = case.wrong.sum() >= max(2, 0.25 * len(case.wrong))
    if size and often and np.all(gap <= 4 * np.finfo(np.float32).eps * size) and np.median(
            gap[case.wrong] / np.abs(case.truth[case.wrong])) < 1e-4:
        return [("precision", "is right to the seven digits of float32, and no further: is something cast on the way, or is a small "
                 "constant in one pass only?", None)]
    return []


def is_nearly_right(case, words):
    """It is off by a small part of the largest element."""
    part = np.max(np.abs(case.yours - case.truth)) / (np.max(np.abs(case.truth)) or 1)
    if part < 1e-4:
        return [("precision", f"is right but for a part of {part:.0e}: is a small number added where none belongs, or are digits "
                 "lost?", None)]
    return []


def is_a_multiple(case, words):
    """It is the truth times a number, everywhere or in the elements that are wrong."""
    for one in (case, case.narrowed()):
        c = one.constant(one.truth, one.error)
        if c is None or abs(c - 1) < 1e-6:
            continue
        names = words.names_of(c)
        if not names and one.wrong.sum() < FEW:
            continue
        where = "" if one is case else f"{case.share()} ({case.stretch()}) "
        if abs(c + 1) < 1e-6:
            return [("sign", f"{where}has the wrong sign", -1.0)]
        return [("factor", where + multiple(c, names), c)]
    return []


def is_transposed(case, words):
    """W stands where Wᵀ belongs, in a square array or by reshape."""
    if not case.whole or len(case.shape) != 2 or min(case.shape) < 2:
        return []
    if not case.fits(case.truth.reshape(case.shape).T.ravel(), case.error.max()):
        return []
    square = case.shape[0] == case.shape[1]
    return [("transposed", "is the transpose of what it should be" if square else
             "holds the right numbers in the order of the transpose: was it reshaped instead of transposed?", None)]


def is_a_wrong_sum(case, words):
    """One number stands in every place, or the sum is over other axes."""
    if not case.whole:
        return []
    for sentence, candidate, error in (*spread_sums(case), *sums_of_one_sample(case, words)):
        if case.fits(candidate.ravel(), error):
            return [("axes", sentence, None)]
    return []


def spread_sums(case):
    """Yield (sentence, array, error): the truth summed over too many axes, in every place."""
    truth = case.truth.reshape(case.shape)
    over = [(None, "all its elements")] if truth.size > 1 else []
    over += [(0, "its first axis"), (1, "its second axis")] if truth.ndim == 2 and min(truth.shape) > 1 else []
    for (axis, name), (word, of) in itertools.product(over, (("sum", np.sum), ("mean", np.mean))):
        candidate = np.broadcast_to(of(truth, axis=axis, keepdims=True), case.shape)
        if np.abs(candidate).max() > 1e-6 * np.abs(truth).max():
            yield f"holds the {word} over {name} in every place: it is summed over too many axes", candidate, case.error.sum()


def sums_of_one_sample(case, words):
    """Yield (sentence, array, error): delta or a product xᵀ delta of a single sample, and delta summed over the features."""
    deltas = [(name, delta) for name, delta in words.deltas.items() if delta.ndim == 2 and len(delta) > 1]
    for name, delta in deltas:
        for rows, word in ((delta[:1], "of the first sample only"), (delta[-1:], "of the last sample only"),
                           (delta.T, "summed over the features, not over the samples")):
            if rows.shape[1:] == case.shape:
                yield f"is {name} {word}", rows.sum(axis=0), EXACT
    for (name, x), (delta_name, delta) in itertools.product(words.rows.items(), deltas):
        if x.shape[1:] + delta.shape[1:] == case.shape and len(x) == len(delta):
            for one, word in ((0, "first"), (-1, "last")):
                yield f"is {name}ᵀ {delta_name} of the {word} sample only", np.outer(x[one], delta[one]), EXACT


def lacks_a_term(case, words):
    """A named term of the loss is missing, doubled, or of the wrong sign."""
    if len(case.yours) < 2:
        return []
    found = []
    for term, c in case.multiples(case.terms.items(), case.error, case.yours - case.truth):
        how = {-1.0: f"misses the gradient of the term {term}", 1.0: f"has the gradient of the term {term} twice",
               -2.0: f"has the gradient of the term {term} with the wrong sign"}.get(round(c, 6))
        how = how or f"has the gradient of the term {term} times {1 + c:.6g}" + (words.called(c + 1) if c > -1 else "")
        found.append(("term", how, None))
    return found


def has_a_factor(case, words):
    """A derivative or a mask that lies about is forgotten, or too many."""
    return factors(case, words, PLAIN)


def has_any_factor(case, words):
    """A factor is forgotten or too many, of all that can be made of what lies about."""
    return factors(case, words, TRANSFORMS)


def factors(case, words, transforms):
    """The findings of truth q and truth / q, for each of these quantities."""
    found = []
    for name, q in quantities(words.rows, case.shape, transforms):
        q = case.at(q)
        with np.errstate(all="ignore"):
            candidates = ((case.truth * q, f"has a factor {name} too many, or lacks a division by it"),
                          (case.truth / q, f"lacks the factor {name}"))
        for candidate, sentence in candidates:
            c = constant_of_a_factor(case, candidate)
            if c is not None and words.names_of(c):
                found.append(("elementwise", sentence + times(c, words), None))
        if not np.any(case.yours[q == 0]) and np.any(case.truth[q == 0]) and case.fits(np.where(q == 0, 0, case.truth), case.error):
            found.append(("elementwise", f"is 0 wherever {name} is 0, and right elsewhere", None))
        elif np.any(q == 0) and lost_mask(case, q):
            found.append(("elementwise", f"lacks the factor {name}: it lets through what {name} stops", None))
    return sorted(found, key=lambda one: " and a factor " in one[1])


def constant_of_a_factor(case, candidate):
    """Return c such that yours is c times this product of the truth, whose error grows with it, or None."""
    if not (np.all(np.isfinite(candidate)) and np.ptp(candidate) > 0):
        return None
    with np.errstate(all="ignore"):
        return case.constant(candidate, np.abs(candidate / np.where(case.truth == 0, np.inf, case.truth)) * case.error)


def lost_mask(case, q):
    """Whether truth = yours q for a q with zeros: the truth is known from yours, not the other way round."""
    c = case.constant(case.yours * q, 0 * case.error, case.truth)
    return c is not None and abs(abs(c) - 1) < 1e-6


def times(c, words):
    """What is left besides: a sign, or a number that has a name."""
    if abs(c - 1) < 1e-6:
        return ""
    return " and a factor -1" if abs(c + 1) < 1e-6 else f" and a factor {c:.6g} ({', or '.join(words.names_of(c))})"


def should_be_zero(case, words):
    """It is right but for elements where f is flat, or for elements that are left at 0."""
    if case.wrong.sum() > 1 and not np.any(case.yours[case.wrong]):
        cause = "axes" if case.stretch().startswith(("row", "column")) else "elementwise"
        return [(cause, f"is 0 {case.share()} ({case.stretch()}), and right elsewhere", None)]
    if case.wrong.sum() < len(case.wrong) and np.all(np.abs(case.truth[case.wrong]) <= SAFETY * case.error[case.wrong]):
        return [("elementwise", f"is not 0 {case.share()} ({case.stretch()}) where the truth is 0, and right elsewhere: is something "
                 "clipped or masked in forward, and not in backward?", None)]
    return []


def is_something_else(case, words):
    """It is a quantity that delta does not multiply."""
    if len(case.yours) < FEW:
        return []
    bases = ((name, case.at(q)) for name, q in quantities(words.rows, case.shape, PLAIN))
    found = (("operand", f"is {coefficient(c)}{name}, whatever delta is", None)
             for name, c in case.multiples(bases) if words.names_of(c))
    return list(itertools.islice(found, 1))


def is_another_expression(case, words):
    """It is delta q, where the truth is delta times something else, or mixes the columns of delta."""
    yours = expression(case, words, case.yours)
    if yours is None:
        return []
    truth = expression(case, words, case.truth)
    if truth is not None:
        return [("elementwise", f"is {yours}, where finite differences say {truth}", None)]
    if words.mixes_columns:
        return [("diagonal", f"is {yours}: it takes each output by itself, as if the Jacobian were diagonal; the truth mixes the "
                 f"outputs of {next(iter(words.deltas))}", None)]
    return misses_a_summand(case, words) or [("elementwise", f"is {yours}, which is not what finite differences say", None)]


def expression(case, words, target):
    """`c delta q` that equals target, in words; None where there is none."""
    for name, c in case.multiples(times_delta(case, words), 0.0, target):
        if words.names_of(c):
            return coefficient(c) + name
    return None


def times_delta(case, words):
    """Yield (name, elements) of each delta alone and times each quantity."""
    for delta_name, delta in fitting(words.deltas, case):
        for name, q in [("", 1.0), *quantities(words.rows, case.shape)]:
            if np.ptp(product := case.at(delta * q)) > 0:
                yield f"{delta_name} {name}".strip(), product


def fitting(arrays, case):
    """The arrays that have this shape, or can be broadcast to it, by name."""
    return [(name, wide) for name, array in arrays.items() if (wide := as_rows(array, case.shape)) is not None]


def misses_a_summand(case, words):
    """Yours minus the truth is a number, a quantity, alone or times delta, or a parameter."""
    off = case.yours - case.truth
    if len(off) > 2 and case.wrong.all() and np.ptp(case.truth) > 0 and np.all(
            np.abs(off - off[0]) <= SAFETY * case.error + EXACT * np.abs(off).max()):
        same = f"is off by the same number, {off[0]:.6g}, in every element"
        if words.names_of(off[0]):
            return [("term", f"{same}{words.called(off[0])}: a summand is missing or too many", None)]
        return [("not zeroed", f"{same}: does it start from zero?", None)]
    found = []
    alone = quantities(words.rows, case.shape) + [(name, W) for name, W in words.parameters.items() if W.shape == case.shape]
    alone = [(name, case.at(array)) for name, array in alone]
    bases = [*times_delta(case, words), *((name, basis) for name, basis in alone if np.ptp(basis) > 0)]
    for name, c in case.multiples(bases, 0.0, off):
        factor = next((factor for factor in (1 + c, 1 - c) if words.names_of(factor)), None)
        if words.names_of(c) or (len(off) >= FEW and name in words.parameters):
            missing = c < 0 or "(1 - " in name           # 1 - q too many is also a q - 1 that is missing
            found.append(("term", f"is off by {coefficient(abs(c))}{name}: a summand is "
                          + ("missing or has the wrong sign" if missing else "too many"), None))
        elif len(off) >= FEW and factor is not None:
            found.append(("term", f"is off by {c:.6g} {name}, as if it lacked a factor {factor:.6g}, or had one too many"
                          + words.called(factor), None))
    return found[:2]


def misses_a_scaled_parameter(case, words):
    """Yours minus the truth is a parameter times one number for each column, or row: the gradient of a penalty, such as W Σ φ'²."""
    if not case.whole or len(case.shape) != 2 or min(case.shape) < 3:
        return []
    off = (case.yours - case.truth).reshape(case.shape)
    same_shape = [(name, W) for name, W in words.parameters.items() if W.shape == case.shape]
    for (name, W), (axis, word) in itertools.product(same_shape, ((0, "column"), (1, "row"))):
        if np.any(W, axis=axis).all():
            v = np.sum(off * W, axis=axis, keepdims=True) / np.sum(W * W, axis=axis, keepdims=True)
            if np.all(np.abs(off - v * W) <= SAFETY * case.error.max() + EXACT * np.abs(off).max()):
                return [("term", f"is off by {name} times one number for each {word} ({', '.join(f'{u:.4g}' for u in v.ravel()[:4])} "
                         "...): a summand of this form, such as the gradient of a penalty, is missing or wrong", None)]
    return []


def is_another_product(case, words):
    """The gradient of a parameter, or dx, is a product of the wrong arrays, or off by such a product."""
    if not case.whole:
        return []
    known = [(name, product.ravel()) for name, product in products(case.shape, words)]
    truth = next((name for name, product in known if case.fits(product, case.error, case.truth)), None)
    belongs = f"where {truth} belongs" if truth else "which is not what finite differences say"
    found = [("operand", f"is {name}, {belongs}", None) for name, product in known if case.fits(product, 0.0)]
    summands = []
    for name, c in case.multiples(known if truth is None or not found else (), 0.0, case.yours - case.truth):
        if words.names_of(c, 1e-8 if case.yours.size < FEW else 1e-6):
            summands.append(("term", f"is off by {c:.6g} times {name}: a summand is {'missing' if c < 0 else 'too many'}", None))
        elif c > -1 and case.yours.size >= FEW and words.names_of(1 + c):
            summands.append(("term", f"has {name} {1 + c:.6g} times in it, where once is right{words.called(1 + c)}", None))
    return (summands or found)[:2]


def products(shape, words):
    """Yield (name, array of this shape): sums over samples, matrix products and such, of what lies about."""
    floats = [(name, array) for name, array in {**words.deltas, **words.rows}.items() if array.dtype.kind == "f"]
    rows = [(name, array) for name, array in floats if array.ndim == 2]
    rows += [(f"({delta_name} {name})", delta * q) for delta_name, delta in words.deltas.items() if delta.ndim == 2
             for name, q in quantities(words.rows, delta.shape, TRANSFORMS[:5])]
    if len(shape) == 2:
        matrices = [(name, W) for name, W in {**words.parameters, **words.gradients}.items() if W.ndim == 2]
        yield from matrix_products(shape, rows, [pair for name, W in matrices for pair in ((name, W), (f"{name}ᵀ", W.T))])
    elif len(shape) == 1:
        yield from sums([(name, p) for name, p in rows if p.shape[1:] == shape], "Σ_n", 0)
    elif not shape:
        yield from sums(rows + [(name, array) for name, array in floats if array.ndim == 1], "Σ", None)


def matrix_products(shape, rows, matrices):
    """Yield (name, array): pᵀ q, p M and M p of this shape."""
    for left, p in rows:
        yield from ((f"{left}ᵀ {right}", p.T @ q) for right, q in rows if (p.shape[1], q.shape[1]) == shape and len(p) == len(q))
        for name, M in matrices:
            if p.shape[1] == M.shape[0] and (len(p), M.shape[1]) == shape:
                yield f"{left} {name}", p @ M
            if M.shape[1] == len(p) and (len(M), p.shape[1]) == shape:
                yield f"{name} {left}", M @ p


def sums(arrays, sign, axis):
    """Yield (name, sum over this axis) of the arrays, and of their products."""
    for left, p in arrays:
        yield f"{sign} {left}", p.sum(axis=axis)
        yield from ((f"{sign} {left} {right}", (p * q).sum(axis=axis)) for right, q in arrays if q.shape == p.shape)


def has_another_factor(case, words):
    """It is the truth times one quantity over another: one cached name stands in the place of another."""
    wide = [(name, case.at(q)) for name, q in [*quantities(words.rows, case.shape), *fitting(words.deltas, case)]]
    size = np.abs(case.truth)
    with np.errstate(all="ignore"):
        ratio = case.yours / case.truth
        sure = np.isfinite(ratio) & (size > 100 * case.error) & (size > 1e-6 * size.max(initial=0))
        if sure.sum() < FEW or not wide:
            return []
        logs = np.array([np.log(np.abs(q[sure])) for _, q in wide]).reshape(len(wide), -1)
        target = np.log(np.abs(ratio[sure]))
        close = np.abs(logs[:, None, :2] - logs[None, :, :2] - target[:2]).max(axis=2) < 1e-6
    for i, j in np.argwhere(close):
        with np.errstate(all="ignore"):
            quotient = wide[i][1] / wide[j][1]
            candidate, error = case.truth * quotient, np.abs(quotient) * case.error
        for sign in (1, -1):
            if i != j and np.all(np.isfinite(candidate)) and case.fits(sign * candidate, error):
                return [("elementwise", f"is {coefficient(sign)}{wide[i][0]} / {wide[j][0]} times what it should be: one stands where "
                         "the other belongs", None)]
    return []


def mixes_wrong_axes(case, words):
    """Yours minus the truth is a wrong sum inside: of delta t over other axes, as a mean, or with a factor t too few."""
    if not case.whole or len(case.shape) != 2:
        return []
    candidates = (((cause, sentence), off.ravel()) for cause, sentence, off in wrong_sums(case, words))
    found = ((*said, None) for said, c in case.multiples(candidates, 0.0, case.yours - case.truth) if abs(abs(c) - 1) < 1e-6)
    return list(itertools.islice(found, 1))


def wrong_sums(case, words):
    """Yield (cause, sentence, by how much it is off): sums of delta t over the features, with a factor t, or none, outside."""
    ones = np.ones(case.shape)
    for (delta_name, delta), (name, t) in itertools.product(fitting(words.deltas, case),
                                                            [("", ones), *quantities(words.rows, case.shape)]):
        summand = f"{delta_name} {name}".strip()
        total = np.sum(delta * t, axis=1, keepdims=True)
        for outer in (ones, t):
            for word, cause, other in (("over the samples", "axes", np.sum(delta * t, axis=0, keepdims=True)),
                                       ("over both axes", "axes", np.sum(delta * t, keepdims=True)),
                                       ("as a mean", "term", total / t.shape[1])):
                yield cause, f"has {summand} summed {word}, where it must be summed over the features", outer * (total - other)
            yield "elementwise", (f"has Σ {delta_name} in it where Σ {summand} belongs, or the other way round: a factor inside the "
                                  "sum is missing, or too many"), outer * (np.sum(delta, axis=1, keepdims=True) - total)
            yield "diagonal", f"is off by Σ {summand}: the part of the Jacobian that couples the outputs is not right", outer * total


def depends_on_others(case, words):
    """An experiment says what no formula explains: samples are mixed, or a local derivative has a wrong formula."""
    known = words.experiment() if words.experiment else None
    if known is None:
        return []
    (my_row, my_place), (true_row, true_place) = known
    if true_row and not my_row:
        return [("axes", "depends at one sample on the other samples, and should not: something is summed, or read, along the wrong axis",
                 None)]
    if true_place and my_place:
        return [("elementwise", f"has a wrong local derivative {case.share()}, and no axes are mixed up; {case.worst()}", None)]
    if true_place and my_row:
        return [("operand", "depends at one place on other places of the same sample, and should not: another array stands where this "
                 "element's own belongs", None)]
    return []


# how a gradient, and how any other array can be wrong
LEVELS = (is_off_a_kink, is_zero, has_other_rounding, is_a_multiple, is_transposed, is_a_wrong_sum, lacks_a_term, has_a_factor,
          should_be_zero, is_something_else, is_another_expression, has_any_factor, misses_a_summand, misses_a_scaled_parameter,
          is_another_product, has_another_factor, mixes_wrong_axes, depends_on_others)
VALUES = (is_zero, is_nearly_right, is_a_multiple, is_transposed, is_a_wrong_sum, misses_a_summand)
