"""The score of the mutants: killed or survived, the cause that the check named, and whether it is the right one.

Here the right gradient is at hand, so `exact_causes` knows whether the wrong one is exactly c times the right one. For
the rest the operator of the mutant says what it did. A cause that is named and not true counts as wrong, whatever else
is named.
"""

import collections
import itertools
import random
import traceback

import numpy as np

from numpyae import gradcheck
from numpyae.described import with_subclasses
from numpyae.gradcheck.mutants import EQUIVALENT, gradients_of, mutants
from numpyae.gradcheck.sources import quiet
from numpyae.penalties import Penalty

ENOUGH = 1                            # so many trials that a mutant fails in are looked at
MEASURED = {"unexplained", "nonlinear", "slip"}          # true whenever they are said
FACTS = {"raises", "shape"}           # causes that are not guessed: it did raise, and where it did is said


def exact_causes(mutant):
    """Return (causes, factors, all): what is exactly true of some array, and whether that explains all in one trial.

    That is every array that the mutant affects in the first trial that it affects.
    """
    causes, factors, explained = set(), [], []
    for trial in mutant.trials:
        subjects = trial.subjects()
        try:
            with mutant.apply(), quiet():
                wrong = gradients_of(subjects)
            found = [(term, *relation(right, wrong[number, term, name]))
                     for (number, term, name), right in trial.right.items()]
        except Exception:             # whatever a mutant breaks, a shape among it
            causes.add("raises")
            explained.append(False)
            continue
        factors += [c for _, whole, some, _ in found for c in (some, whole) if c not in (None, 1)]
        true = {"precision": nearly_right(trial.right, wrong),
                "not zeroed": any(shifted for *_, shifted in found),
                "term": any(whole not in (None, 1) and term is not None for term, whole, *_ in found)}
        causes |= {cause for cause, holds in true.items() if holds}
        wholes = {whole for _, whole, *_ in found}
        explained += [None not in wholes] if wholes != {1} else []
    causes |= {"zero" if c == 0 else "sign" if abs(c + 1) < 1e-9 else "factor" for c in factors}
    return causes, factors, explained[:1] == [True]


def nearly_right(right, wrong):
    """Return whether something is wrong, but nothing by more than float32 would make it."""
    return (all(np.allclose(wrong[at], right[at], rtol=0, atol=2e-6 * np.abs(right[at]).max(initial=0)) for at in right)
            and any(np.any(right[at] != wrong[at]) for at in right))


def exact_factor(right, wrong):
    """Return c where wrong = c right to rounding, 1 when they are equal, else None."""
    largest = np.abs(wrong).max(initial=0)
    if not np.isfinite(largest):
        return None
    if np.abs(wrong - right).max(initial=0) <= 1e-12 * np.abs(right).max(initial=0):
        return 1
    if largest <= 1e-13 * np.abs(right).max(initial=0):
        return 0
    c = np.sum(right * wrong) / (np.sum(right * right) or 1)
    return c if np.abs(wrong - c * right).max(initial=0) <= 1e-11 * largest else None


def relation(right, wrong):
    """Return (`exact_factor`, that of the elements that are wrong, whether all elements are off by one number).

    The second is None, and the third False, where there are not several. Raise ValueError for another shape.
    """
    if wrong.shape != right.shape:
        raise ValueError(f"relation: expected shape {right.shape}, got {wrong.shape}")
    gap = wrong - right
    changed = np.abs(gap) > 1e-12 * np.abs(right).max(initial=0)
    return (exact_factor(right, wrong), exact_factor(right[changed], wrong[changed]) if np.sum(changed) > 1 else None,
            gap.size > 1 and gap.flat[0] != 0 and bool(np.ptp(gap) <= 1e-9 * np.abs(gap).max()))


class Outcome(collections.namedtuple("Outcome", "mutant fate why causes diagnosis place",
                                     defaults=("", (), None, None))):
    """The outcome of a mutant: its fate "killed", "survived" or "equivalent" (and why), and the causes found.

    The diagnosis is "right", "wrong" or "unexplained"; `place` tells whether the place is right, None where none was
    named.
    """


def run(mutants, progress=None, enough=ENOUGH):
    """Return the outcomes of these mutants; progress(done, of) is called after each."""
    outcomes = []
    for mutant in mutants:
        outcomes.append(outcome(mutant, enough))
        if progress is not None:
            progress(len(outcomes), len(mutants))
    return outcomes


