"""Who checks the checker? Put a mistake into each line of a right backward, one at a time, and see whether it is found.

That is mutation testing, and each mistake is a mutant; operators.py has the slips. A mutant is *killed* when the check
does not pass. It *survives* when it does. It is *equivalent* when it computes the same, which needs a proof: the proofs
stand in EQUIVALENT. This file makes the mutants; score.py says what became of them. The methods are found by running
every class at its examples: those that its backward calls and its forward does not.

    from numpyae.gradcheck import mutants, score
    print(score.in_words(score.run(mutants.mutants())))               the whole library
    print(score.in_words(score.run(mutants.mutants(MyLayer))))        a class of your own, at its `examples`
"""

import ast
import collections
import functools
import itertools

import numpy as np

from numpyae.gradcheck import where
from numpyae.gradcheck.cases import cases, classes
from numpyae.gradcheck.check import fresh, subject_of
from numpyae.gradcheck.operators import BACKWARD, FORWARD
from numpyae.gradcheck.sources import in_its_place, methods_of, methods_run, replaced, sites, source_of

TRIALS = 12                           # so many of other classes, for a method that its own class has none for

# {(class.method, operator, mutated line): the proof that it computes the same}.
EQUIVALENT = {
    ("Softplus.backward", "> to >=", "return delta * (np.maximum(e, (self.a > 0)) / (1 + e))"):
        "At a = 0, the only difference, e = 1, and max(1, 0) = max(1, 1).",
    ("GaussianNLL.backward", "swap the operands of @",
     "dlogvar += ((0.5 * self.r.shape[1] - 0.5 * self.squares) @ (weight))"):
        "A product of two vectors is the same in both orders.",
    ("ContinuousBernoulliNLL.mean", "> to >=",
     "return np.where((square <= 0.0625), near, np.where(o > 0, 1 - low, low))"):
        "At |o| = 1/4 the series and the formula are equal to rounding.",
    ("ContinuousBernoulliNLL.mean", "another constant",
     "return np.where(square < 0.125, near, np.where(o > 0, 1 - low, low))"):
        "The series leaves out less than o^11 / 1.8e9, which is 6e-15 at |o| = 0.354: rounding.",
    ("ContinuousBernoulliNLL.mean", "> to >=",
     "return np.where(square < 0.0625, near, np.where((o >= 0), 1 - low, low))"):
        "At o = 0, the only difference, the series is taken.",
    ("L1Sparsity.slope", "cast to float32", "return (np.sign(m - self.rho)).astype(np.float32)"):
        "-1, 0 and 1 are the same in float32.",
    ("Sparsity.backward", "drop a summand", "return {self.index: (dh)}"):
        "The zeros only repeat dh for every sample or unit, as the sum with a delta does.",
    ("ELU.second_derivative", "another constant", "return np.exp(np.minimum(self.a, 1)) * (self.a <= 0)"):
        "Where the minimum is another, at a > 0, the other factor is 0.",
    ("ELU.second_derivative", "another cached value", "return np.exp(np.minimum(self.a, 0)) * (self.h <= 0)"):
        "h <= 0 where a <= 0, and only there.",
    ("MixturePrior.backward", "sum over all axes",
     "dlogits += np.add.reduce(da, axis=over) - np.add.reduce(dlog_p, axis=None) * pi"):
        "`over` is all axes of dlog_p.",
    ("KLSparsity.slope", "another cached value", "m = inside(self.m)"): "The slope is asked at self.m.",
    ("Contraction.backward", "another cached value", "dslope = np.add.reduce(dP * self.P[k], axis=1)"):
        "There dP is dE.",
    ("Contraction.backward", "another cached value", "dP = dP * phi.derivative()[:, None, :]"): "There dP is dE.",
}


class Trial(collections.namedtuple("Trial", "name target batch")):
    """A target and a batch at which mutants are checked; `right`: the gradients without a mistake."""

    def subjects(self):
        """Return the Subject of the target, and those of its parts alone, at the x and delta that they had."""
        rng = fresh(np.random.default_rng(0))            # the deltas that `check` draws
        whole = subject_of(self.target, self.batch, rng)
        taps = where.record(whole, whole.parts | where.containers(whole.target))
        return [whole, *(tap.alone(rng) for tap in taps)]

    @functools.cached_property
    def right(self):
        return gradients_of(self.subjects())


