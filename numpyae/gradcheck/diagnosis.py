"""What the mistake is: hypotheses, tested against the discrepancy, the simplest first.

Let a be what backward gives and n the truth, with its error bar. A hypothesis is a formula for a: -n, 7 n, nᵀ, n h, x delta
instead of xᵀ delta ... (hypotheses.py). It counts only when it explains a in every element, to within the error bar; with some
thirty elements known to eight digits nothing fits by chance. Hypotheses of the same simplicity that fit are all named. When none
does, the report says "unexplained", with the angle between the two gradients and their ratio. It never guesses.
"""

import functools

import numpy as np

from numpyae.gradcheck import locality, vocabulary
from numpyae.gradcheck.hypotheses import LEVELS, Case
from numpyae.gradcheck.invariants import finding
from numpyae.gradcheck.repairs import repair
from numpyae.gradcheck.subjects import LossSubject, PosteriorSubject
from numpyae.gradcheck.verdicts import DISAGREE, VERDICTS


def explain(subject, rows):
    """Findings for every array of the rows that is wrong."""
    words = vocabulary.of_subject(subject)
    findings = []
    for name in dict.fromkeys(row["array"] for row in rows):
        wrong = [row for row in rows if row["array"] == name and row["verdict"] == VERDICTS[DISAGREE]]
        wrong = [row for row in wrong if row["term"] is not None] or wrong
        for row in wrong:
            words.locality = functools.partial(localities, subject, row, words.coupled)
            for title, case in halves(subject, row):
                findings += diagnose(case, words, title + (f", in the term {row['term']}," if row["term"] else ""), name)
    return repaired(findings, subject, rows)


def repaired(findings, subject, rows):
    """The findings, but where all that can be said is that gradients are wrong, one change of a line that makes all of them right."""
    if not findings or any(found["cause"] != "unexplained" for found in findings):
        return findings
    slip = repair(subject, rows)
    if slip is None:
        return findings
    method, old, new = slip
    sentence = f"d{findings[0]['array']} is wrong, and all is right when in {method} the line `{old}` reads `{new}`"
    return [finding("slip", sentence.replace("ddelta", "the delta"), findings[0]["array"])]


def localities(subject, row, coupled):
    """(what an element of yours depends on, what one of the truth does), each (its own row only, its own place only), or None."""
    mine = locality.of_gradient(subject, row["array"], row["term"])
    if mine is None:
        return None
    own_row, own_place = locality.of_truth(subject, row["array"])
    return mine, (own_row, own_place and not coupled)


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
    return diagnose(Case(row["shape"], row["values"]), words, f"the delta that reaches {before}", "delta")


def halves(subject, row):
    """[(title, case), ...]: one for an array, several where it holds μ, logvar, and what is below a diagonal side by side."""
    name, (*_, width) = row["array"], row["shape"] or (1,)
    if isinstance(subject, PosteriorSubject) and name == "h":
        D = subject.target.d
    elif isinstance(subject, LossSubject) and subject.target.outputs_per_feature == 2 and name == "output":
        D = width // 2
    else:
        return [("d" + name, Case(row["shape"], row["values"]))]
    found = []
    for title, start, stop in (("dmu", 0, D), ("dlogvar", D, 2 * D), ("dbelow", 2 * D, width)):
        picked = [i * width + column for i in range(row["shape"][0]) for column in range(start, stop)]
        case = Case((row["shape"][0], stop - start), row["values"], picked)
        case.index = case.index // width * (stop - start) + case.index % width - start
        case.whole = len(case.index) == len(picked)
        if case.wrong.any():
            found.append((title, case))
    return found


def diagnose(case, words, title, array):
    """The findings of one case: the explanations of the first level at which anything fits, else "unexplained"."""
    found = []
    if case.not_finite:
        found = [("unexplained", f"is NaN or infinite in {case.not_finite} of {case.not_finite + len(case.a)} elements", None)]
    elif case.wrong.any():
        for level in LEVELS:
            found = level(case, words)
            if found:
                break
    if not found:
        found = [unexplained(case)]
    return [finding(cause, f"{title} {sentence}", array, factor) for cause, sentence, factor in found[:3]]


def unexplained(case):
    """What can be said without a cause."""
    with np.errstate(all="ignore"):
        angle = float(case.a @ case.n / (np.linalg.norm(case.a) * np.linalg.norm(case.n)))
        ratio = float(np.linalg.norm(case.a) / np.linalg.norm(case.n))
    worst = int(np.argmax(np.abs(case.a - case.n)))
    at = [int(i) for i in np.unravel_index(case.index[worst], case.shape)]
    return "unexplained", (f"is wrong in {case.wrong.sum()} of {len(case.a)} elements, unexplained: cosine {angle:.4f} and norm ratio "
                           f"{ratio:.4g} to the truth; worst at {at}: yours {case.a[worst]:.6g}, numerical {case.n[worst]:.6g}"), None


def in_order(explained, manners):
    """What is wrong with the numbers first; but where a part changes what is not its own, that comes first, and what goes
    wrong between the parts needs no other explanation."""
    places = {found["place"] for found in manners if found["cause"] in ("in place", "updates", "redrawn", "stale")}
    if places:
        return manners + [found for found in explained if found["place"] and found["place"] not in places]
    if any(found["cause"] == "precision" and found["place"] for found in manners):
        return [found for found in explained if found["place"]] + manners
    return explained + manners


def alike(one, other, *keys):
    """Whether two findings have these in common."""
    return all(one[key] == other[key] for key in keys)


def without_echoes(findings):
    """Each thing once: what a more precise finding explains already is left out."""
    placed = {found["cause"] for found in findings if found["place"]}
    manners = {found["place"] for found in findings
               if found["cause"] in ("in place", "updates", "redrawn", "stale", "overwrites", "not zeroed", "precision")}
    explained = {(found["place"], found["array"]) for found in findings if found["cause"] not in ("unexplained", "nonlinear", "factor")}
    cast = {(found["place"], found["array"]) for found in findings if found["cause"] == "dtype"}
    updating = {found["place"] for found in findings if found["cause"] == "updates"}
    kept, doubled = [], {found["place"] for found in findings if found["cause"] == "not zeroed"}
    for found in findings:
        echo = (found["place"] in doubled and found["cause"] == "factor"
                or (found["place"], found["array"]) in cast and found["cause"] in ("elementwise", "unexplained")
                or found["cause"] == "redrawn" and found["place"] in updating
                or found["cause"] == "nonlinear" and ((found["place"], found["array"]) in explained or found["place"] in updating)
                or not found["place"] and found["cause"] in placed
                or found["cause"] == "precision" and any(alike(found, other, "place", "array", "cause") for other in kept)
                or found["cause"] == "unexplained" and (found["place"] in manners or manners and not found["place"])
                or any(alike(found, other, "place", "sentence") for other in kept))
        if not echo:
            kept.append(found)
    return sorted(kept, key=lambda found: found["cause"] == "unexplained")
