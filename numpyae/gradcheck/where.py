"""The place of a mistake: the first layer on the way back that is wrong, and not everything behind it.

A constant added to a layer's output is a parameter like any other, and its gradient is the delta that the layer
receives. So a tap is put on every part of the model: it records what the part gets and gives, and then lets a probe
take the place of its output. Comparing each delta with finite differences over the probe needs no knowledge of how the
model is built. A part that received the right delta is then checked alone, at the very x and delta it had: if its
gradients are wrong, it is the culprit. If all parts are right and a delta is wrong all the same, the mistake is in the
code between them, the model's own backward.
"""

import contextlib
import copy
import functools
import os

import numpy as np

from numpyae.gradcheck import diagnosis, invariants
from numpyae.gradcheck.parts import PenaltySubject, kind_of
from numpyae.gradcheck.sentences import finding
from numpyae.gradcheck.subjects import copies
from numpyae.gradcheck.verdicts import AGREE, DISAGREE, VERDICTS, compare, compare_array
from numpyae.layers import Layer, Sequential

SLOPES = ("derivative", "second_derivative")             # of an activation, at the a that it last saw


class Tap:
    """Stands before the methods of one part while a model runs, on a copy of it."""

    def __init__(self, place, part, log):
        self.place, self.part, self.log, self.kind = place, part, log, kind_of(part)
        self.parts, self.keepers = {"": part}, {}        # as a subject has them, for `caches`
        self.inputs, self.outputs, self.calls, self.returned = {}, {}, 0, None

    @contextlib.contextmanager
    def installed(self, probe=()):
        """Put the tap before the methods; at the end take it, and the slopes that a probe has left, away."""
        self.probe = dict(probe)
        for method in self.kind.tapped:
            setattr(self.part, method, functools.partial(self.through, method, getattr(self.part, method)))
        self.part.backward = functools.partial(self.back, self.part.backward)
        try:
            yield
        finally:
            for method in (*self.kind.tapped, *SLOPES, "backward"):
                vars(self.part).pop(method, None)

    def cached(self):
        """Return {}: all that forward keeps stands in the part."""
        return {}

    def through(self, method, run, *inputs, **options):
        """Run the part's forward; return its output, or the probe in its place."""
        given = [np.copy(array) for array in inputs]
        output = run(*inputs, **options)
        if method in self.probe:
            return self.probed(output, self.outputs[method], *self.probe[method])
        self.calls += method == self.kind.tapped[0]
        self.inputs[method], self.outputs[method] = given, np.copy(output)
        self.kept = invariants.caches(self)
        self.kept_before = copies(self.kept)
        return output

    def probed(self, output, recorded, moved, direction):
        """Return the probe that takes the place of an output, there too where the part has kept the output."""
        probe = moved.copy() if direction is None else recorded + moved * direction
        values = {slope: method(self.part) for slope in SLOPES if (method := getattr(type(self.part), slope, None))}
        for name, value in vars(self.part).items():
            if value is output:                          # a penalty may read the output here
                setattr(self.part, name, probe)
        for slope, value in values.items():              # a contraction reads φ'(a), which is no function of the probe
            setattr(self.part, slope, functools.partial(np.copy, value))
        return probe

    def back(self, run, *deltas, **options):
        """Run the part's backward, after a note of what it received and whether its cache is still what it was."""
        self.dtypes = {np.asarray(delta).dtype for delta in deltas}
        self.drawn = {"drawn": True} if "dlog_q" in options else {}          # of a posterior: its cost is that of its z
        self.deltas = [np.array(delta, dtype=np.float64)
                       for delta in (*deltas, *([options["dlog_q"]] if self.drawn else []))]
        self.spoilt = next((name for name in self.kept
                            if not np.array_equal(self.kept[name], self.kept_before[name], equal_nan=True)), None)
        self.log.append(self)
        self.returned = run(*deltas, **options)
        return self.returned

    def alone(self, rng):
        """Return the subject of the part, at the batch and the deltas that it had in the model."""
        return self.kind(self.part, self.inputs[self.kind.tapped[0]], rng, self.deltas, **self.drawn)


def record(subject, parts):
    """Return the taps on these parts after a forward and a backward pass, in the order in which backward met them."""
    log, values = [], subject.values()
    taps = [Tap(place, part, log) for place, part in parts.items() if place and kind_of(part) is not None]
    with contextlib.suppress(Exception), contextlib.ExitStack() as stack:    # `invariants.run` meets it again
        for tap in taps:
            stack.enter_context(tap.installed())
        subject.forward()
        subject.backward([delta.copy() for delta in subject.deltas])         # a backward may overwrite them
    subject.restore(values)
    return [tap for tap in log if tap.calls == 1 and log.count(tap) == 1]


def containers(whole, path=""):
    """Return {place: layer} of all layers below this whole that consist of layers."""
    found = {}
    for name, part in getattr(whole, "_parts", {}).items():
        if part._parts:
            found |= containers(part, f"{path}{name}.") | ({path + name: part} if isinstance(part, Layer) else {})
    return found


