"""The hypotheses of the diagnosis, in the order in which they are tried: LEVELS, at the end of this file.

Each is a function of a case (one wrong array) and of the vocabulary (what lies about). It yields (cause, sentence), and
the factor where it is one, for every formula that explains the discrepancy to within the error bar.
"""

import functools
import itertools

import numpy as np

from numpyae.gradcheck.case import rounding
from numpyae.gradcheck.sentences import coefficient, place_of
from numpyae.gradcheck.verdicts import SAFETY
from numpyae.gradcheck.vocabulary import PLAIN, TRANSFORMS, as_rows, quantities

FEW = 6                               # with fewer elements a free constant would fit too much


def is_not_finite(case, words):
    """Some elements are NaN or infinite."""
    number = case.not_finite.size
    if number:
        where = (f" in {number} of {number + len(case.yours)} elements, the first at "
                 f"{place_of(case.not_finite[0], case.shape)}") if case.shape else ""
        yield "unexplained", f"is NaN or infinite{where}: does something overflow, or is a logarithm taken of 0?"


def is_off_a_kink(case, words):
    """Only elements on kinks are wrong: they lie between no two slopes."""
    if np.all(case.kinked[case.wrong]):
        i = int(np.argmax(case.wrong))
        yield "kink", (f"is wrong only where f has a kink: backward gives {case.yours[i]:.6g}, the slopes to the left "
                       f"and to the right are {case.truth[i] - case.error[i]:.6g} and "
                       f"{case.truth[i] + case.error[i]:.6g}, and only what lies between is right")


def has_nothing_to_give(case, words):
    """The truth is 0 everywhere: f does not depend on the array."""
    if case.whole and len(case.truth) > 1 and not case.truth.any() and case.wrong.all():
        yield "unexplained", f"is not 0, but f does not depend on it; {case.worst()}"


def is_zero(case, words, why=": backward never computes it"):
    """Nothing is there."""
    if (np.all(np.abs(case.yours) <= 1e-13 * np.abs(case.truth).max(initial=0))
            and (case.wrong.sum() > 1 or not case.shape)):
        yield "zero", "is 0 everywhere" + (", up to rounding" if np.any(case.yours) else why)


def has_other_rounding(case, words):
    """It is as exact as float32, and no more."""
    size, gap = np.abs(case.truth).max(initial=0), np.abs(case.yours - case.truth)
    if (size and case.wrong.sum() >= max(2, 0.25 * len(case.wrong))
            and np.all(gap <= 4 * np.finfo(np.float32).eps * size)
            and np.median(gap[case.wrong] / np.abs(case.truth[case.wrong])) < 1e-4):
        yield "precision", ("is right to the seven digits of float32, and no further: is something cast on the way, or "
                            "is a small constant in one pass only?")


def is_nearly_right(case, words):
    """It is off by a small part of the largest element."""
    part = np.max(np.abs(case.yours - case.truth)) / np.max(np.abs(case.truth))
    if part < 1e-4:
        yield "precision", (f"is right but for a part of {part:.0e}: is a small number added where none belongs, or "
                            "are digits lost?")


def is_a_multiple(case, words):
    """It is the truth times a number, everywhere or in the elements that are wrong."""
    for one in (case, case.narrowed()):
        c = one.constant(one.truth, one.error)
        if c is not None and abs(c - 1) > 1e-6 and (words.names_of(c) or one.wrong.sum() >= FEW):
            where = "" if one is case else f"{case.share()} ({case.stretch()}) "
            yield "sign" if abs(c + 1) < 1e-6 else "factor", where + words.multiple(c), c


def is_arranged_wrongly(case, words):
    """W stands where Wᵀ belongs, one number stands in every place, or the sum is over other axes."""
    yield from ((cause, sentence) for cause, sentence, candidate, error in
                (arrangements(case, words) if case.whole else ())
                if candidate.shape == case.shape and case.fits(candidate.ravel(), np.ravel(error)))


