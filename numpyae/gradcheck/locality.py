"""What an element of the gradient may depend on: an experiment instead of a formula.

Every layer and loss here works sample by sample, and most of them element by element. Then an element of the gradient may depend
on nothing but its own row, or its own place. Whether it does is seen by changing everything else. A gradient that depends on other
samples was summed over the wrong axis; one that depends on its own place only, and is wrong, has a wrong formula for the local
derivative, even where that formula has no name.
"""

import numpy as np

SAME = 1e-9                           # relative: what changes by less has not changed
PLACES = 5                            # so many elements are tried


def of_gradient(subject, name, term):
    """(row, place): does an element of this gradient depend on its own row, on its own place only? None where it cannot be asked."""
    array = subject.inputs.get(name)
    if array is None or array.ndim != 2 or len(array) < 2:
        return None
    values, before = subject.values(), gradient(subject, name, term)
    subject.restore(values)
    again = gradient(subject, name, term)
    subject.restore(values)
    for delta in subject.deltas:
        delta *= -2
    double = gradient(subject, name, term)
    subject.restore(values)
    for delta in subject.deltas:
        delta /= -2
    if not (np.array_equal(before, again) and np.allclose(double, -2 * before, rtol=SAME, atol=0)):
        return None                                                          # not even the same twice, or not linear in delta
    found = [unmoved(subject, name, term, before, values, by_row) for by_row in (True, False)]
    subject.restore(values)
    subject.forward()
    return tuple(found)


def of_truth(subject, name):
    """The same of the true gradient: f must be a sum over rows, or places, that do not know of each other."""
    array, D = subject.inputs[name], features(subject)
    rows = additive(subject, array, (0, slice(None)), (1, slice(None))) and others_stay(subject, array, len(array) // 2)
    return rows, D < 2 or additive(subject, array, (0, 0), (0, 1)) and other_places_stay(subject, array, D)


def others_stay(subject, array, row):
    """Whether a change of this row moves no other row of the outputs: a linear mixture of rows is additive, too."""
    before, kept = [np.copy(output) for output in subject.forward()], array.copy()
    array[row] += 0.3 * (np.abs(kept).max() or 1)
    after = [np.copy(output) for output in subject.forward()]
    array[...] = kept
    subject.forward()
    axes = [sample_axis(output, len(array)) for output in before]
    return all(np.array_equal(np.delete(old, row, axis), np.delete(new, row, axis)) for old, new, axis in zip(before, after, axes))


def other_places_stay(subject, array, D):
    """Whether a change of the first place moves no other place of the outputs: a linear mixture of places is additive, too."""
    before, kept = [np.copy(output) for output in subject.forward()], array.copy()
    array[:, 0] += 0.3 * (np.abs(kept).max() or 1)
    after = [np.copy(output) for output in subject.forward()]
    array[...] = kept
    subject.forward()
    moved = [np.flatnonzero(np.any(old != new, axis=tuple(range(old.ndim - 1)))) for old, new in zip(before, after)
             if sample_axis(old, len(array)) < old.ndim - 1]
    return all(np.all(places % D == 0) for places in moved)


def gradient(subject, name, term):
    """This gradient at the present values of all arrays."""
    subject.forward()
    return np.array(subject.gradients(term)[name], dtype=np.float64)


def sample_axis(array, N):
    """The axis of the N samples in (N,), (N, D), (K, N, D) of K draws, or (K, N), one number for each draw and sample."""
    return array.ndim - 1 - (array.ndim > 1 and array.shape[-2] == N)


def features(subject):
    """How many places a row has: the smallest width, of which others hold two, such as μ and logvar."""
    N = len(next(iter(subject.inputs.values())))
    return min(array.shape[-1] for array in movable(subject) if sample_axis(array, N) < array.ndim - 1)


def movable(subject):
    """The arrays that have a row for each sample."""
    return [array for array in (*subject.inputs.values(), *subject.fixed.values(), *subject.deltas) if array.dtype.kind == "f"]


def unmoved(subject, name, term, before, values, by_row):
    """Whether an element stays what it is while all other rows, or places, change a little."""
    rng, D, size = np.random.default_rng(0), features(subject), np.abs(before).max(initial=0) or 1.0
    deltas = [delta.copy() for delta in subject.deltas]
    try:
        for i in rng.permutation(before.size)[:PLACES]:
            row, column = divmod(int(i), before.shape[1])
            for array in movable(subject):
                own = np.zeros(array.shape, dtype=bool)
                axis = sample_axis(array, len(before))
                rows = np.moveaxis(own, axis, 0)
                rows[row] = True if by_row or axis == array.ndim - 1 else np.arange(array.shape[-1]) % D == column % D
                array[~own] *= rng.uniform(0.8, 1.0, np.sum(~own))
            now = gradient(subject, name, term)
            subject.restore(values)
            for delta, kept in zip(subject.deltas, deltas):
                delta[...] = kept
            if not abs(now[row, column] - before[row, column]) <= SAME * size:
                return False
        return True
    finally:
        subject.restore(values)
        for delta, kept in zip(subject.deltas, deltas):
            delta[...] = kept


def additive(subject, array, first, second):
    """Whether f(both moved) - f(one moved) - f(other moved) + f = 0 for two rows, or two places of one row."""
    kept, values = array.copy(), []
    for moved in ((), (first,), (second,), (first, second)):
        for place in moved:
            array[place] += 0.3 * (np.abs(kept).max() or 1)
        values.append(float(np.atleast_1d(subject.f())[0]))
        array[...] = kept
    none, one, other, both = values
    return abs(both - one - other + none) <= SAME * max(map(abs, (none, one, other, both, 1e-300)))