def gradients_of(subjects):
    """Return {(number, term, name): gradient} of every array of these subjects, for every term alone.

    Pieces of arrays are there too, and the deltas that the parts receive.
    """
    found = {}
    for number, subject in enumerate(subjects):
        for term in (None, *subject.terms):
            for name, gradient in subject.gradients(term).items():
                gradient = np.array(gradient, dtype=np.float64)
                found[number, term, name] = gradient
                for title, start, stop in subject.pieces.get(name, ()) if gradient.ndim else ():
                    found[number, term, title] = gradient[..., start:stop]
    for tap in where.record(subjects[0], subjects[0].parts):
        found |= {(tap.place, None, number): delta for number, delta in enumerate(tap.deltas)}
    return found


# Which methods, and at what they are tried

@functools.cache
def trials_of(cls):
    """Return the trials of one class: its examples, and the models around them."""
    return [Trial(*case) for case in cases(np.random.default_rng(0), cls)]


def methods(*chosen):
    """Return {(class, method): (trials, operators)} for these classes, or the library: whatever runs in their checks.

    A method that runs on the way back only is mutated by all operators, one of the way forward by those of FORWARD.
    """
    tried, ours = chosen or classes(), not chosen
    known = methods_of([*chosen, *(base for cls in tried for base in cls.__mro__
                                   if base.__module__.startswith("numpyae.") == ours)])
    forward, back = {}, {}
    for cls, trial in ((cls, trial) for cls in tried for trial in trials_of(cls)):
        subject = subject_of(trial.target, trial.batch, np.random.default_rng(0))
        for reached, run in ((forward, subject.forward), (back, lambda: subject.backward(subject.deltas))):
            for method in methods_run(run, known):
                reached.setdefault(method, {}).setdefault(cls, []).append(trial)
    return {method: (nearest(method[0], {**forward, **back}[method]), FORWARD if method in forward else BACKWARD)
            for method in known.values() if method in forward or method in back}


def nearest(cls, trials):
    """Return the trials of the class itself, then of those that inherit from it; or else some of others, in turn."""
    below = [other for other in trials if issubclass(other, cls)] or trials
    if cls in trials:
        return [*trials[cls], *(trial for other in below if other is not cls for trial in trials[other])]
    own_first = [sorted(trials[other], key=lambda trial: not isinstance(trial.target, cls)) for other in below]
    return [trial for turn in itertools.zip_longest(*own_first) for trial in turn if trial is not None][:TRIALS]


# Making mutants

class Mutant(collections.namedtuple("Mutant", "name cls method trials operator source line mutated expected")):
    """One mistake: `name` (class.method), `operator`, `line` and `mutated`.

    `expected`: the causes that describe it.
    """

    def apply(self):
        """Put the mistake in place; afterwards the method is what it was."""
        return in_its_place(self.cls, self.method, self.source)

    def __repr__(self):
        return f"{self.name}, {self.operator}: {self.line} -> {self.mutated}"


def mutants(*chosen):
    """Return all mutants of these classes, or of the whole library, without duplicates.

    Raise TypeError for a class without examples.
    """
    return [mutant for (cls, method), (trials, operators) in methods(*chosen).items()
            for mutant in mutants_of(cls, method, trials, operators)]


def mutants_of(cls, method, trials=None, operators=BACKWARD):
    """Return the mutants of one method; raise RuntimeError when its source holds nothing to mutate."""
    trials = trials_of(cls) if trials is None else trials
    seen, found = {ast.dump(ast.parse(source_of(cls, method)))}, []
    for source, site in sites(cls, method, trials[0].subjects()[0]):
        for operator, text, expected in [made for operator in operators for made in operator(site)]:
            changed, row = replaced(source, site.node, text), site.node.lineno - 1
            same = ast.dump(ast.parse(changed))
            if same not in seen:
                seen.add(same)
                lines = (version.splitlines()[row].split("  #")[0].strip() for version in (source, changed))
                found.append(Mutant(f"{cls.__name__}.{method}", cls, method, trials, operator, changed, *lines,
                                    frozenset(expected)))
    if not found and operators is not FORWARD:
        raise RuntimeError(f"mutants: nothing to mutate in {cls.__name__}.{method}")
    return found