def arrangements(case, words):
    """Yield (cause, sentence, array, its error): the truth transposed or summed; delta, xᵀ delta over a wrong axis."""
    truth, error = case.truth.reshape(case.shape), case.error.reshape(case.shape)
    over = [(None, "all its elements")]
    if truth.ndim == 2 and min(truth.shape) > 1:
        over += [(0, "its first axis"), (1, "its second axis")]
        yield "transposed", "is the transpose of what it should be", truth.T, error.T
        yield ("transposed", "holds the right numbers in the order of the transpose: was it reshaped instead of "
               "transposed?", truth.T.reshape(truth.shape), error.T.reshape(truth.shape))
    for (axis, name), (word, of) in itertools.product(over, (("sum", np.sum), ("mean", np.mean))):
        total = np.broadcast_to(of(truth, axis=axis, keepdims=True), case.shape)
        if truth.size > 1 and np.abs(total).max() > 1e-6 * np.abs(truth).max():
            yield ("axes", f"holds the {word} over {name} in every place: it is summed over too many axes", total,
                   np.broadcast_to(of(error, axis=axis, keepdims=True), case.shape))
    deltas = [(name, delta) for name, delta in words.deltas.items() if delta.ndim == 2 and len(delta) > 1]
    for (name, delta), (sample, word) in itertools.product(deltas, ((0, "first"), (-1, "last"))):
        yield "axes", f"is {name} of the {word} sample only", delta[sample], 0.0
        yield from (("axes", f"is {other}ᵀ {name} of the {word} sample only", np.outer(x[sample], delta[sample]), 0.0)
                    for other, x in words.rows.items() if x.ndim and len(x) == len(delta))
    yield from (("axes", f"is {name} summed over the features, not over the samples", delta.sum(axis=1), 0.0)
                for name, delta in deltas)


def lacks_a_term(case, words):
    """A named term of the loss is missing, doubled, or of the wrong sign."""
    for term, c in case.multiples(case.terms.items() if len(case.yours) > 1 else (), case.error,
                                  case.yours - case.truth):
        how = f"has {{}} times {1 + c:.6g}" + (words.called(c + 1) if c > -1 else "")
        how = {-1.0: "misses {}", 1.0: "has {} twice", -2.0: "has {} with the wrong sign"}.get(round(c, 6), how)
        yield "term", how.format(f"the gradient of the term {term}")


def has_a_factor(case, words, transforms=TRANSFORMS):
    """A derivative, a mask or another factor is forgotten or too many: one of what can be made of what lies about."""
    found = []
    for name, q in quantities(words.rows, case.shape, transforms):
        q = case.at(q)
        for factor, sentence in ((q, f"has a factor {name} too many, or lacks a division by it"),
                                 (1 / q, f"lacks the factor {name}")):
            candidate, error = case.truth * factor, np.where(case.truth == 0, 0, np.abs(factor)) * case.error
            varies = np.all(np.isfinite(candidate)) and np.ptp(candidate) > 0
            c = case.constant(candidate, error) if varies else None
            if c is not None and words.names_of(c):
                found.append(("elementwise", sentence + ("" if abs(c - 1) < 1e-6 else
                                                         f" and a factor {c:.6g}{words.called(c)}")))
        masked = np.where(q == 0, 0, case.truth)
        if not np.any(case.yours[q == 0]) and np.any(masked != case.truth) and case.fits(masked, case.error):
            found.append(("elementwise", f"is 0 wherever {name} is 0, and right elsewhere"))
        elif np.any(q == 0) and abs(abs(case.constant(case.yours * q, 0.0, case.truth) or 0) - 1) < 1e-6:
            found.append(("elementwise", f"lacks the factor {name}: it lets through what {name} stops"))
    yield from sorted(found, key=lambda one: " and a factor " in one[1])


def should_be_zero(case, words):
    """It is right but for elements where f is flat, or for elements that are left at 0."""
    if case.wrong.sum() > 1 and not np.any(case.yours[case.wrong]):
        yield ("axes" if case.stretch().startswith(("row", "column")) else "elementwise",
               f"is 0 {case.share()} ({case.stretch()}), and right elsewhere")
    elif np.all(np.abs(case.truth[case.wrong]) <= SAFETY * case.error[case.wrong]) and not case.wrong.all():
        yield "elementwise", (f"is not 0 {case.share()} ({case.stretch()}) where the truth is 0, and right elsewhere: "
                              "is something clipped or masked in forward, and not in backward?")


