"""Data drawn from a formula: the distribution is known, so what a model learns can be compared with the truth.

`noisy_sine` is the regression problem of [000]: ten measurements of a sine wave, few enough that a polynomial of
degree 9 goes through every one of them and is wrong everywhere else. `two_moons` is the smallest set that no straight
line, and no linear code, can separate. `binarize` makes black-and-white pictures of grey ones, anew each time it is
called: a grey level x in [0, 1] is read as the probability of white, which is the one reading under which a Bernoulli
likelihood is exact.

All random numbers come from `rng`, a numpy.random.Generator; None means fresh entropy.
"""

import operator

import numpy as np

CHUNK = 2**18   # numbers handled at once: temporaries of 1 or 2 MB, which also fit a processor's cache


def noisy_sine(n=10, sigma=0.3, rng=None):
    """n noisy measurements of one period of a sine: t = sin(2πx) + sigma ε, ε ~ N(0, 1), x evenly spaced on [0, 1].

    Returns x (n, 1) and t (n, 1), float64. ValueError for n < 1 or a sigma that is negative or not finite, TypeError
    for an n that is not an integer. Source: [000]; Bishop 2006 (PRML), figure 1.2.
    """
    n = check_count("noisy_sine: n", n)
    sigma = check_sigma("noisy_sine: sigma", sigma)
    epsilon = np.random.default_rng(rng).standard_normal((n, 1))
    x = np.linspace(0, 1, n).reshape(n, 1)
    t = np.sin(2 * np.pi * x) + sigma * epsilon
    return x, t


def two_moons(n, sigma=0.05, rng=None):
    """Two interleaved half circles of radius 1, with noise: for angles a ~ U(0, π) and ε ~ N(0, I),

        x = (cos a, sin a) + sigma ε             where y = 0
        x = (1 - cos a, ½ - sin a) + sigma ε     where y = 1

    Returns x (n, 2) float64 and y (n,) int64, which alternates 0, 1, 0, … ValueError for n < 1 or a sigma that is
    negative or not finite, TypeError for an n that is not an integer.
    """
    n = check_count("two_moons: n", n)
    sigma = check_sigma("two_moons: sigma", sigma)
    rng = np.random.default_rng(rng)
    y = np.arange(n, dtype=np.int64) % 2
    a = rng.uniform(0, np.pi, n)
    circle = np.column_stack([np.cos(a), np.sin(a)])
    x = np.where(y[:, None] == 0, circle, [1, 0.5] - circle)
    return x + sigma * rng.standard_normal((n, 2)), y


def binarize(rng, x):
    """Black-and-white pictures from grey ones: each pixel is 1 with probability x, else 0, independently.

    x (N, …) in [0, 1], float32 or float64; returns a new array of its shape and dtype. `fit(…, each_epoch=binarize)` calls
    it so, rng first; rng=None means fresh entropy. TypeError for another dtype, ValueError for values outside [0, 1] or NaN.
    Source: Salakhutdinov & Murray 2008, section 5, there drawn once; drawn anew for each epoch it is the Bernoulli
    likelihood's own noise (Burda 2016, section 5).
    """
    if not (isinstance(x, np.ndarray) and x.ndim >= 1):
        raise TypeError(f"binarize: x must be an array of shape (N, ...), got {type(x).__name__}")
    check_dtype("binarize: the dtype of x", x.dtype)
    rng = np.random.default_rng(rng)
    out = np.empty(x.shape, x.dtype)
    rows = max(1, CHUNK // max(1, x[:1].size))
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        check_unit_interval("binarize: x", x[part])
        u = rng.random(x[part].shape, x.dtype)
        np.less(u, x[part], out=out[part])
    return out


def check_unit_interval(what, x):
    """ValueError unless all of x lies in [0, 1]."""
    if x.size and not (x.min() >= 0 and x.max() <= 1):     # with NaN both comparisons are False
        raise ValueError(f"{what} must lie in [0, 1], got values from {x.min():g} to {x.max():g}")


def check_count(what, n):
    """n as an int; TypeError unless it is an integer, ValueError unless it is at least 1."""
    try:
        count = operator.index(n)
    except TypeError:
        count = None
    if count is None or isinstance(n, bool):         # True is an integer to Python, but nobody's number of samples
        raise TypeError(f"{what} must be an integer, got {n!r}")
    if count < 1:
        raise ValueError(f"{what} must be at least 1, got {count}")
    return count


def check_sigma(what, sigma):
    """sigma as a float; TypeError unless it is a number, ValueError unless 0 <= sigma < infinity."""
    try:
        value = float(sigma)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a number, got {sigma!r}") from None
    if not 0 <= value < np.inf:
        raise ValueError(f"{what} must be finite and not negative, got {value:g}")
    return value


def check_dtype(what, dtype):
    """dtype as a numpy.dtype; TypeError unless it is float32 or float64."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = dtype
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(f"{what} must be float32 or float64, got {found}")
    return found
