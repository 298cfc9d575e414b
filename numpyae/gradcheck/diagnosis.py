"""The diagnosis: hypotheses about the mistake, tested against the discrepancy, the simplest first.

A hypothesis is a formula for what backward gives: minus the truth, 7 times it, its transpose, its product with h,
x delta instead of xᵀ delta ... (hypotheses.py). It counts only when it explains every element, to within the error bar
of the truth; with some thirty elements known to eight digits nothing fits by chance. Hypotheses of the same simplicity
that fit are all named. When none does, the report says "unexplained", with the angle between the two gradients and
their ratio. It never guesses.

`diagnose` makes the findings of one gradient; `difference` says how any other value differs from what it must be.
"""

import functools
import importlib
import itertools

import numpy as np

from numpyae.gradcheck import vocabulary
from numpyae.gradcheck.case import Case
from numpyae.gradcheck.hypotheses import ALONE, LEVELS, SINGLE, VALUES
from numpyae.gradcheck.sentences import finding, wrong_form
from numpyae.gradcheck.verdicts import DISAGREE, VERDICTS

SPOILS = {"in place", "updates", "redrawn", "stale"}     # by these a part makes wrong what others do
MANNERS = SPOILS | {"overwrites", "not zeroed", "precision"}


def explain(subject, rows):
    """Return the findings for every array of the rows that is wrong."""
    words = vocabulary.of_subject(subject)
    findings = []
    for name in dict.fromkeys(row["array"] for row in rows):
        wrong = [row for row in rows if row["array"] == name and row["verdict"] == VERDICTS[DISAGREE]]
        for row in [row for row in wrong if row["term"] is not None] or wrong:
            term = row["term"]
            words.experiment = functools.partial(vocabulary.dependence, subject, name, term, words.mixes_columns)
            for title, case in side_by_side(subject, row):
                findings += diagnose(case, words, title + (f", in the term {term}," if term else ""), name)
    return repaired(findings, subject, rows)


def repaired(findings, subject, rows):
    """Return the findings; if all are unexplained, and one changed line makes every gradient right, that change."""
    unexplained = findings and all(found["cause"] == "unexplained" for found in findings)
    slip = None
    if unexplained and subject.parts:                    # foreign code comes without the library
        slip = importlib.import_module("numpyae.gradcheck.sources").repair(subject, rows)
    if slip is None:
        return findings
    owner, method, old, new = slip
    title = findings[0]["sentence"].partition(" is wrong in ")[0]
    return [finding("slip", f"{title} is wrong, and all is right when in {owner}.{method} the line `{old}` reads "
                    f"`{new}`", findings[0]["array"]) | {"layer": owner}]


def explain_delta(subject, taps, tap, method, row):
    """Return the findings for a delta that arrives wrong, although all parts behind it are right."""
    words, shape = vocabulary.of_subject(subject), tuple(row["shape"])
    words.rows = {f"the {which if which != 'forward' else 'output'} of {other.place}": output
                  for other in taps for which, output in other.outputs.items()
                  if output.ndim and vocabulary.as_rows(output, shape) is not None}
    words.rows |= {f"the delta of {other.place}": other.deltas[0] for other in taps
                   if other is not tap and other.deltas[0].shape == shape}
    title = f"the delta that reaches {tap.part!r} ({tap.place})" + f".{method}" * (method != "forward")
    case = Case.of_row(row)
    for other in taps:                                   # a value used twice gets the sum of what comes back
        back = case.at(other.returned) if np.shape(other.returned) == shape else np.zeros(1)
        if back.any() and case.fits(case.truth - back, case.error):
            return [finding("term", f"{title} lacks what comes back from {other.part!r} ({other.place}): it must be "
                            "added", "delta")]
    return diagnose(case, words, title, "delta")


def at_owners(findings, parts):
    """Return the findings; what several uses of one layer have in common is said once, of the layer itself."""
    places, kept = {id(part): place for place, part in parts.items()}, {}
    for found in findings:
        part = parts.get(found["place"])
        if part is not None:
            found |= {key: found[key] and found[key].replace("first.", "") for key in ("sentence", "array")}
        key = (found["place"] if part is None else id(part.owner), found["cause"], found["array"], found["sentence"])
        other = kept.setdefault(key, found)
        if other["place"] != found["place"]:
            other |= {"place": places.get(id(part.owner), other["place"]), "layer": repr(part.owner)}
    return list(kept.values())


