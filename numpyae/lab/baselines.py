"""Baselines: how good it is to have learnt nothing, or only something linear, by the measure of the result.

A number says little alone. A model that is not better than the mean of the data has learnt nothing, one that is not
better than PCA with a code of the same size, or than least squares, has learnt nothing but straight lines.
"""

import copy

import numpy as np

from numpyae import PCA
from numpyae.linear import least_squares


def constant(loss, t, t_test, width):
    """Return the mean loss on t_test of the best output that is the same for all samples, found on t."""
    loss = copy.deepcopy(loss)
    o = loss.constant(t, width).astype(t_test.dtype if t_test.dtype.kind == "f" else np.float64)
    return float(loss.forward(np.tile(o, (len(t_test), 1)), t_test).mean(dtype=np.float64))


def squared_error(predicted, t):
    """Return the mean over samples of Σ_d (t_d - predicted_d)²."""
    return float(np.sum((t - predicted) ** 2, axis=-1, dtype=np.float64).mean())


def pca(K, x, x_test):
    """Return the squared error of x_test behind a code of K numbers by PCA, or None where x has not so many."""
    if K > min(x.shape):
        return None
    return squared_error(PCA(K).fit(x).reconstruct(x_test), x_test)


def linear(x, t, x_test):
    """Return the predictions of least squares with an intercept for x_test; columns are scaled first, for accuracy."""
    centre, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1
    phi, phi_test = (np.column_stack([(part - centre) / spread, np.ones(len(part))]) for part in (x, x_test))
    return phi_test @ least_squares(phi, t.astype(np.float64))


def probabilistic_pca(K, x, x_test):
    """Return the mean log-density of x_test, in nats, of a linear Gaussian code of K numbers (Tipping & Bishop 1999).

    x ~ N(μ, W Wᵀ + s² I): the K largest eigenvalues λ of the covariance as they are, the mean s² of the rest. None
    where x has not enough rows and columns, or nothing is left for s².
    """
    N, D = x.shape
    if K >= min(N, D):
        return None
    found = PCA(K).fit(x.astype(np.float64))
    top, rest = found.eigenvalues[:K], found.eigenvalues[K:].sum() / (D - K)
    if not rest > 0 or not np.all(top > 0):
        return None
    z, off = found.encode(x_test.astype(np.float64)), x_test - found.mean
    left = np.maximum(np.sum(off**2, axis=1) - np.sum(z**2, axis=1), 0)
    volume = np.sum(np.log(top)) + (D - K) * np.log(rest) + D * np.log(2 * np.pi)
    return float(np.mean(-0.5 * (volume + np.sum(z**2 / top, axis=1) + left / rest)))
