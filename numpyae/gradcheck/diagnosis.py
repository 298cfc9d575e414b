"""What the mistake is: hypotheses, tested against the discrepancy, the simplest first.

A hypothesis is a formula for what backward gives: minus the truth, 7 times it, its transpose, its product with h, x delta instead of
xᵀ delta ... (hypotheses.py). It counts only when it explains every element, to within the error bar of the truth; with some thirty
elements known to eight digits nothing fits by chance. Hypotheses of the same simplicity that fit are all named. When none does, the
report says "unexplained", with the angle between the two gradients and their ratio. It never guesses.

`diagnose` makes the findings of one gradient; `difference` says how any other value differs from what it must be.
"""

import functools
import itertools

import numpy as np

from numpyae.gradcheck import locality, vocabulary
from numpyae.gradcheck.case import Case
from numpyae.gradcheck.hypotheses import LEVELS, VALUES
from numpyae.gradcheck.sentences import finding, place_of, wrong_form
from numpyae.gradcheck.subjects import LossSubject, PosteriorSubject
from numpyae.gradcheck.verdicts import DISAGREE, VERDICTS

# causes by which a part spoils what is not its own: whatever else is wrong between the parts needs no other explanation
SPOILS = {"in place", "updates", "redrawn", "stale"}
MANNERS = SPOILS | {"overwrites", "not zeroed", "precision"}


def explain(subject, rows):
    """Findings for every array of the rows that is wrong."""
    words = vocabulary.of_subject(subject)
    findings = []
    for name in dict.fromkeys(row["array"] for row in rows):
        wrong = [row for row in rows if row["array"] == name and row["verdict"] == VERDICTS[DISAGREE]]
        for row in [row for row in wrong if row["term"] is not None] or wrong:
            words.experiment = functools.partial(locality.dependence, subject, name, row["term"], words.mixes_columns)
            for title, case in halves(subject, row):
                findings += diagnose(case, words, title + (f", in the term {row['term']}," if row["term"] else ""), name)
    return findings


def explain_delta(subject, taps, tap, method, row):
    """Findings for a delta that arrives wrong, although all parts behind it are right."""
    rows, deltas = {}, {}
    for other in taps:
        rows |= {f"the {which} of {other.place}" if which != "forward" else f"the output of {other.place}": output
                 for which, output in other.outputs.items()}
        if other is not tap:
            deltas[f"the delta of {other.place}"] = other.deltas[0]
    words = vocabulary.of_subject(subject)
    words.rows = {name: array for name, array in rows.items() if array.ndim and vocabulary.as_rows(array, row["shape"]) is not None}
    words.rows |= {name: array for name, array in deltas.items() if array.shape == tuple(row["shape"])}
    before = f"{tap.part!r} ({tap.place})" + (f".{method}" if method != "forward" else "")
    return diagnose(Case.of_row(row), words, f"the delta that reaches {before}", "delta")


def halves(subject, row):
    """[(title, case), ...]: one for an array, several where it holds μ, logvar, and what is below a diagonal side by side."""
    name, (*_, width) = row["array"], row["shape"] or (1,)
    if isinstance(subject, PosteriorSubject) and name == "h":
        D = subject.target.d
    elif isinstance(subject, LossSubject) and subject.target.outputs_per_feature == 2 and name == "output":
        D = width // 2
    else:
        return [("d" + name, Case.of_row(row))]
    columns = {"dmu": (0, D), "dlogvar": (D, 2 * D), "dbelow": (2 * D, width)}
    cases = [(title, Case.of_row(row, place)) for title, place in columns.items()]
    return [(title, case) for title, case in cases if case.wrong.any()]


def diagnose(case, words, title, array):
    """The findings of one case: the explanations of the first level at which anything fits, else "unexplained"."""
    found = explanations(case, words, LEVELS) or [("unexplained", unexplained(case))]
    return [finding(cause, f"{title} {sentence}", array, *factor) for cause, sentence, *factor in found]


