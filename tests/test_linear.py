"""PCA against its definition, and the linear autoencoder against PCA: the theorem of Baldi & Hornik."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from numpyae import PCA, Autoencoder, Dense, Sequential, SquaredError, TiedDense, lbfgs
from numpyae.linear import least_squares

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 7)) @ np.diag([3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.2]) @ np.linalg.qr(RNG.normal(size=(7, 7)))[0] + 1.0


def test_least_squares_is_where_the_gradient_vanishes():
    t = RNG.normal(size=(200, 3))
    w = least_squares(X, t)
    assert w.shape == (7, 3) and np.abs(X.T @ (X @ w - t)).max() < 1e-10


def test_eigenvectors_of_the_covariance():
    pca = PCA(3).fit(X)
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True))
    assert np.allclose(pca.eigenvalues, values[::-1], rtol=1e-12)
    assert subspace_angles(pca.components, vectors[:, ::-1][:, :3]).max() < 1e-7          # arc cosine near 1 has half the digits
    assert np.allclose(pca.components.T @ pca.components, np.eye(3), atol=1e-14)


def test_error_is_the_sum_of_the_dropped_eigenvalues():
    for K in range(1, 8):
        pca = PCA(K).fit(X)
        error = np.sum((pca.reconstruct(X) - X)**2) / len(X)
        assert error == pytest.approx(pca.eigenvalues[K:].sum(), rel=1e-10, abs=1e-24)


def test_fewer_samples_than_features_and_float32():
    x = X[:4].astype(np.float32)
    pca = PCA(3).fit(x)
    assert pca.components.dtype == pca.reconstruct(x).dtype == np.float32
    assert np.abs(pca.reconstruct(x) - x).max() < 1e-4 and pca.eigenvalues.shape == (7,)   # four points lie in a space of three


@pytest.mark.parametrize("tied", [False, True])
def test_a_linear_autoencoder_ends_at_pca(tied):
    pca = PCA(3).fit(X)
    dense = Dense(7, 3, rng=1)
    model = Autoencoder(Sequential(dense), Sequential(TiedDense(dense) if tied else Dense(3, 7, rng=2)), SquaredError())
    lbfgs(model, X, iterations=3000, tolerance=0)
    angle = subspace_angles(dense.W if tied else model.decoder.layers[0].W.T, pca.components).max()
    assert angle < 1e-3
    assert model.loss(X) == pytest.approx(pca.eigenvalues[3:].sum(), rel=1e-6)


def test_missing_values_are_filled_in_from_the_plane_the_rest_lies_on():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8)) + 3.0
    holes = rng.random(x.shape) < 0.2
    damaged = np.where(holes, np.nan, x)
    filled = PCA(2).fill(damaged, rounds=500)
    assert np.array_equal(filled[~holes], x[~holes]) and np.isnan(damaged[holes]).all()
    mean = np.abs(np.where(holes, np.nanmean(damaged, axis=0), x) - x)[holes].mean()
    assert np.abs(filled - x)[holes].mean() < 0.01 * mean


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_the_level_of_a_column_does_not_stop_the_filling(offset):
    """Once a bug: one spread for all columns, so a column of large numbers ended the rounds too early."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8))
    x[:, 0] += offset
    holes = (rng.random(x.shape) < 0.2) & (np.arange(8) > 0)
    assert np.abs(PCA(2).fill(np.where(holes, np.nan, x), rounds=500) - x)[holes].mean() < 0.01


@pytest.mark.parametrize("call, sentence", [
    (lambda: PCA(2).encode(X), r"PCA\(K=2\): fit\(x\) must come before encode\(x\)"),
    (lambda: PCA(2).fit(X).encode(X[:, :3]), r"PCA: x must have shape \(N, 7\)"),
    (lambda: PCA(2).fit(X).encode(X.astype(np.float32)), "PCA: x must be float64"),
    (lambda: PCA(2).fit(X.astype(int)), r"PCA: x must be float64, got int64: write x.astype\(np.float64\)"),
    (lambda: PCA(0), "PCA: K must be a whole number of at least 1, got 0"),
    (lambda: PCA(8).fit(X), "PCA: K must be at most 7, the smaller side of x, got 8"),
    (lambda: PCA(2).fit(np.where(X > 2, np.nan, X)), "PCA: x must be finite"),
    (lambda: PCA(2).fit(X[0]), r"PCA: x must have shape \(N, D\), got \(7,\)"),
    (lambda: PCA(2).fill(np.where(np.arange(7) == 3, np.nan, X)), "column 3 of x must have at least one value")])
def test_bad_input(call, sentence):
    with pytest.raises((ValueError, TypeError, RuntimeError), match=sentence):
        call()
