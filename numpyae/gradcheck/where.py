"""Find where the mistake is: the first layer on the way back that is wrong, and not everything behind it.

A constant added to a layer's output is a parameter like any other, and its gradient is the delta that the layer
receives. So a tap is put on every part of the model: it records what the part gets and gives, and then lets a probe
take the place of its output. Each delta is compared with finite differences over the probe, which needs no knowledge
of how the model is built. A part that received the right delta is then checked alone, at the very x and delta it had:
if its gradients are wrong, it is the culprit. If all parts are right and a delta is wrong all the same, the mistake
is between them, in a penalty or in the model's own backward.
"""

import copy
import functools

import numpy as np

from numpyae.gradcheck import diagnosis, invariants
from numpyae.gradcheck.sentences import finding
from numpyae.gradcheck.subjects import (LayerSubject, LossSubject, PenaltySubject, PosteriorSubject, PriorSubject,
                                        copies, kind_of)
from numpyae.gradcheck.verdicts import DISAGREE, VERDICTS, compare, compare_array
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer, Sequential
from numpyae.losses import Loss
from numpyae.priors import Prior

# the methods of the way forward; that of all others is `forward`
METHODS = {DiagonalGaussian: ("sample", "kl", "log_density"), Prior: ("log_density",)}
SLOPES = ("derivative", "second_derivative")             # of an activation, at the a that it last saw


class Tap:
    """Stands before the methods of one part while a model runs, on a copy of it."""

    def __init__(self, place, part, log):
        self.place, self.part, self.log = place, part, log
        self.parts, self.keepers = {"": part}, {}        # as a subject has them, for `caches`
        self.methods = METHODS.get(kind_of(part), ("forward",))
        self.inputs, self.outputs, self.calls, self.probe = {}, {}, 0, {}
        self.deltas, self.spoilt = None, None

    def install(self):
        for method in self.methods:
            setattr(self.part, method, functools.partial(self.through, method, getattr(self.part, method)))
        self.part.backward = functools.partial(self.back, self.part.backward)

    def remove(self):
        for method in (*self.methods, *SLOPES, "backward"):
            vars(self.part).pop(method, None)

    def through(self, method, run, *inputs, **options):
        """The part's forward; its output, or the probe in its place."""
        given = [np.copy(array) for array in inputs]
        output = run(*inputs, **options)
        if method in self.probe:
            probe = self.probe[method].copy()
            kind = type(self.part)
            values = {slope: getattr(kind, slope)(self.part) for slope in SLOPES if hasattr(kind, slope)}
            for name, value in vars(self.part).items():
                if value is output:                      # a penalty may read the output here
                    setattr(self.part, name, probe)
            for slope in values:                         # a contraction reads φ'(a), which is no function of the probe
                setattr(self.part, slope, functools.partial(np.copy, values[slope]))
            return probe
        self.calls += method == self.methods[0]
        self.inputs[method] = given
        self.outputs[method] = np.copy(output)
        self.kept = invariants.caches(self)
        self.kept_before = copies(self.kept)
        return output

    def back(self, run, *deltas, **options):
        """The part's backward, after a note of what it received and whether its cache is still what it was."""
        self.dtypes = {np.asarray(delta).dtype for delta in deltas}
        self.drawn = "dlog_q" in options                 # of a posterior: what it costs is estimated from the z drawn
        received = [*deltas, options["dlog_q"]] if self.drawn else deltas
        self.deltas = [np.array(delta, dtype=np.float64) for delta in received]
        self.spoilt = next((name for name, array in self.kept.items()
                            if not np.array_equal(array, self.kept_before[name], equal_nan=True)), None)
        self.log.append(self)
        return run(*deltas, **options)


    def alone(self, rng):
        """The part as a subject of its own, at the x and delta it had."""
        if isinstance(self.part, DiagonalGaussian):
            h, epsilon = self.inputs["sample"]
            return PosteriorSubject(self.part, [h], rng, list(self.deltas), epsilon, self.drawn)
        if isinstance(self.part, Prior):
            return PriorSubject(self.part, self.inputs["log_density"], rng, self.deltas[0])
        if getattr(self.part, "noise_name", None):
            self.part.replay = getattr(self.part, self.part.noise_name)
            if self.part.replay is None:                 # it was silent
                return LayerSubject(self.part, self.inputs["forward"], rng, self.deltas[0], training=False)
        if isinstance(self.part, Loss):                  # with other weights than 1/N, which hide what they multiply
            return LossSubject(self.part, self.inputs["forward"], rng)
        return LayerSubject(self.part, self.inputs["forward"], rng, self.deltas[0])


def record(subject, parts):
    """The taps on these parts after one forward and backward pass, in the order in which backward met them."""
    log, values = [], subject.values()
    taps = [Tap(place, part, log) for place, part in parts.items() if place and kind_of(part) is not None]
    for tap in taps:
        tap.install()
    try:
        subject.forward()
        subject.backward([delta.copy() for delta in subject.deltas])         # a backward may overwrite them
    except Exception:                 # `invariants.run` meets it again and says it; the last tap tells where
        pass
    finally:
        for tap in taps:
            tap.remove()
        subject.restore(values)
    return [tap for tap in log if tap.calls == 1 and log.count(tap) == 1]


def containers(whole, path=""):
    """{place: layer} of all layers below this whole that consist of layers."""
    found = {}
    for name, part in getattr(whole, "_parts", {}).items():
        if part._parts:
            found |= containers(part, f"{path}{name}.")
            found |= {path + name: part} if isinstance(part, Layer) else {}
    return found


