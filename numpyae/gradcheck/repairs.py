"""One slip, taken out again: small changes of the source of backward, tried one by one until all gradients are right.

The operators that put a mistake into right code (operators.py) also take one out: a value that was negated is negated
again, one that was doubled is halved, another array gets its place back. This is asked last, where no formula explains
a gradient. It needs no vocabulary, only that a backward that is right in every element, to nine digits, is right.
"""

import ast
import contextlib
import itertools
import warnings

import numpy as np

from numpyae.gradcheck.operators import dropped, is_summand, is_whole, others, scaled, summed, transposed
from numpyae.gradcheck.sources import in_its_place, methods_of, methods_run, replaced, sites
from numpyae.gradcheck.verdicts import DISAGREE, SAFETY

ROUNDING = 1e-9                       # of the largest element
MOST = 1000                           # so many changes are tried


def repair(subject, rows):
    """Return the first change after which these rows are right: (class, method, old line, new line), or None.

    The backward of a part is left alone where the subject is what is around it: the part was checked by itself.
    """
    owners = {base for part in (subject.target, *subject.parts.values()) for base in type(part).__mro__}
    before = subject.values()
    try:
        subject.forward()
        run = methods_run(lambda: subject.backward(subject.deltas), methods_of(owners))
        run = [(cls, method) for cls, method in run if method != "backward" or isinstance(subject.target, cls)]
        tried = (change for texts in (slips, losses) for cls, method in run[::-1]
                 for change in changes(cls, method, subject, texts))
        return next(((cls.__name__, method, old, new) for cls, method, text, old, new in itertools.islice(tried, MOST)
                     if becomes_right(subject, rows, before, cls, method, text)), None)
    except Exception:                 # its source cannot be read, or it does not run
        return None
    finally:
        subject.restore(before)


def changes(cls, method, subject, texts):
    """Yield (class, method, source, old line, new line) of every change that puts one of texts(site) at a site."""
    for source, site in sites(cls, method, subject):
        line = site.node.lineno - 1
        for changed in (replaced(source, site.node, text) for text in texts(site)):
            yield cls, method, changed, source.splitlines()[line].strip(), changed.splitlines()[line].strip()


def slips(site):
    """Return what may have stood here before a slip: another sign, factor, axis, transpose, constant or array."""
    texts = [text for operator in (scaled, dropped, transposed, summed) for _, text, _ in operator(site)]
    if isinstance(site.node, ast.Constant) and type(site.node.value) in (int, float):
        texts += [repr(site.node.value / 2), repr(2 * site.node.value), "0", "1"]
    if isinstance(site.node, ast.UnaryOp):
        texts.append(f"({ast.unparse(site.node.operand)})")
    if site.text.startswith("np.mean("):
        texts.append(site.text.replace("np.mean", "np.add.reduce"))
    return texts + others(site)


def losses(site):
    """Return what may have stood here before a factor or a summand was lost."""
    names = (*site.arrays, "1") if may_lack_something(site) else ()
    return [f"({site.text}) {sign} {name}" for name in names for sign in "*/+-"]


def may_lack_something(site):
    """Return whether a factor or a summand may have stood beside it: in a sum, a call, a matrix product, or alone."""
    parent = site.around[-1] if site.around else None
    alone = isinstance(parent, (ast.Call, ast.Assign)) or isinstance(getattr(parent, "op", None), ast.MatMult)
    return isinstance(site.node, (ast.Constant, ast.UnaryOp)) or is_whole(site) or is_summand(site) or alone


def becomes_right(subject, rows, before, cls, method, source):
    """Return whether every gradient of these rows is the truth with this source in the place of a method."""
    subject.restore(before)
    deltas = [delta.copy() for delta in subject.deltas]
    try:
        with quiet(), in_its_place(cls, method, source):
            subject.forward()
            gradients = {term: subject.gradients(term) for term in {row["term"]: None for row in rows}}
            return all(fits(np.asarray(gradients[row["term"]][row["array"]]), row) for row in rows)
    except Exception:                 # whatever the change breaks
        return False
    finally:
        for delta, kept in zip(subject.deltas, deltas):
            delta[...] = kept


def fits(gradient, row):
    """Return whether this gradient is the truth of the row, to within its error bars."""
    if gradient.shape != tuple(row["shape"]):
        return False
    values = row["values"]
    judged = (values["verdict"] <= DISAGREE) & np.isfinite(values["numerical"])
    truth, error = values["numerical"][judged], values["error"][judged]
    gap = np.abs(gradient.ravel()[values["index"]][judged] - truth)
    return bool(np.all(gap <= SAFETY * error + ROUNDING * np.abs(truth).max(initial=0)))


@contextlib.contextmanager
def quiet():
    """Turn warnings off: a change may overflow or divide by zero."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
