"""Numerical gradients, and how far to believe them.

A central difference with step h has two errors: of truncation, h² f'''/6, and of rounding, (noise of f)/h. A large
step has the one, a small step the other. Halving the step shows the first: with A at h and B at h/2, Richardson's R =
(4B - A)/3 cancels the h² term, and |R - B| estimates what is left. The noise of f is measured: along tiny steps, where
any smooth function is a straight line, third differences are noise and nothing else. Then

    error = |R - B| + noise / (h/2) + the last digit of f(w ± h), divided by h

There are two looks at an element. The first takes one step, the same for the whole array, the one that served a few of
its elements best: that costs four values of f. A difference from it is confirmed by four steps that are far apart. Only
where a doubt is left, a second look climbs down a ladder of steps, and a step counts only when the next smaller one
agrees with it, since a small |R - B| can be an accident.

At a kink, such as a ReLU at exactly 0, f is a straight line on either side, and no step shows it: there the slopes to
the left and to the right differ, however small the step.
"""

import numpy as np

from numpyae.checks import check_choice

STEPS = (1e-4, 1e-5, 1e-3, 1e-2, 1e-1, 1e-6)       # the usual best first
FAR_APART = (1e-2, 1e-6, 1e-8, 1e-11)              # steps between which a kink or a stair near the point would show
LADDER = tuple(10.0 ** (-k / 2) for k in range(2, 23))                       # 1e-1 ... 1e-11
STAIR = 100                                        # so many times its noise is the most that a stair of f is high
GOOD = 1e-6                                        # relative error at which the first look is enough
EPS = np.finfo(np.float64).eps


def numerical_gradient(f, w, method="central"):
    """Return the gradient of f at w by finite differences, an array of the shape of w.

    f(w) -> float is called with w changed in place and restored afterwards. method: "central", error about 1e-10 of
    the scale of f; "richardson", with step halving and a choice of step, about 1e-12; "complex", Im f(w + ih)/h, to
    rounding, for f that accepts complex w and uses only analytic functions. TypeError unless w is float64; ValueError
    for another method.
    """
    if not isinstance(w, np.ndarray) or w.dtype != np.float64:
        raise TypeError(f"numerical_gradient: w must be a float64 array, got {getattr(w, 'dtype', type(w).__name__)}")
    check_choice("numerical_gradient: method", method, ("central", "richardson", "complex"))
    if method == "richardson":
        return richardson(f, w, np.random.default_rng(0))[0]
    if method == "complex":
        return complex_step(f, w)
    slopes = [central(f, w, index, 6e-6 * max(1.0, abs(w[index])))[0] for index in np.ndindex(w.shape)]
    return np.array(slopes, dtype=np.float64).reshape(w.shape)


def complex_step(f, w):
    """Return Im f(w + ih e_i) / h with h = 1e-30: nothing is subtracted, so nothing cancels."""
    gradient = np.empty(w.shape)
    for index in np.ndindex(w.shape):
        point = w.astype(complex)
        point[index] += 1e-30j
        value = f(point)
        if not np.iscomplexobj(value):
            raise ValueError("numerical_gradient: f must give a complex number at a complex w, got "
                             f"{type(value).__name__}")
        gradient[index] = np.imag(value) / 1e-30
    return gradient


def central(f, w, index, h):
    """Return ((f(w + h e_i) - f(w - h e_i)) / 2h, its last digit); w[index] is restored, also when f raises."""
    up, down = w[index] + h, w[index] - h
    above, below = values_at(f, w, index, (up, down))
    step = up - down                                     # what rounding left of 2h
    return (above - below) / step, (abs(above) + abs(below)) * EPS / step


def halved(f, w, index, h, noise):
    """Return (R, error) from the steps h and h/2."""
    return extrapolated(central(f, w, index, h), central(f, w, index, h / 2), h, noise)


def extrapolated(A, B, h, noise):
    """Return (R, error) from the central differences A with step h and B with h/2, each with its last digit."""
    R = (4 * B[0] - A[0]) / 3
    return R, abs(R - B[0]) + noise / (h / 2) + 2 * B[1] + 8 * EPS * abs(R)