def outcome(mutant, enough=ENOUGH):
    """Return the outcome of one mutant, checked at its trials until it has failed so many of them."""
    reports = list(itertools.islice((findings for trial in mutant.trials
                                     if (findings := findings_of(trial, mutant)) is not None), enough))
    if not reports:
        why = EQUIVALENT.get((mutant.name, mutant.operator, mutant.mutated), "")
        return Outcome(mutant, "equivalent" if why else "survived", why)
    with quiet():
        causes, factors, explained = exact_causes(mutant)
    if mutant.operator.startswith("exp(logvar / 2)"):    # a wrong forward: its backward gives half of the true gradient
        causes, factors, explained = {"factor"}, [0.5], False
    expected = causes | mutant.expected - ({"elementwise"} if explained else set())
    every = [found for findings in reports for found in findings]
    expected |= FACTS | {found["cause"] for found in every if mutant.name in found["sentence"]} & {"slip"}
    judged = {judge(findings, expected, factors) for findings in reports}
    diagnosis = next(word for word in ("wrong", "right", "unexplained") if word in judged)
    named = [findings[0]["layer"] for findings in reports if findings and findings[0]["layer"]]
    asking = {type(trial.target) for trial in mutant.trials if isinstance(trial.target, Penalty)}
    places = tuple(cls.__name__ for cls in (*with_subclasses(mutant.cls), *asking))
    place = all(layer.startswith(places) for layer in named) if named else None
    return Outcome(mutant, "killed", "", tuple(found["cause"] for found in every), diagnosis, place)


def findings_of(trial, mutant):
    """Return None when the check passes with this mistake, else its findings."""
    try:
        with mutant.apply(), quiet():
            report = gradcheck.check(trial.target, *trial.batch)
    except Exception as error:        # of the model, before there is anything to compare; or the check itself is broken
        broken = "gradcheck" in traceback.extract_tb(error.__traceback__)[-1].filename
        return [{"place": "", "layer": "", "cause": "broken check" if broken else "raises", "sentence": str(error)}]
    return None if report.ok else report.findings


def judge(findings, expected, factors):
    """Return "right" when a finding of the first place describes the mistake and none is false.

    Return "wrong" when one is false, "unexplained" when none says a thing.
    """
    said = [found for found in findings if found["cause"] not in MEASURED or found["cause"] in expected & {"slip"}]
    for found in said:
        if found["cause"] not in expected or found["cause"] == "factor" and not known(found["factor"], factors):
            return "wrong"
    said += [found for found in findings if found["cause"] == "nonlinear" and "nonlinear" in expected]
    return "right" if any(found["place"] == findings[0]["place"] for found in said) else "unexplained"


def known(factor, factors):
    """Return whether this is one of the factors."""
    return any(abs(factor - c) <= 1e-6 * abs(c) for c in factors)


def sample(mutants, n, seed=0):
    """Draw n of the mutants."""
    return random.Random(seed).sample(mutants, min(n, len(mutants)))


def in_words(outcomes):
    """Return a text: totals, the table of operators against causes, and every survivor and wrong diagnosis."""
    killed = [o for o in outcomes if o.fate == "killed"]
    fates, words = collections.Counter(o.fate for o in outcomes), collections.Counter(o.diagnosis for o in killed)
    placed = [o.place for o in killed if o.place is not None]
    lines = [f"{len(outcomes)} mutants: "
             + ", ".join(f"{fates[fate]} {fate}" for fate in ("killed", "survived", "equivalent")),
             *(f"cause {word}: {100 * words[word] / max(len(killed), 1):.1f} %"
               for word in ("right", "wrong", "unexplained")),
             f"place right: {100 * sum(placed) / max(len(placed), 1):.1f} % of {len(placed)}", "", *table(killed)]
    for title, chosen in (("survived", [o for o in outcomes if o.fate == "survived"]),
                          ("wrong cause", [o for o in killed if o.diagnosis == "wrong"]),
                          ("wrong place", [o for o in killed if o.place is False]),
                          ("equivalent", [o for o in outcomes if o.fate == "equivalent"])):
        lines += ["", f"{title}: {len(chosen)}"]
        lines += [f"  {o.mutant!r}" + f"  [{', '.join(sorted(set(o.causes)))}]" * bool(o.causes) + f"  {o.why}".rstrip()
                  for o in chosen]
    return "\n".join(lines)


def table(killed):
    """Return lines, a row for each operator; in the columns are the causes found, each counted once per mutant."""
    counts = collections.Counter((o.mutant.operator, cause) for o in killed for cause in set(o.causes))
    columns = sorted({cause for _, cause in counts})
    return [f"{'':31}" + "".join(f"{cause:>12}" for cause in columns),
            *(f"{operator:31}" + "".join(f"{counts[operator, cause] or '.':>12}" for cause in columns)
              for operator in sorted({o.mutant.operator for o in killed}))]


def of_all(progress=None, *chosen):
    """Return (text, exit status) for these classes, or the library: 1 when a mutant survives that is not equivalent."""
    outcomes = run(mutants(*chosen), progress)
    return in_words(outcomes), int(any(o.fate == "survived" for o in outcomes))