def explanations(case, words, levels):
    """[(cause, sentence), ...], with a factor where it is one: at most three, of the first level at which anything fits."""
    if case.not_finite.size:
        number = case.not_finite.size
        where = f" in {number} of {number + len(case.yours)} elements, the first at {place_of(case.not_finite[0], case.shape)}"
        return [("unexplained", f"is NaN or infinite{where if case.shape else ''}: does something overflow, or is a logarithm taken of 0?")]
    with np.errstate(all="ignore"):
        found = (list(itertools.islice(level(case, words), 3)) for level in levels if case.wrong.any())
        return next(filter(None, found), [])


def unexplained(case):
    """Say what can be said without a cause."""
    yours, truth = np.linalg.norm(case.yours), np.linalg.norm(case.truth)
    with np.errstate(all="ignore"):
        angle, ratio = case.yours @ case.truth / (yours * truth), yours / truth
    return (f"is wrong {case.share()}, unexplained: cosine {angle:.4f} and norm ratio {ratio:.4g} to the truth; {case.worst()}")


def difference(found, wanted, numbers=(), tolerance=1e-8):
    """Say how a value differs from what it must be, an array or a nest of dicts and tuples of them; "" where it does not.

    numbers: {name: number}, what a factor can be; tolerance: as a share of the largest element.
    """
    if callable(wanted) or wanted is None:
        return ""
    if isinstance(wanted, (dict, tuple, list)):
        found, wanted = parts_of(found), parts_of(wanted)
        if found.keys() != wanted.keys():
            return f"must have {', '.join(wanted)}"
        parts = ((name, difference(found[name], wanted[name], numbers, tolerance)) for name in wanted)
        return next((f"has a {name} that {said}" for name, said in parts if said), "")
    form = wrong_form(found, np.shape(wanted))
    if form:
        return form
    case = Case.of(found, wanted, tolerance)
    if not case.differs:
        return ""
    told = explanations(case, vocabulary.Vocabulary(numbers=dict(numbers)), VALUES) if case.shape or case.not_finite.size else []
    return told[0][1] if told else f"is wrong {case.share()}, {case.worst()}" if case.shape else case.worst()


def parts_of(value):
    """{name: part} of a dict, a tuple or a list; nothing of anything else."""
    if isinstance(value, (tuple, list)):
        return {f"part {i}": part for i, part in enumerate(value)}
    return value if isinstance(value, dict) else {}


def in_order(explained, manners):
    """The findings, what is wrong with the numbers first; but where a part spoils what is not its own, that comes first."""
    places = {found["place"] for found in manners if found["cause"] in SPOILS}
    if places:
        return manners + [found for found in explained if found["place"] and found["place"] not in places]
    if any(found["cause"] == "precision" and found["place"] for found in manners):
        return [found for found in explained if found["place"]] + manners
    return explained + manners


def without_echoes(findings):
    """The findings, each thing once: what a more precise finding explains already is left out."""
    kept = []
    for found in findings:
        if not is_echo(found, findings) and not any(is_repeated(found, other) for other in kept):
            kept.append(found)
    return sorted(kept, key=lambda found: found["cause"] == "unexplained")


def is_echo(found, findings):
    """Whether another finding explains this one."""
    cause, place = found["cause"], found["place"]
    here = {other["cause"] for other in findings if other["place"] == place}
    of_array = {other["cause"] for other in findings if (other["place"], other["array"]) == (place, found["array"])}
    everywhere = {other["cause"] for other in findings}
    return (cause == "factor" and "not zeroed" in here
            or cause in ("elementwise", "unexplained") and "dtype" in of_array
            or cause == "redrawn" and "updates" in here
            or cause == "nonlinear" and ("updates" in here or of_array - {"unexplained", "nonlinear", "factor"})
            or not place and any(other["place"] and other["cause"] == cause for other in findings)
            or cause == "unexplained" and MANNERS & (here if place else everywhere))


def is_repeated(found, other):
    """Whether two findings of one place say the same."""
    keys = ("place", "array", "cause") if found["cause"] == "precision" else ("place", "sentence")
    return all(found[key] == other[key] for key in keys)