def manners(subject, taps, rng):
    """Return what is wrong with the manners of a part, each part alone."""
    findings, float64 = [], np.dtype(np.float64)
    for before, tap in zip([None, *taps], taps):
        other = tap.dtypes - {float64, np.dtype(object)}
        if other and (before is None or before.dtypes == {float64}):
            dtype = other.pop()
            said = f"the delta that reaches {tap.part!r} ({tap.place}) is {dtype}, and everything else float64"
            findings.append(between(subject, before, tap,
                                    finding("precision" if dtype == np.float32 else "dtype", said)))
        said = f"{tap.spoilt}, which forward kept, was changed by another part before backward read it"
        found = [finding("in place", said, tap.spoilt)] if tap.spoilt is not None else []
        findings += placed(found + invariants.run(tap.alone(rng), rng)[1], tap)
    if taps:
        subject.forward()
    return findings


def placed(findings, tap):
    """Return the findings with the place of the tap."""
    layer = type(tap.part).__name__ if tap.part._parts else repr(tap.part)
    return [{**found, "place": f"{tap.place}.{found['place']}".rstrip("."), "layer": found["layer"] or layer}
            for found in findings]


def between(subject, before, tap, found):
    """Return the finding with the place that lies between two parts: the container of both, or the model."""
    path = os.path.commonprefix([before.place.split(".") if before else [], tap.place.split(".")])
    container = functools.reduce(lambda whole, name: whole._parts[name], path, subject.target)
    return {**found, "place": ".".join(path), "layer": found["layer"] or type(container).__name__}


def explain(subject, taps, rows, rng):
    """Return the findings: where the mistake is, and what it is."""
    if not taps:
        return diagnosis.explain(subject, rows)
    first_wrong, right = walk_back(subject, taps, rng)
    findings = ([found for tap in right for found in placed(wrong_alone(tap.alone(rng), rng), tap)]
                or wrong_penalties(subject, taps, rng))
    if findings:
        return findings
    innermost_first = sorted(record(subject, containers(subject.target)), key=lambda tap: -tap.place.count("."))
    whole = (placed(wrong_alone(tap.alone(rng), rng), tap) for tap in innermost_first
             if compare_delta(subject, tap, "forward", tap.deltas[0], rng)["verdict"] != VERDICTS[DISAGREE])
    findings = next(filter(None, whole), [])
    if findings or first_wrong is None:
        return findings or diagnosis.explain(subject, rows)
    tap, method, row = first_wrong
    findings = diagnosis.repaired(diagnosis.explain_delta(subject, taps, tap, method, row), subject, rows)
    return [between(subject, right[-1] if right else None, tap, found) for found in findings]


def wrong_alone(alone, rng):
    """Return the findings of a part that stands alone."""
    rows = compare(alone, {term: alone.gradients(term) for term in (None, *alone.terms)}, rng)
    return diagnosis.explain(alone, rows) if any(row["verdict"] == VERDICTS[DISAGREE] for row in rows) else []


def wrong_penalties(subject, taps, rng):
    """Return the findings of a model's penalties, each checked alone on a copy of its network, at its x."""
    findings = []
    for term, penalty, name, layers in getattr(subject.target, "penalised", ()):
        tap = next((tap for tap in taps if tap.place == f"{name}.0" or not name and tap.place.endswith(".0")), None)
        if tap is not None:
            network = subject.target._parts[tap.place.removesuffix(".0")]
            network = Sequential(*copy.deepcopy(network).layers[:len(layers)])
            alone = PenaltySubject(copy.copy(penalty), (network, tap.inputs["forward"][0]), rng)
            findings += [{**found, "place": term, "layer": found["layer"] or repr(penalty)}
                         for found in wrong_alone(alone, rng)]
    return findings


def walk_back(subject, taps, rng):
    """Return ((tap, method, row) of the first wrong delta, or None; the taps that got right ones before it).

    A delta that is wrong at a layer and right again at the next was only split: the model adds the rest of it later.
    """
    right, wrong = [], None
    for tap in taps:
        found = wrong_delta_at(subject, tap, rng, in_short=wrong is not None)
        if found is None:
            if wrong is not None and wrong[0].place.rpartition(".")[0] == tap.place.rpartition(".")[0]:
                wrong = None
            right += [tap] if wrong is None else []
        wrong = wrong or found
    return wrong, right


def wrong_delta_at(subject, tap, rng, in_short):
    """Return (tap, method, row) when a delta that this part received is wrong, else None.

    First the derivative along one random direction, then, unless that agrees or `in_short`, every element.
    """
    for method, delta in zip((method for method in tap.kind.tapped if method in tap.outputs), tap.deltas):
        output = tap.outputs[method]
        direction = np.random.default_rng(0).standard_normal(output.shape) * (np.abs(output).max(initial=0) or 1)
        row = compare_delta(subject, tap, method, delta, rng, direction)
        if row["verdict"] != VERDICTS[AGREE] and not in_short:
            row = compare_delta(subject, tap, method, delta, rng)
        if row["verdict"] == VERDICTS[DISAGREE]:
            return tap, method, row
    return None


def compare_delta(subject, tap, method, delta, rng, direction=None):
    """Return the row of the delta that a part received: the gradient of a probe in the place of its output.

    direction: move the output along it alone, by one number.
    """
    probe = tap.outputs[method].copy() if direction is None else np.zeros(())
    slope = delta if direction is None else np.asarray((delta * direction).sum())
    with tap.installed({method: (probe, direction)}):
        row, = compare_array(subject, f"delta of {tap.place}", probe, [(None, slope)], rng)
    subject.forward()
    return row
