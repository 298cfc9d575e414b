"""Gabor functions, waves under a Gaussian window: how much a filter of 8 x 8 pixels is like one."""

import numpy as np
from scipy.optimize import least_squares

BOUNDS = [-6, -6, -9, 0, 0.5, 0.5], [6, 6, 9, 0.5, 6, 6]                     # of x₀, y₀, θ, f, s, t


def gabor_shares(filters):
    """Return the share of the variance of each filter (K, 64) that the best Gabor function explains:

    e^(-u²/2s² - v²/2t²) (A cos 2πfu + B sin 2πfu) + C,    u, v: pixels turned by θ around (x₀, y₀)

    A, B, C by linear least squares; x₀, y₀, θ, f, s, t from the best of 2000 starts, improved by nonlinear least
    squares.
    """
    def rest(q, w):
        basis = waves(q)
        return basis @ np.linalg.lstsq(basis, w, rcond=None)[0] - w

    starts = [(x0, y0, theta, f, s, 1.5 * s) for x0 in np.arange(-3, 4, 1.5) for y0 in np.arange(-3, 4, 1.5)
              for theta in np.arange(8) * np.pi / 8 for f in (0.06, 0.12, 0.2, 0.3, 0.4) for s in (1.0, 2.0)]
    bases, shares = np.linalg.qr(np.stack([waves(q) for q in starts]))[0], []
    for w in filters:
        start = starts[np.argmax(np.sum((np.swapaxes(bases, 1, 2) @ w)**2, axis=1))]
        found = least_squares(rest, start, bounds=BOUNDS, max_nfev=12, args=(w,))
        shares.append(1 - 2 * found.cost / np.sum((w - w.mean())**2))
    return np.array(shares)


def waves(q):
    """Return cosine and sine under the window of q = (x₀, y₀, θ, f, s, t), and a constant: (64, 3)."""
    row, column = np.indices((8, 8)) - 3.5
    x0, y0, theta, f, s, t = q
    u = (column - x0) * np.cos(theta) + (row - y0) * np.sin(theta)
    v = (row - y0) * np.cos(theta) - (column - x0) * np.sin(theta)
    window = np.exp(-u**2 / (2 * s**2) - v**2 / (2 * t**2))
    wave = 2 * np.pi * f * u
    return np.stack([window * np.cos(wave), window * np.sin(wave), np.ones((8, 8))], axis=-1).reshape(64, 3)