def richardson(f, w, rng):
    """Return (gradient, error), both in the shape of w, by a first look, and by a second where that leaves a doubt."""
    if not w.size:
        return np.zeros(w.shape), np.zeros(w.shape)
    scale = scale_of(w)
    steady(lambda: f(w))
    with np.errstate(all="ignore"):                      # a step may leave the domain of f: then another one is taken
        noise = noise_of(f, w, scale, rng)
        indices = list(np.ndindex(w.shape))
        R, error = first_look(f, w, indices, scale, noise, rng)
        for i in np.flatnonzero(~(error <= GOOD * np.abs(R))):
            R[i], error[i] = min((R[i], error[i]), second_look(f, w, indices[i], scale[indices[i]], noise),
                                 key=error_or_inf)
    return R.reshape(w.shape), error.reshape(w.shape)


def error_or_inf(pair):
    """Return the error of a pair (R, error), infinite where it is not a number."""
    return pair[1] if pair[1] == pair[1] else np.inf


def scale_of(w):
    """Return what a step is measured by, per element: |w|, or its root mean square if larger; 1 where all is 0."""
    largest = np.max(np.abs(w), initial=0)
    return np.maximum(np.abs(w), largest * np.sqrt(np.mean((w / largest) ** 2))) if largest else np.ones_like(w)


def first_look(f, w, indices, scale, noise, rng):
    """Return (R, error) of these elements, by one step for all; of shape (n, values) where f gives several values."""
    step, few = best_step(f, w, indices, scale, noise, rng)
    R, error = zip(*(few.get(index) or halved(f, w, index, step * scale[index], noise) for index in indices))
    return np.array(R, dtype=np.float64), np.array(error, dtype=np.float64)


def best_step(f, w, indices, scale, noise, rng):
    """Return the step among STEPS, shares of the scale, whose relative errors are smallest for three elements.

    With it comes what it found there: {index: (R, error)}.
    """
    few = [indices[i] for i in rng.permutation(len(indices))[:3]]
    typical, found = {}, {}
    for step in STEPS:
        found[step] = {index: halved(f, w, index, step * scale[index], noise) for index in few}
        size, error = np.sum(np.abs(list(found[step].values())), axis=0)
        # a term that is 0 has no relative error
        relative = np.max(np.divide(error, size, out=np.zeros(np.shape(size)), where=size > error))
        typical[step] = relative if relative > 0 else np.inf
        if typical[step] < 1e-3 * GOOD:
            break
    best = min(typical, key=typical.get)
    return best, found[best]


def confirmed(f, w, index, scale, noise, R, error):
    """Return whether steps that are far apart give R, too, to within the error bars, so that no ladder is needed."""
    return all(abs(now - R) <= bar + error
               for now, bar in (halved(f, w, index, step * scale, noise) for step in FAR_APART))


def second_look(f, w, index, scale, noise, same_side=None):
    """Return (R, error) of one element, from a ladder of steps; error is inf where no step can be believed.

    `same_side(h)` tells whether f is smooth between w - h e_i and w + h e_i, when somebody knows: only such steps
    count. Where f is a staircase (its summands are too large to show a small change) it is as rough as its lowest
    step. No change at all below steps that change much is no stair: it is the flat side of a kink.
    """
    steps = [step * scale for step in LADDER]
    if 0 < abs(w[index]) < 1e-2 * scale:
        steps = sorted(steps + [step * abs(w[index]) for step in LADDER], reverse=True)
    steps = [h for h in steps if same_side is None or same_side(h)]
    pairs = [(h, central(f, w, index, h), central(f, w, index, h / 2)) for h in steps]
    changes = [2 * h * abs(A) for h, (A, _), _ in pairs] + [h * abs(B) for h, _, (B, _) in pairs]
    lowest = min((change for change in changes if 0 < change < np.inf), default=0.0)
    tiny = [min(share * scale, max(steps, default=0) / 4) for share in (1e-7, 1e-9, 1e-11)]
    along = [values_at(f, w, index, [w[index] + k * h for k in range(-4, 5)]) for h in tiny]
    noise = max(noise, least_noise(along))
    digit = max((h * last for h, (_, last), _ in pairs if np.isfinite(last)), default=0.0)
    if 0 in changes and lowest <= STAIR * max(noise, digit):                 # else it is the flat side of a kink
        noise = max(noise, lowest)
    best, before = (np.nan, np.inf), (np.nan, np.inf)
    for h, A, B in pairs:
        now = extrapolated(A, B, h, noise)
        now = now if np.isfinite(now[1]) else (np.nan, np.inf)
        if abs(before[0] - now[0]) <= before[1] + now[1] < np.inf:
            nearer = min(before, now, key=error_or_inf)
            overruled = abs(nearer[0] - best[0]) > 8 * (nearer[1] + best[1])
            best = nearer if overruled else min(best, nearer, key=error_or_inf)      # f may be flat on a coarse scale
        before = now
    return best


