"""Tell what became of the mutants: killed or survived, the cause that the check named, and whether it is the right one.

Whether the wrong gradient is exactly c times the right one is known here, since the right one is at hand. For the rest
the operator of the mutant says what it did. A cause that is named and not true counts as wrong, whatever else is named.
"""

import collections
import random
import traceback
from typing import NamedTuple

import numpy as np

from numpyae import gradcheck
from numpyae.gradcheck.cases import with_subclasses
from numpyae.gradcheck.mutants import EQUIVALENT, Mutant, gradients_of, mutants
from numpyae.gradcheck.sources import quiet
from numpyae.penalties import Penalty

ENOUGH = 1                            # so many trials that a mutant fails in are looked at
FACTS = {"raises", "shape"}           # causes that are not guessed


def exact_causes(mutant):
    """Return (causes, factors, all): what is exactly true of some array; whether it explains all of the first trial."""
    causes, factors, explained = set(), [], []
    for trial in mutant.trials:
        subjects = trial.subjects()
        try:
            with mutant.apply(), quiet():
                wrong = gradients_of(subjects)
            pairs = [(right, wrong[at]) for at, right in trial.right.items()]
        except Exception:             # whatever a mutant breaks
            causes.add("raises")
            explained.append(False)
            continue
        if any(one.shape != other.shape for one, other in pairs):
            causes.add("shape")
            explained.append(False)
            continue
        found = [exact_factor(*pair) for pair in pairs]
        factors += [c for c in (*found, *(factor_of_changed(*pair) for pair in pairs)) if c not in (None, 1)]
        explained += [None not in found] if any(c != 1 for c in found) else []
        causes |= {"precision"} if nearly_right(trial.right, wrong) else set()
        causes |= {"not zeroed"} if any(off_by_a_number(*pair) for pair in pairs) else set()
        in_term = [c for c, (_, term, _) in zip(found, trial.right) if term is not None]
        causes |= {"term"} if any(c not in (None, 1) for c in in_term) else set()
    causes |= {"zero" if c == 0 else "sign" if abs(c + 1) < 1e-9 else "factor" for c in factors}
    return causes, factors, explained[:1] == [True]


def nearly_right(right, wrong):
    """Return whether something is wrong, but nothing by more than float32 would make it."""
    close = all(np.allclose(wrong[at], right[at], rtol=0, atol=2e-6 * np.abs(right[at]).max(initial=0)) for at in right)
    return close and any(np.any(right[at] != wrong[at]) for at in right)


def exact_factor(right, wrong):
    """Return c where wrong = c right to rounding, 1 when they are equal, else None."""
    largest = np.abs(wrong).max(initial=0)
    if wrong.shape != right.shape or not np.isfinite(largest):
        return None
    if np.abs(wrong - right).max(initial=0) <= 1e-12 * np.abs(right).max(initial=0):
        return 1
    if largest <= 1e-13 * np.abs(right).max(initial=0):
        return 0
    c = np.sum(right * wrong) / (np.sum(right * right) or 1)
    return c if np.abs(wrong - c * right).max(initial=0) <= 1e-11 * largest else None


def factor_of_changed(right, wrong):
    """Return `exact_factor` of the elements that are wrong, where there are several."""
    changed = np.abs(wrong - right) > 1e-12 * np.abs(right).max(initial=0)
    return exact_factor(right[changed], wrong[changed]) if np.sum(changed) > 1 else None


def off_by_a_number(right, wrong):
    """Return whether all elements, if there are several, are off by one number."""
    gap = wrong - right
    return gap.size > 1 and gap.flat[0] != 0 and bool(np.ptp(gap) <= 1e-9 * np.abs(gap).max())


class Outcome(NamedTuple):
    """What became of a mutant: its fate, "killed", "survived" or "equivalent" and why; the causes found; the diagnosis.

    `diagnosis`: "right", "wrong" or "unexplained"; `place`: whether the place is right, None where none was named.
    """

    mutant: Mutant
    fate: str
    why: str = ""
    causes: tuple = ()
    diagnosis: str | None = None
    place: bool | None = None


def run(mutants, progress=None, enough=ENOUGH):
    """Check every mutant until it has failed so many trials; return the outcomes. progress(done, of) follows each."""
    outcomes = []
    for mutant in mutants:
        outcomes.append(outcome(mutant, enough))
        if progress is not None:
            progress(len(outcomes), len(mutants))
    return outcomes


def outcome(mutant, enough=ENOUGH):
    """Check one mutant at its trials, until it has failed so many of them."""
    reports = []
    for trial in mutant.trials:
        with mutant.apply(), quiet():
            reports += findings_of(trial)
        if len(reports) == enough:
            break
    if not reports:
        why = EQUIVALENT.get((mutant.name, mutant.operator, mutant.mutated), "")
        return Outcome(mutant, "equivalent" if why else "survived", why)
    expected, factors = truth_about(mutant)
    named = [found for findings in reports for found in findings]
    expected |= {found["cause"] for found in named if mutant.name in found["sentence"]} & {"slip"}
    judged = {judge(findings, expected, factors) for findings in reports}
    diagnosis = next(word for word in ("wrong", "right", "unexplained") if word in judged)
    layers = [findings[0]["layer"] for findings in reports if findings and findings[0]["layer"]]
    place = all(layer.startswith(right_places(mutant)) for layer in layers) if layers else None
    return Outcome(mutant, "killed", "", tuple(found["cause"] for found in named), diagnosis, place)