def manners(subject, taps, rng):
    """Return findings about the manners of the parts, each part alone."""
    findings = []
    for before, tap in zip([None, *taps], taps):
        other = tap.dtypes - {np.dtype(np.float64), np.dtype(object)}
        if other and (before is None or before.dtypes == {np.dtype(np.float64)}):
            dtype = other.pop()
            cause = "precision" if dtype == np.float32 else "dtype"
            sentence = f"the delta that reaches {tap.part!r} ({tap.place}) is {dtype}, and everything else float64"
            findings.append(between(subject, before, tap, finding(cause, sentence)))
        found = invariants.run(tap.alone(rng), rng)[1]
        if tap.spoilt is not None:
            sentence = f"{tap.spoilt}, which forward kept, was changed by another part before backward read it"
            found.insert(0, finding("in place", sentence, tap.spoilt))
        findings += placed(found, tap)
    if taps:
        subject.forward()
    return findings


def placed(findings, tap):
    """The findings with the place of the tap."""
    for found in findings:
        found["place"] = f"{tap.place}.{found['place']}".rstrip(".")
        found["layer"] = found["layer"] or (type(tap.part).__name__ if tap.part._parts else repr(tap.part))
    return findings


def between(subject, before, tap, found):
    """The finding with the place that lies between two parts: the container of both, or the model."""
    path = []
    for one, other in zip(before.place.split(".") if before else [], tap.place.split(".")):
        if one != other:
            break
        path.append(one)
    container = subject.target
    for name in path:
        container = container._parts[name]
    return {**found, "place": ".".join(path), "layer": found["layer"] or type(container).__name__}


def explain(subject, taps, rows, rng):
    """Findings: where the mistake is, and what it is."""
    if not taps:
        return diagnosis.explain(subject, rows)
    first_wrong, right = walk_back(subject, taps, rng)
    findings = [found for tap in right for found in wrong_alone(tap, rng)] or wrong_penalties(subject, taps, rng)
    if findings:
        return findings
    inside_out = sorted(record(subject, containers(subject.target)), key=lambda tap: -tap.place.count("."))
    for tap in inside_out:
        if compare_delta(subject, tap, "forward", tap.deltas[0], rng)["verdict"] != VERDICTS[DISAGREE]:
            findings = wrong_alone(tap, rng)
        if findings:
            return findings
    if first_wrong is not None:
        tap, method, row = first_wrong
        before = right[-1] if right else None
        findings = diagnosis.repaired(diagnosis.explain_delta(subject, taps, tap, method, row), subject, rows)
        return [between(subject, before, tap, found) for found in findings]
    return diagnosis.explain(subject, rows)


def wrong_alone(tap, rng):
    """Return the findings of a part checked alone, at the x and delta it had."""
    return placed(explained_alone(tap.alone(rng), rng), tap)


def explained_alone(alone, rng):
    """Return the findings of a subject that is a part of another, without a place; [] where its gradients are right."""
    rows = rows_alone(alone, rng)
    return diagnosis.explain(alone, rows) if any(row["verdict"] == VERDICTS[DISAGREE] for row in rows) else []


def wrong_penalties(subject, taps, rng):
    """Return the findings of a model's penalties, each alone on a copy of the network that it sees, at its x."""
    findings = []
    for term, penalty, name, layers in getattr(subject.target, "penalised", ()):
        tap = next((tap for tap in taps if tap.place == f"{name}.0" or not name and tap.place.endswith(".0")), None)
        if tap is not None:
            network = copy.deepcopy(subject.target._parts[tap.place.removesuffix(".0")])
            network = Sequential(*network.layers[:len(layers)])
            alone = PenaltySubject(copy.copy(penalty), (network, tap.inputs["forward"][0]), rng)
            findings += [{**found, "place": term, "layer": found["layer"] or repr(penalty)}
                         for found in explained_alone(alone, rng)]
    return findings


def rows_alone(alone, rng):
    """The rows of a part that stands alone."""
    alone.forward()
    gradients = alone.backward(alone.deltas)
    by_term = {}
    for term in alone.terms:
        alone.forward()
        by_term[term] = alone.gradients(term)
    return compare(alone, gradients, by_term, rng)


def walk_back(subject, taps, rng):
    """Return ((tap, method, row) of the first delta that is wrong, or None; the taps that received right ones before).

    A delta that is wrong at a layer and right again at the next one was only split: the model adds the rest later.
    """
    right, wrong = [], None
    for tap in taps:
        found = wrong_delta_at(subject, tap, rng)
        if found is None:
            siblings = wrong is not None and wrong[0].place.rpartition(".")[0] == tap.place.rpartition(".")[0]
            wrong = None if siblings else wrong
            right += [tap] if wrong is None else []
        wrong = wrong or found
    return wrong, right


def wrong_delta_at(subject, tap, rng):
    """(tap, method, row) when a delta that this part received is wrong, else None."""
    for position, method in enumerate(method for method in tap.methods if method in tap.outputs):
        row = compare_delta(subject, tap, method, tap.deltas[position], rng)
        if row["verdict"] == VERDICTS[DISAGREE]:
            return tap, method, row
    return None


def compare_delta(subject, tap, method, delta, rng):
    """The row of the delta that a part received: it is the gradient of a probe in the place of its output."""
    probe = tap.outputs[method].copy()
    tap.install()
    tap.probe = {method: probe}
    try:
        return compare_array(subject, f"delta of {tap.place}", probe, [(None, delta)], rng)[0]
    finally:
        tap.probe = {}
        tap.remove()
        subject.forward()
