"""Data drawn from a formula: the distribution is known, so a model can be compared with the truth.

`noisy_sine` is the regression problem of [000]: ten measurements of a sine wave, few enough that a polynomial of
degree 9 goes through every one of them and is wrong everywhere else. `two_moons` is the smallest set that no straight
line, and no linear code, can separate. `swiss_roll` is a sheet rolled up in space, and `curves` are pictures that six
numbers describe: both have a code that is known. `photograph`, `whiten` and `patches` make pieces of a natural
picture, in which edges are left to learn. `binarize` makes black-and-white pictures of grey ones, anew each time it is
called: it reads a grey level x in [0, 1] as the probability of white. Under this reading a Bernoulli likelihood is
exact.

All random numbers come from `rng`, a numpy.random.Generator; None means fresh entropy.
"""

import math

import numpy as np

from numpyae.checks import FLOATS, check_number, is_number, must

CHUNK = 2**18   # numbers handled at once: temporaries of 1 or 2 MB, which also fit a processor's cache


def noisy_sine(n=10, sigma=0.3, rng=None):
    """Return n noisy measurements of a sine: t = sin(2πx) + sigma ε, ε ~ N(0, 1), x evenly spaced on [0, 1].

    x (n, 1) and t (n, 1) are float64. ValueError for n < 1 or a sigma that is negative or not finite, TypeError
    for an n that is not an integer. Source: [000]; Bishop 2006 (PRML), figure 1.2.
    """
    n, sigma = check_count("noisy_sine: n", n), check_sigma("noisy_sine: sigma", sigma)
    epsilon = np.random.default_rng(rng).standard_normal((n, 1))
    x = np.linspace(0, 1, n).reshape(n, 1)
    t = np.sin(2 * np.pi * x) + sigma * epsilon
    return x, t


def two_moons(n, sigma=0.05, rng=None):
    """Return points of two interleaved half circles of radius 1, with noise: for angles a ~ U(0, π) and ε ~ N(0, I),

        x = (cos a, sin a) + sigma ε             where y = 0
        x = (1 - cos a, ½ - sin a) + sigma ε     where y = 1

    x is (n, 2) float64 and y (n,) int64, which alternates 0, 1, 0, … ValueError for n < 1 or a sigma that is
    negative or not finite, TypeError for an n that is not an integer.
    """
    n, sigma = check_count("two_moons: n", n), check_sigma("two_moons: sigma", sigma)
    rng = np.random.default_rng(rng)
    y = np.arange(n, dtype=np.int64) % 2
    a = rng.uniform(0, np.pi, n)
    circle = np.column_stack([np.cos(a), np.sin(a)])
    x = np.where(y[:, None] == 0, circle, [1, 0.5] - circle)
    return x + sigma * rng.standard_normal((n, 2)), y


def swiss_roll(n, sigma=0.0, rng=None):
    """Return points of a rolled-up sheet: x = (a cos a, y, a sin a) / 10 + sigma ε, a ~ U(3π/2, 9π/2), y ~ U(0, 20).

    x is (n, 3), its true coordinates (a, y) are (n, 2), float64. Two numbers describe it, but no plane does.
    ValueError for n < 1 or a bad sigma, TypeError for an n that is not an integer. Source: Tenenbaum 2000, figure 3.
    """
    n, sigma = check_count("swiss_roll: n", n), check_sigma("swiss_roll: sigma", sigma)
    rng = np.random.default_rng(rng)
    a, y = rng.uniform(1.5 * np.pi, 4.5 * np.pi, n), rng.uniform(0, 20, n)
    x = np.column_stack([a * np.cos(a), y, a * np.sin(a)]) / 10
    return x + sigma * rng.standard_normal((n, 3)), np.column_stack([a, y])


def curves(n, rng=None, dtype=np.float64):
    """Return pictures of smooth curves through three random points, 28 x 28, and the six coordinates behind each.

    The curve is the parabola c(s) through the points at s = 0, ½ and 1; a pixel at distance d from it has the grey
    level exp(-d² / 2), in pixels. x is (n, 784) in [0, 1], the points are (n, 6). TypeError or ValueError for a bad n.
    Source: in the manner of Hinton & Salakhutdinov 2006, whose own curves are not described further.
    """
    n = check_count("curves: n", n)
    points = np.random.default_rng(rng).uniform(4, 24, (n, 3, 2))
    s = np.linspace(0, 1, 61)[:, None]                       # with 0, ½ and 1
    lagrange = np.concatenate([(2 * s - 1) * (s - 1), 4 * s * (1 - s), s * (2 * s - 1)], axis=1)       # (61, 3)
    pixels = np.stack(np.meshgrid(np.arange(28.0), np.arange(28.0), indexing="ij"), axis=-1).reshape(-1, 2)
    x = np.empty((n, 784), check_dtype("curves: dtype", dtype))
    for start in range(0, n, 64):
        c = lagrange @ points[start:start + 64]                              # (64, 61, 2)
        far = (c * c).sum(axis=2)[:, :, None] - 2 * c @ pixels.T             # d², but for the pixel's own square
        x[start:start + 64] = np.exp(-0.5 * (far.min(axis=1) + (pixels * pixels).sum(axis=1)))
    return x, points.reshape(n, 6)


def photograph():
    """Return the grey photograph that comes with Matplotlib (G. Hopper), (600, 512) in [0, 1]."""
    from matplotlib import cbook, image

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        return image.imread(file, format="jpg") @ np.array([0.299, 0.587, 0.114]) / 255