def is_something_else(case, words):
    """It is a quantity that delta does not multiply."""
    rows = quantities(words.rows, case.shape, PLAIN) if len(case.yours) >= FEW else ()
    yield from (("operand", f"is {coefficient(c)}{name}, whatever delta is")
                for name, c in case.multiples((name, case.at(q)) for name, q in rows) if words.names_of(c))


def is_another_expression(case, words):
    """It is delta q, where the truth is delta times something else, or mixes the columns of delta."""
    yours, truth = expression(case, words, case.yours), expression(case, words, case.truth)
    if yours and truth:
        yield "elementwise", f"is {yours}, where finite differences say {truth}"
    elif yours and words.mixes_columns:
        yield "diagonal", (f"is {yours}: it takes each output by itself, as if the Jacobian were diagonal; the truth "
                           f"mixes the outputs of {next(iter(words.deltas))}")
    elif yours:
        yield from list(misses_a_summand(case, words)) or [
            ("elementwise", f"is {yours}, which is not what finite differences say")]


def expression(case, words, target):
    """Return the target in words if it is `c delta q`, else ""."""
    return next((coefficient(c) + name for name, c in case.multiples(times_delta(case, words), 0.0, target)
                 if words.names_of(c)), "")


def times_delta(case, words):
    """Yield (name, elements) of each delta, alone and times each quantity."""
    for (delta_name, delta), (name, q) in itertools.product(
            fitting(words.deltas, case), [("", 1.0), *quantities(words.rows, case.shape)]):
        if np.ptp(product := case.at(delta * q)) > 0:
            yield f"{delta_name} {name}".strip(), product


def fitting(arrays, case):
    """Return [(name, array of this shape), ...] of the arrays that have it, or can be broadcast to it."""
    return [(name, wide) for name, array in arrays.items() if (wide := as_rows(array, case.shape)) is not None]


def misses_a_summand(case, words):
    """Yours minus the truth is a number, a quantity, alone or times delta, or a parameter."""
    off = case.yours - case.truth
    slack = SAFETY * case.error + rounding(off)
    if len(off) > 2 and case.wrong.all() and np.ptp(case.truth) > 0 and np.all(np.abs(off - off[0]) <= slack):
        same = f"is off by the same number, {off[0]:.6g}, in every element"
        yield (("term", f"{same}{words.called(off[0])}: a summand is missing or too many") if words.names_of(off[0])
               else ("not zeroed", f"{same}: does it start from zero?"))
        return
    same_shape = [(name, W) for name, W in words.parameters.items() if W.shape == case.shape]
    alone = ((name, case.at(array)) for name, array in quantities(words.rows, case.shape) + same_shape)
    bases = itertools.chain(times_delta(case, words), (pair for pair in alone if np.ptp(pair[1]) > 0))
    for name, c in case.multiples(bases, 0.0, off):
        factor = next((factor for factor in (1 + c, 1 - c) if words.names_of(factor)), None)
        if words.names_of(c) or len(off) > 1 and name in words.parameters:
            yield "term", (f"is off by {coefficient(abs(c))}{name}: a summand is "    # 1 - q too many: q - 1 missing
                           + ("missing or has the wrong sign" if c < 0 or "(1 - " in name else "too many"))
        elif len(off) >= FEW and factor is not None:
            yield "term", (f"is off by {c:.6g} {name}, as if it lacked a factor {factor:.6g}, or had one too many"
                           + words.called(factor))


def misses_a_scaled_parameter(case, words):
    """Yours minus the truth is a parameter times a number for each column, or row, such as W Σ φ'² of a penalty."""
    if case.whole and len(case.shape) == 2 and min(case.shape) > 2:
        same_shape = [(name, W) for name, W in words.parameters.items() if W.shape == case.shape]
        off = (case.yours - case.truth).reshape(case.shape)
        for (name, W), (axis, word) in itertools.product(same_shape, enumerate(("column", "row"))):
            error, squares = case.error.reshape(case.shape), np.sum(W * W, axis=axis, keepdims=True)
            v = np.sum(off * W, axis=axis, keepdims=True) / squares
            of_v = np.sum(np.abs(W) * error, axis=axis, keepdims=True) / squares
            if np.all(np.abs(off - v * W) <= SAFETY * (error + np.abs(W) * of_v) + rounding(off)):
                numbers = ", ".join(f"{u:.4g}" for u in v.ravel()[:4])
                yield "term", (f"is off by {name} times one number for each {word} ({numbers} ...): a summand of this "
                               "form, such as the gradient of a penalty, is missing or wrong")


