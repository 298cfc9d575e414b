"""Locality: an experiment, instead of a formula, says what an element of the gradient depends on.

Every layer and loss here works sample by sample, and most of them element by element. Then an element of the gradient
may depend on nothing but its own row, or its own place. The experiment changes everything else and looks whether the
element stays. A gradient that depends on other samples was summed over the wrong axis. One that depends on its own
place only, and is wrong, has a wrong formula for the local derivative, even where that formula has no name.
"""

import numpy as np

SAME = 1e-9                           # relative: what changes by less has not changed
PLACES = 5                            # so many elements are tried


def dependence(subject, name, term, mixes_columns):
    """Return whether this gradient and the true one depend on (their own row only, their own place only).

    Return None where that cannot be asked: the gradient is not the same twice, or not linear in delta.
    """
    array = subject.inputs.get(name)
    if array is None or array.ndim != 2 or len(array) < 2:
        return None
    values, deltas = subject.values(), [delta.copy() for delta in subject.deltas]

    def now(factor=1):
        """Return the gradient for the deltas times this factor; then put everything back."""
        for delta in subject.deltas:
            delta *= factor
        try:
            return np.array(subject.gradients(term)[name], dtype=np.float64)
        finally:
            subject.restore(values)
            for delta, kept in zip(subject.deltas, deltas):
                delta[...] = kept

    before = now()
    if not (np.array_equal(before, now()) and np.allclose(now(-2), -2 * before, rtol=SAME, atol=0)):
        return None
    mine = tuple(unmoved(subject, now, before, by_row) for by_row in (True, False))
    subject.forward()
    return mine, of_truth(subject, array, mixes_columns)


def unmoved(subject, now, before, by_row):
    """Return whether elements of the gradient now() stay while all other rows, or places, change a little."""
    rng, D, size = np.random.default_rng(0), features(subject), np.abs(before).max(initial=0) or 1.0
    for i in rng.permutation(before.size)[:PLACES]:
        row, column = divmod(int(i), before.shape[1])
        for array in movable(subject):
            own = np.zeros(array.shape, dtype=bool)
            axis = sample_axis(array, len(before))
            whole = by_row or axis == array.ndim - 1
            np.moveaxis(own, axis, 0)[row] = whole or np.arange(array.shape[-1]) % D == column % D
            array[~own] *= rng.uniform(0.8, 1.0, np.sum(~own))
        if not abs(now()[row, column] - before[row, column]) <= SAME * size:
            return False
    return True


def of_truth(subject, array, mixes_columns):
    """Return whether the true gradient depends on (its own row only, its own place only): f is then a sum over them."""
    D = features(subject)
    rows = additive(subject, array, (0, slice(None)), (1, slice(None))) and all(
        np.array_equal(*(np.delete(output, len(array) // 2, sample_axis(output, len(array))) for output in pair))
        for pair in zip(*outputs_when_moved(subject, array, len(array) // 2)))           # mixtures can be additive, too
    places = D < 2 or additive(subject, array, (0, 0), (0, 1)) and other_places_stay(subject, array, D)
    return rows, places and not mixes_columns


def outputs_when_moved(subject, array, place, share=0.3):
    """Return the outputs as they are, and with this place of the array larger by a share of its largest number."""
    before, kept = [np.copy(output) for output in subject.forward()], array.copy()
    array[place] += share * (np.abs(kept).max() or 1)
    after = [np.copy(output) for output in subject.forward()]
    array[...] = kept
    subject.forward()
    return before, after


def other_places_stay(subject, array, D):
    """Return whether a change of the first place moves no other place of the outputs: mixtures can be additive, too."""
    moved = [np.flatnonzero(np.any(old != new, axis=tuple(range(old.ndim - 1))))
             for old, new in zip(*outputs_when_moved(subject, array, (slice(None), 0)))
             if sample_axis(old, len(array)) < old.ndim - 1]
    return all(np.all(places % D == 0) for places in moved)


def sample_axis(array, N):
    """Return the axis of the N samples in (N,), (N, D), (K, N, D) of K draws, or (K, N), a number for each of them."""
    return array.ndim - 1 - (array.ndim > 1 and array.shape[-2] == N)


def features(subject):
    """Return how many places a row has: the smallest width, of which others hold two, such as μ and logvar."""
    N = len(next(iter(subject.inputs.values())))
    return min(array.shape[-1] for array in movable(subject) if sample_axis(array, N) < array.ndim - 1)


def movable(subject):
    """Return the arrays that have a row for each sample."""
    return [array for array in (*subject.inputs.values(), *subject.fixed.values(), *subject.deltas)
            if array.dtype.kind == "f"]


def additive(subject, array, first, second):
    """Return whether f(both moved) - f(one moved) - f(other moved) + f = 0 for two rows, or two places of one row."""
    kept, values = array.copy(), []
    for moved in ((), (first,), (second,), (first, second)):
        for place in moved:
            array[place] += 0.3 * (np.abs(kept).max() or 1)
        values.append(float(np.atleast_1d(subject.f())[0]))
        array[...] = kept
    none, one, other, both = values
    return abs(both - one - other + none) <= SAME * max(map(abs, (none, one, other, both, 1e-300)))