def whiten(pictures):
    """Return pictures (n, rows, columns) filtered so that all spatial frequencies have about equal strength.

    The filter is f exp(-(f / 0.4 s)⁴), where s is the number of samples per side (Olshausen & Field 1997, p. 3314): f
    undoes the 1/f of natural pictures, the second factor cuts the corners of the spectrum, where there is only noise.
    The variance over all of them becomes 0.1. ValueError for another shape, or pictures in which nothing varies.
    """
    pictures = np.asarray(pictures, dtype=float)
    must(pictures.ndim == 3, f"whiten: pictures must have shape (n, rows, columns), got {pictures.shape}")
    rows, columns = pictures.shape[1:]
    f = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])       # cycles per pixel
    white = np.fft.irfft2(np.fft.rfft2(pictures) * f * np.exp(-(f / 0.4)**4), s=(rows, columns))
    must(not white.var() <= (1e-12 * np.abs(pictures).max())**2, "whiten: pictures must vary, got constant ones")
    return white * np.sqrt(0.1 / white.var())


def patches(pictures, n, side, rng=None):
    """Return n square pieces (n, side²) of pictures (m, rows, columns), from random places.

    ValueError where they do not fit.
    """
    n, side = check_count("patches: n", n), check_count("patches: side", side)
    pictures = np.asarray(pictures)
    must(pictures.ndim == 3, f"patches: pictures must have shape (m, rows, columns), got {pictures.shape}")
    m, rows, columns = pictures.shape
    must(side <= min(rows, columns),
         f"patches: side must be at most {min(rows, columns)}, the smaller side of the pictures, got {side}")
    rng = np.random.default_rng(rng)
    which, top, left = (rng.integers(high, size=n) for high in (m, rows - side + 1, columns - side + 1))
    down, right = (top[:, None] + np.arange(side))[:, :, None], (left[:, None] + np.arange(side))[:, None, :]
    return pictures[which[:, None, None], down, right].reshape(n, -1)


def binarize(rng, x):
    """Return black-and-white pictures from grey ones: each pixel is 1 with probability x, else 0, independently.

    x (N, …) lies in [0, 1], float32 or float64; the result is a new array of its shape and dtype.
    `fit(…, each_epoch=binarize)` calls it so, rng first; rng=None means fresh entropy. TypeError for another dtype,
    ValueError for values outside [0, 1] or NaN. Source: Salakhutdinov & Murray 2008, section 5, there drawn once; drawn
    anew for each epoch it is the Bernoulli likelihood's own noise (Burda 2016, section 5).
    """
    must(isinstance(x, np.ndarray) and x.ndim >= 1,
         f"binarize: x must be an array of shape (N, ...), got {type(x).__name__}", TypeError)
    check_dtype("binarize: the dtype of x", x.dtype)
    rng = np.random.default_rng(rng)
    out = np.empty(x.shape, x.dtype)
    rows = max(1, CHUNK // max(1, x[:1].size))
    for start in range(0, len(x), rows):
        part = x[start:start + rows]
        if part.size and not (part.min() >= 0 and part.max() <= 1):     # with NaN both comparisons are False
            raise ValueError(f"binarize: x must lie in [0, 1], got values from {part.min():g} to {part.max():g}")
        u = rng.random(part.shape, x.dtype)
        np.less(u, part, out=out[start:start + rows])
    return out


def check_count(what, n):
    """Return n as an int; TypeError unless it is an integer, ValueError unless it is at least 1."""
    must(isinstance(n, (int, np.integer)) and not isinstance(n, bool),
         f"{what} must be an integer, got {n!r}", TypeError)
    must(n >= 1, f"{what} must be at least 1, got {n}")
    return int(n)


def check_sigma(what, sigma):
    """Return sigma as a float; TypeError unless it is a number, ValueError unless 0 <= sigma < infinity."""
    must(is_number(sigma), f"{what} must be a number, got {sigma!r}", TypeError)
    return check_number(what, sigma, 0, np.inf, "finite and not negative")


def check_dtype(what, dtype):
    """Return dtype as a numpy.dtype; TypeError unless it is float32 or float64."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = dtype
    must(found in FLOATS, f"{what} must be float32 or float64, got {found}", TypeError)
    return found


def moved(x, shifts):
    """Return square pictures (N, side²), each rolled by its row of shifts (N, 2), -1, 0 or 1 pixels (down, right)."""
    side = math.isqrt(x.shape[1])
    pictures = x.reshape(-1, side, side)
    out = np.empty_like(pictures)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            these = (shifts == [down, right]).all(axis=1)
            out[these] = np.roll(pictures[these], (down, right), (1, 2))
    return out.reshape(len(x), -1)


def shifted(rng, x):
    """Return every square picture (N, side²) moved by -1, 0 or 1 pixels in both directions; margins must be empty."""
    return moved(x, rng.integers(-1, 2, (len(x), 2)))


def mirrored(rng, x):
    """Return each curve (N, 784) in one of eight positions: left and right, up and down, rows and columns exchanged."""
    pictures = x.reshape(-1, 28, 28).copy()
    flip, turn, swap = rng.random((3, len(x))) < 0.5
    pictures[flip] = np.roll(pictures[flip][:, ::-1], 1, 1)          # the points lie in [4, 24] of 0 … 27:
    pictures[turn] = np.roll(pictures[turn][:, :, ::-1], 1, 2)       # mirrored they would be one pixel off
    pictures[swap] = pictures[swap].transpose(0, 2, 1)
    return pictures.reshape(len(x), -1)