def is_another_product(case, words):
    """The gradient of a parameter, or dx, is a product of the wrong arrays, or off by such a product."""
    known = [(name, product.ravel()) for name, product in products(case.shape, words)] if case.whole else []
    truth = next((name for name, product in known if case.fits(product, case.error, case.truth)), None)
    belongs = f"where {truth} belongs" if truth else "which is not what finite differences say"
    found = [("operand", f"is {name}, {belongs}") for name, product in known if case.fits(product, 0.0)]
    candidates, summands = known if truth is None or not found else (), []
    for name, c in case.multiples(candidates, 0.0, case.yours - case.truth):
        if words.names_of(c, 1e-8 if case.yours.size < FEW else 1e-6):
            summands.append(f"is off by {c:.6g} times {name}: a summand is {'missing' if c < 0 else 'too many'}")
        elif c > -1 and case.yours.size >= FEW and words.names_of(1 + c):
            summands.append(f"has {name} {1 + c:.6g} times in it, where once is right{words.called(1 + c)}")
    yield from ([("term", sentence) for sentence in summands] or found)[:2]


def products(shape, words):
    """Yield (name, array of this shape): sums over samples and matrix products of what lies about."""
    floats = [pair for pair in {**words.deltas, **words.rows}.items() if pair[1].dtype.kind == "f"]
    rows = [pair for pair in floats if pair[1].ndim == 2]
    rows += [(f"({delta_name} {name})", delta * q) for delta_name, delta in words.deltas.items() if delta.ndim == 2
             for name, q in quantities(words.rows, delta.shape, TRANSFORMS[:5])]
    if len(shape) == 2:
        yield from matrix_products(shape, rows, {**words.parameters, **words.gradients})
    elif len(shape) == 1:
        yield from sums([(name, p) for name, p in rows if p.shape[1:] == shape], "Σ_n", 0)
    elif not shape:
        yield from sums(rows + [pair for pair in floats if pair[1].ndim == 1], "Σ", None)


def matrix_products(shape, rows, parameters):
    """Yield (name, array of this shape): pᵀ q, p W and W p of these rows p, q and parameters W, or their transposes."""
    matrices = [(name, W) for name, W in parameters.items() if W.ndim == 2]
    matrices += [(f"{name}ᵀ", W.T) for name, W in matrices]
    for lefts, rights in (([(f"{name}ᵀ", p.T) for name, p in rows], rows), (rows, matrices), (matrices, rows)):
        yield from ((f"{left} {right}", p @ q) for (left, p), (right, q) in itertools.product(lefts, rights)
                    if p.shape[1] == len(q) and (len(p), q.shape[1]) == shape)


def sums(arrays, sign, axis):
    """Yield (name, sum over this axis) of the arrays, and of their products."""
    for left, p in arrays:
        yield f"{sign} {left}", p.sum(axis=axis)
        yield from ((f"{sign} {left} {right}", (p * q).sum(axis=axis)) for right, q in arrays if q.shape == p.shape)


def has_another_factor(case, words):
    """It is the truth times one quantity over another: one cached name stands in the place of another."""
    wide = [(name, case.at(q)) for name, q in [*quantities(words.rows, case.shape), *fitting(words.deltas, case)]]
    size, ratio = np.abs(case.truth), case.yours / case.truth
    sure = np.isfinite(ratio) & (size > 100 * case.error) & (size > 1e-6 * size.max(initial=0))
    two = np.flatnonzero(sure)[:2]                       # the first two elements tell which pairs are worth a look
    logs = np.array([np.log(np.abs(q[two])) for _, q in wide]).reshape(len(wide), len(two))
    close = np.abs(logs[:, None] - logs[None] - np.log(np.abs(ratio[two]))).max(axis=2, initial=0) < 1e-6
    for (i, j), sign in itertools.product(np.argwhere(close) if sure.sum() >= FEW else (), (1, -1)):
        quotient = sign * wide[i][1] / wide[j][1]
        candidate, error = case.truth * quotient, np.abs(quotient) * case.error
        if i != j and np.all(np.isfinite(candidate)) and case.fits(candidate, error):
            yield "elementwise", (f"is {coefficient(sign)}{wide[i][0]} / {wide[j][0]} times what it should be: one "
                                  "stands where the other belongs")


