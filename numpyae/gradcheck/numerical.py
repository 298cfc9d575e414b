"""Numerical gradients, and how far to believe them.

A central difference with step h has two errors: of truncation, h² f'''/6, and of rounding, (noise of f)/h. A large step has
the one, a small step the other. Halving the step shows the first: with A at h and B at h/2, Richardson's R = (4B - A)/3 cancels
the h² term, and |R - B| estimates what is left. The noise of f is measured: along tiny steps, where any smooth function is a
straight line, third differences are noise and nothing else. Then

    error = |R - B| + noise / (h/2)

and of several steps the one with the smallest error is taken. At a kink, such as a ReLU at exactly 0, f is a straight line on
either side, and no step shows it: there the slopes to the left and to the right differ, however small the step.
"""

import numpy as np

STEPS = (1e-3, 1e-4, 1e-2, 1e-5, 1e-1, 1e-6)       # the usual best first
GOOD = 1e-8                                        # relative error at which no other step is tried
EPS = np.finfo(np.float64).eps


def numerical_gradient(f, w, method="central"):
    """The gradient of f at w by finite differences, an array of the shape of w.

    f(w) -> float is called with w changed in place and restored afterwards. method: "central", error about 1e-10 of the scale
    of f; "richardson", with step halving and a choice of step, about 1e-12; "complex", Im f(w + ih)/h, to rounding, for f that
    accepts complex w and uses only analytic functions. TypeError unless w is float64; ValueError for another method.
    """
    if not isinstance(w, np.ndarray) or w.dtype != np.float64:
        raise TypeError(f"numerical_gradient: w must be a float64 array, got {getattr(w, 'dtype', type(w).__name__)}")
    if method == "richardson":
        return richardson(f, w, np.random.default_rng(0))[0]
    if method == "complex":
        return complex_step(f, w)
    if method != "central":
        raise ValueError(f'numerical_gradient: method must be "central", "richardson" or "complex", got {method!r}')
    gradient = np.empty(w.shape)
    for index in np.ndindex(w.shape):
        gradient[index] = central(f, w, index, 6e-6 * max(1.0, abs(w[index])))
    return gradient


def central(f, w, index, h):
    """(f(w + h e_i) - f(w - h e_i)) / 2h; w[index] is restored, also when f raises."""
    value = w[index]
    try:
        w[index] = value + h
        above, up = float(f(w)), w[index]
        w[index] = value - h
        below, down = float(f(w)), w[index]
    finally:
        w[index] = value
    return (above - below) / (up - down)             # up - down is the step that rounding left of 2h


def richardson(f, w, rng):
    """(gradient, error), both in the shape of w: per element the step with the smallest error estimate."""
    gradient, error = np.empty(w.shape), np.empty(w.shape)
    if not w.size:
        return gradient, error
    scale = scale_of(w)
    with np.errstate(all="ignore"):                      # a step may leave the domain of f: then another one is taken
        noise = noise_of(f, w, scale, rng)
        for index in np.ndindex(w.shape):
            gradient[index], error[index] = one_element(f, w, index, scale[index], noise)
    return gradient, error


def scale_of(w):
    """How large a step is large, per element: |w|, or its root mean square where that is larger; 1 where all is 0."""
    typical = np.sqrt(np.mean(w**2))
    return np.maximum(np.abs(w), typical) if typical else np.ones_like(w)


def kink(f, w, index, scale, noise):
    """The slopes of f to the left and to the right of w[index], the smaller first, where f has a kink there; else None.

    A kink's slopes differ no less for a step eight times smaller; those of a smooth function differ eight times less.
    """
    left, right = one_sided(f, w, index, 1e-5 * scale)
    h = 1e-5 * scale / 8
    nearer_left, nearer_right = one_sided(f, w, index, h)
    gap, nearer_gap = abs(right - left), abs(nearer_right - nearer_left)
    if nearer_gap > 0.5 * gap and nearer_gap > 8 * noise / h:
        return min(nearer_left, nearer_right), max(nearer_left, nearer_right)
    return None


def one_sided(f, w, index, h):
    """(f(w) - f(w - h e_i)) / h and (f(w + h e_i) - f(w)) / h; w[index] is restored, also when f raises."""
    value, middle = w[index], float(f(w))
    try:
        w[index] = value + h
        above = float(f(w))
        w[index] = value - h
        below = float(f(w))
    finally:
        w[index] = value
    return (middle - below) / h, (above - middle) / h


def one_element(f, w, index, scale, noise):
    """(R, error) of ∂f/∂w[index], with the best of several steps: shares of scale, then of |w| where that is much smaller."""
    best = (np.nan, np.inf)
    steps = [step * scale for step in STEPS]
    if 0 < abs(w[index]) < 1e-2 * scale:
        steps += [step * abs(w[index]) for step in STEPS]
    for h in steps:
        A, B = central(f, w, index, h), central(f, w, index, h / 2)
        R = (4 * B - A) / 3
        error = abs(R - B) + noise / (h / 2) + 8 * EPS * abs(R)
        if error < best[1]:
            best = (R, error)
        if best[1] <= GOOD * abs(best[0]):
            break
    return best


def noise_of(f, w, scale, rng):
    """The rounding noise of f near w: from third differences along steps so small that f is a straight line there.

    ValueError when f gives NaN, or two values at one point: noise drawn anew in each call is no function of w.
    """
    values = [float(f(w)), float(f(w))]
    if not np.isfinite(values[0]):
        raise ValueError(f"gradcheck: f must be finite at the point of the check, got {values[0]}")
    if values[0] != values[1]:
        raise ValueError(f"gradcheck: f must give the same value at the same point, got {values[0]:.17g} and {values[1]:.17g}: "
                         "is noise drawn anew in each call?")
    direction = np.where(w == 0, scale, np.abs(w)) * rng.standard_normal(w.shape)
    start = w.copy()
    try:
        values = []
        for k in range(9):
            w[...] = start + k * 1e-6 * direction
            values.append(float(f(w)))
    finally:
        w[...] = start
    third = np.diff(values, 3)
    return 4 * np.sqrt(np.mean(third**2) / 20) + 2 * EPS * abs(values[0])      # 1 + 9 + 9 + 1 = 20 variances in each


def complex_step(f, w):
    """Im f(w + ih e_i) / h with h = 1e-30: nothing is subtracted, so nothing cancels."""
    gradient = np.empty(w.shape)
    for index in np.ndindex(w.shape):
        point = w.astype(complex)
        point[index] += 1e-30j
        gradient[index] = np.imag(f(point)) / 1e-30
    return gradient