def truth_about(mutant):
    """Return (causes, factors): what may be said of a mutant, by its operator or because it is exactly so."""
    if mutant.operator.startswith("exp(logvar / 2)"):    # a wrong forward: backward gives half of its true gradient
        return {"factor", *mutant.expected, *FACTS}, [0.5]
    causes, factors, explained = exact_causes(mutant)
    return causes | FACTS | mutant.expected - ({"elementwise"} if explained else set()), factors


def right_places(mutant):
    """Return the names under which it may be found: its class, those below, a penalty that asks a layer for a slope."""
    asking = {type(trial.target) for trial in mutant.trials if isinstance(trial.target, Penalty)}
    return tuple(cls.__name__ for cls in (*with_subclasses(mutant.cls), *asking))


def findings_of(trial):
    """Return [findings] where the check does not pass, else []."""
    try:
        report = gradcheck.check(trial.target, *trial.batch)
    except Exception as error:        # of the model, before there is anything to compare, or else the check is broken
        broken = "gradcheck" in traceback.extract_tb(error.__traceback__)[-1].filename
        return [[{"place": "", "layer": "", "cause": "broken check" if broken else "raises", "sentence": str(error)}]]
    return [] if report.ok else [report.findings]


def judge(findings, expected, factors):
    """Return "right" when a finding of the first place describes the mistake and none is false.

    Else "wrong" when one is false, and "unexplained" when none says a thing. "nonlinear" is measured, and never false.
    """
    said = [found for found in findings if found["cause"] not in ("unexplained", "nonlinear")]
    for found in said:
        if found["cause"] not in expected or found["cause"] == "factor" and not known(found["factor"], factors):
            return "wrong"
    said += [found for found in findings if found["cause"] == "nonlinear" and "nonlinear" in expected]
    return "right" if any(found["place"] == findings[0]["place"] for found in said) else "unexplained"


def known(factor, factors):
    """Return whether this is one of the factors."""
    return any(abs(factor - c) <= 1e-6 * abs(c) for c in factors)


def sample(mutants, n, seed=0):
    """Draw n of the mutants, the same for the same seed."""
    return random.Random(seed).sample(mutants, min(n, len(mutants)))


def in_words(outcomes):
    """Return a text: totals, the table of operators against causes, and every survivor and wrong diagnosis."""
    killed = [o for o in outcomes if o.fate == "killed"]
    fates, words = collections.Counter(o.fate for o in outcomes), collections.Counter(o.diagnosis for o in killed)
    placed = [o.place for o in killed if o.place is not None]
    ends = ", ".join(f"{fates[fate]} {fate}" for fate in ("killed", "survived", "equivalent"))
    shares = {word: 100 * words[word] / max(len(killed), 1) for word in ("right", "wrong", "unexplained")}
    lines = [f"{len(outcomes)} mutants: {ends}", *(f"cause {word}: {share:.1f} %" for word, share in shares.items())]
    lines += [f"place right: {100 * sum(placed) / max(len(placed), 1):.1f} % of {len(placed)}", ""]
    lines += table(killed)
    for title, chosen in (("survived", [o for o in outcomes if o.fate == "survived"]),
                          ("wrong cause", [o for o in killed if o.diagnosis == "wrong"]),
                          ("wrong place", [o for o in killed if o.place is False]),
                          ("equivalent", [o for o in outcomes if o.fate == "equivalent"])):
        lines += ["", f"{title}: {len(chosen)}"]
        for o in chosen:
            causes = f"  [{', '.join(sorted(set(o.causes)))}]" if o.causes else ""
            lines.append(f"  {o.mutant!r}{causes}  {o.why}".rstrip())
    return "\n".join(lines)


def table(killed):
    """Return rows for the operators and columns for the causes found, each counted once per mutant."""
    counts = collections.Counter((o.mutant.operator, cause) for o in killed for cause in set(o.causes))
    columns = sorted({cause for _, cause in counts})
    lines = [f"{'':31}" + "".join(f"{cause:>12}" for cause in columns)]
    return lines + [f"{operator:31}" + "".join(f"{counts[operator, cause] or '.':>12}" for cause in columns)
                    for operator in sorted({o.mutant.operator for o in killed})]


def of_all(progress=None, *chosen):
    """Return (text, exit status) of the mutants of these classes, or of the library; 1 when one survives unproved."""
    outcomes = run(mutants(*chosen), progress)
    return in_words(outcomes), int(any(o.fate == "survived" for o in outcomes))