def mixes_wrong_axes(case, words):
    """Yours minus the truth comes from a wrong sum inside: over other axes, as a mean, or with a factor t too few."""
    pairs = sums_over_features(case, words) if case.whole and len(case.shape) == 2 else ()
    found = case.multiples(((said, off.ravel()) for said, off in pairs), 0.0, case.yours - case.truth)
    yield from (said for said, c in found if abs(abs(c) - 1) < 1e-6)


def sums_over_features(case, words):
    """Yield ((cause, sentence), by how much it is off): wrong sums of delta t over the features, times t or not."""
    ones = np.ones(case.shape)
    for (delta_name, delta), (name, t) in itertools.product(
            fitting(words.deltas, case), [("", ones), *quantities(words.rows, case.shape)]):
        summand = f"{delta_name} {name}".strip()
        total = np.sum(delta * t, axis=1, keepdims=True)
        others = (("axes", "over the samples", np.sum(delta * t, axis=0, keepdims=True)),
                  ("axes", "over both axes", np.sum(delta * t, keepdims=True)),
                  ("term", "as a mean", total / t.shape[1]))
        for outer in (ones, t):
            yield from (((cause, f"has {summand} summed {word}, where it must be summed over the features"),
                         outer * (total - other)) for cause, word, other in others)
            yield ("elementwise", f"has Σ {delta_name} in it where Σ {summand} belongs, or the other way round: a "
                   "factor inside the sum is missing, or too many"), outer * (delta.sum(axis=1, keepdims=True) - total)
            yield ("diagonal", f"is off by Σ {summand}: the part of the Jacobian that couples the outputs is not "
                   "right"), outer * total


def depends_on_others(case, words):
    """An experiment says what no formula explains: samples are mixed, or a local derivative has a wrong formula."""
    (my_row, my_place), (true_row, true_place) = (words.experiment and words.experiment()) or ((False, False),) * 2
    if true_row and not my_row:
        yield "axes", ("depends at one sample on the other samples, and should not: something is summed, or read, "
                       "along the wrong axis")
    elif true_place and my_place:
        yield "elementwise", f"has a wrong local derivative {case.share()}, and no axes are mixed up; {case.worst()}"
    elif true_place and my_row:
        yield "operand", ("depends at one place on other places of the same sample, and should not: another array "
                          "stands where this element's own belongs")


def is_unexplained(case, words):
    """No cause is known: the angle and the ratio to the truth, and the worst element."""
    yours, truth = np.linalg.norm(case.yours), np.linalg.norm(case.truth)
    if not truth > 0:
        yield "unexplained", f"is not 0 {case.share()}, where the truth is; {case.worst()}"
        return
    cosine = case.yours @ case.truth / (yours * truth)
    yield "unexplained", (f"is wrong {case.share()}, unexplained: cosine {cosine:.4f} and norm ratio "
                          f"{yours / truth:.4g} to the truth; {case.worst()}")


def is_another_value(case, words):
    """No cause is known of an array that is no gradient."""
    yield "unexplained", f"is wrong {case.share()}, {case.worst()}" if case.shape else case.worst()


# levels of which the first explanation counts; three of the others may stand side by side
ALONE = {is_a_multiple, is_arranged_wrongly, is_something_else, misses_a_scaled_parameter, has_another_factor,
         mixes_wrong_axes}

# how a gradient can be wrong, another array, and a single number, which is a multiple of any other
LEVELS = (is_not_finite, is_off_a_kink, has_nothing_to_give, is_zero, has_other_rounding, is_a_multiple,
          is_arranged_wrongly, lacks_a_term,
          functools.partial(has_a_factor, transforms=PLAIN), should_be_zero, is_something_else,
          is_another_expression, has_a_factor, misses_a_summand, misses_a_scaled_parameter, is_another_product,
          has_another_factor, mixes_wrong_axes, depends_on_others, is_unexplained)
VALUES = (is_not_finite, functools.partial(is_zero, why=""), is_nearly_right, is_a_multiple, is_arranged_wrongly,
          misses_a_summand, is_another_value)
SINGLE = (is_not_finite, is_another_value)