def side_by_side(subject, row):
    """Return [(title, case), ...]: several where an array holds several things side by side, such as μ and logvar."""
    name = row["array"]
    cases = [(f"d{title}", Case.of_row(row, columns)) for title, *columns in subject.pieces.get(name, ())]
    return [(title, case) for title, case in cases if case.wrong.any()] or [(f"d{name}", Case.of_row(row))]


def diagnose(case, words, title, array):
    """Return the findings of one case: the explanations of the first level at which any fits, else "unexplained"."""
    return [finding(cause, f"{title} {sentence}", array, *factor)
            for cause, sentence, *factor in explanations(case, words, LEVELS)]


def explanations(case, words, levels):
    """Return [(cause, sentence), ...], with the factor where it is one: at most three, of the first level that fits."""
    tried = levels if case.wrong.any() else (levels[0], levels[-1])
    with np.errstate(all="ignore"):
        return next(filter(None, (list(itertools.islice(level(case, words), 1 if level in ALONE else 3))
                                  for level in tried)))


def difference(found, wanted, numbers=(), tolerance=1e-8):
    """Return a sentence if a value, an array or a nest of dicts and tuples of arrays, is not what is wanted, else "".

    numbers: {name: number}, what a factor can be; tolerance: as a share of the largest element.
    """
    if callable(wanted) or wanted is None:
        return ""
    if isinstance(wanted, (dict, tuple, list)):
        found, wanted = parts_of(found), parts_of(wanted)
        if found.keys() != wanted.keys():
            return f"must have {', '.join(wanted)}"
        return next((f"has a {name} that {said}" for name in wanted
                     if (said := difference(found[name], wanted[name], numbers, tolerance))), "")
    if form := wrong_form(found, np.shape(wanted)):
        return form
    case, words = Case.of(found, wanted, tolerance), vocabulary.Vocabulary(numbers=dict(numbers))
    return explanations(case, words, VALUES if case.shape else SINGLE)[0][1] if case.differs else ""


def parts_of(value):
    """Return {name: part} of a dict, a tuple or a list, {} of anything else."""
    return ({f"part {i}": part for i, part in enumerate(value)} if isinstance(value, (tuple, list)) else
            value if isinstance(value, dict) else {})


def in_order(explained, manners):
    """Return all findings: wrong numbers first, unless a part spoils what is not its own."""
    spoilers = {found["place"] for found in manners if found["cause"] in SPOILS}
    if spoilers:                                         # what goes wrong between the parts comes from them
        return manners + [found for found in explained if found["place"] and found["place"] not in spoilers]
    rounded = any(found["cause"] == "precision" and found["place"] for found in manners)
    return [found for found in explained if found["place"] or not rounded] + manners


def without_echoes(findings):
    """Return the findings, each thing once, without what a more precise finding explains."""
    kept = {}
    for found in findings:
        said = ("array", "cause") if found["cause"] == "precision" else ("sentence",)
        if not is_echo(found, findings):
            kept.setdefault((found["place"], *(found[key] for key in said)), found)
    return sorted(kept.values(), key=lambda found: found["cause"] == "unexplained")


def is_echo(found, findings):
    """Return whether another finding explains this one."""
    cause, place, array = found["cause"], found["place"], found["array"]
    here = {other["cause"] for other in findings if other["place"] == place}
    of_array = {other["cause"] for other in findings if other["place"] == place and other["array"] == array}
    return (cause == "factor" and "not zeroed" in here
            or cause in ("elementwise", "unexplained") and "dtype" in of_array
            or cause == "redrawn" and "updates" in here
            or cause == "nonlinear" and ("updates" in here or of_array - {"unexplained", "nonlinear", "factor"})
            or not place and any(other["place"] and other["cause"] == cause for other in findings)
            or cause == "unexplained" and MANNERS & (here if place else {other["cause"] for other in findings}))