def noise_of(f, w, scale, rng):
    """Return the rounding noise of f near w, from third differences along steps so small that f is a straight line.

    One series is enough where it shows no more than a few digits.
    """
    direction = np.where(w == 0, scale, np.abs(w)) * rng.standard_normal(w.shape)
    found = []
    for share in (1e-6, 1e-8, 1e-10):
        found.append(values_at(f, w, ..., [w + k * share * direction for k in range(9)]))
        if np.all(noise_in(found[-1]) <= 16 * EPS * np.abs(found[-1][0])):
            break
    return least_noise(found)


def values_at(f, w, index, points):
    """Return f with w[index] at each of these points, a list; w[index] is restored, also when f raises."""
    start, values = np.copy(w[index]), []
    try:
        for point in points:
            w[index] = point
            values.append(f(w))
    finally:
        w[index] = start
    return values


def steady(f):
    """Raise ValueError if f() is not finite, or not the same twice: with noise drawn anew it is no function of w."""
    value, again = f(), f()
    if not np.all(np.isfinite(value)):
        raise ValueError(f"gradcheck: f must be finite at the point of the check, got {value}")
    if not np.all(value == again):
        raise ValueError(f"gradcheck: f must give the same value at the same point, got {value} and {again}: "
                         "is noise drawn anew in each call?")


def least_noise(found):
    """Return the least noise of several series, of shorter and shorter steps.

    A bend or a kink within the longer ones is no noise. A series in which values repeat stands on one stair of f, and
    knows nothing.
    """
    clear = [values for values in found if len(np.unique(np.array(values).reshape(9, -1)[:, 0])) == 9]
    return np.minimum.reduce([noise_in(values) for values in clear or found[:1]])


def noise_in(values):
    """Return four standard deviations of the noise in equally spaced values of a straight line, at least a digit."""
    third = np.diff(np.array(values, dtype=np.float64), 3, axis=0)
    variance = np.mean(third**2, axis=0) / 20            # each third difference has 1 + 9 + 9 + 1 = 20 variances
    return 4 * np.sqrt(variance) + 2 * EPS * np.abs(values[0])


def slopes(f, w, index, scale, noise):
    """Return the slopes of f on both sides of w[index], the smaller first, where they differ, at a kink; else None.

    A kink's slopes differ no less for a step eight times smaller; those of a smooth function differ eight times less.
    """
    h = 1e-5 * scale
    left, right = one_sided(f, w, index, h)
    low, high = sorted(one_sided(f, w, index, h / 8))
    differ = high - low > 0.5 * abs(right - left) and high - low > 8 * noise / (h / 8)
    return (low, high) if differ else None


def one_sided(f, w, index, h):
    """Return (f(w) - f(w - h e_i)) / h and (f(w + h e_i) - f(w)) / h; w[index] is restored, also when f raises."""
    below, middle, above = values_at(f, w, index, (w[index] - h, w[index], w[index] + h))
    return (middle - below) / h, (above - middle) / h
