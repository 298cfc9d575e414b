"""Tasks of a VAE: on a linear one, where every answer is known."""

import numpy as np
import pytest

from numpyae import VAE, BernoulliNLL, Dense, DiagonalGaussian, GaussianNLL, Regression, SquaredError, mlp
from numpyae.tasks import augment, fill_in, interpolate, neighbours


def linear(sigma=0.3, seed=0):
    """p(x|z) = N(z V + b, σ² I) with the exact posterior mean as encoder; its variance is exact where V Vᵀ is diagonal, as here."""
    rng = np.random.default_rng(seed)
    V = np.linalg.qr(rng.standard_normal((5, 2)))[0].T * np.array([[1.5], [0.8]])
    spread = 1 / (np.diag(V @ V.T) / sigma**2 + 1)
    encoder, decoder = Dense(5, 4, rng=rng), Dense(2, 5, rng=rng)
    decoder.W, decoder.b = V, rng.standard_normal(5)
    encoder.W = np.hstack([V.T * spread / sigma**2, np.zeros((5, 2))])
    encoder.b = np.r_[-decoder.b @ V.T * spread / sigma**2, np.log(spread)]
    model = VAE(encoder, decoder, GaussianNLL(sigma), DiagonalGaussian(2))
    return model, model.sample(6, rng, mean=False), V, spread


def test_neighbours_have_the_mean_and_the_spread_of_the_posterior():
    model, x, V, spread = linear()
    near = neighbours(model, x, 20_000, scale=2.0, rng=0)
    assert near.shape == (6, 20_000, 5)
    covariance = 4 * V.T @ np.diag(spread) @ V
    error = np.sqrt(np.diag(covariance) / 20_000)
    np.testing.assert_array_less(np.abs(near.mean(axis=1) - model.reconstruct(x)) / error, np.full((6, 5), 4.5))      # 30 numbers: 4.5 for 4
    spread = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / 20_000)       # of a sample covariance
    np.testing.assert_array_less(np.abs(np.cov(near[0].T) - covariance), 4 * spread)
    np.testing.assert_allclose(neighbours(model, x, 3, scale=0.0, rng=0), model.reconstruct(x)[:, None].repeat(3, axis=1), rtol=1e-12)


def test_both_ways_from_one_sample_to_another():
    model, x, V, _ = linear()
    z0, z1 = model.encode(x[:2])
    for spherical in (True, False):
        way = interpolate(model, x[0], x[1], 11, spherical=spherical)
        np.testing.assert_allclose(way[[0, -1]], model.reconstruct(x[:2]), rtol=1e-12)
    z = (way - model.decoder.layers[0].b) @ np.linalg.pinv(V)
    np.testing.assert_allclose(z, np.linspace(z0, z1, 11), atol=1e-12)                               # straight
    z = (interpolate(model, x[0], x[1], 11) - model.decoder.layers[0].b) @ np.linalg.pinv(V)
    omega = np.arccos(z0 @ z1 / np.linalg.norm(z0) / np.linalg.norm(z1))
    s = np.linspace(0, 1, 11)[:, None]
    np.testing.assert_allclose(z, (np.sin((1 - s) * omega) * z0 + np.sin(s * omega) * z1) / np.sin(omega), atol=1e-12)
    model.encoder.layers[0].b[:2] = 0
    rows = V[[0, 1]] / np.sum(V**2, axis=1, keepdims=True)                                           # codes at a right angle, of unequal spread
    z = (interpolate(model, rows[0], rows[1] * np.ptp(model.encode(rows)[0]) / np.ptp(model.encode(rows)[1]), 11)
         - model.decoder.layers[0].b) @ np.linalg.pinv(V)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), np.linalg.norm(z[0]), rtol=1e-9)           # of one length: all on the circle
    model, x, V, _ = linear()
    same = interpolate(model, x[0], x[0], 3)
    np.testing.assert_allclose(same, np.repeat(model.reconstruct(x[:1]), 3, axis=0), rtol=1e-9)


def test_codes_in_opposite_directions_have_no_arc():
    model, _, V, _ = linear()
    model.encoder.layers[0].b[:2] = 0
    x = np.stack([V[0], -V[0]])
    with pytest.raises(ValueError, match="must not have codes in opposite directions.* take spherical=False"):
        interpolate(model, *x, 5)
    assert np.isfinite(interpolate(model, *x, 5, spherical=False)).all()


def test_missing_features_come_from_their_distribution_given_the_known_ones():
    """x ~ N(b, VᵀV + σ² I), so E[x_missing | x_known] is known; the mean over many chains must be that, as q is exact here."""
    model, x, V, _ = linear()
    missing = np.zeros((4000, 5), bool)
    missing[:, [1, 4]] = True
    rows = np.where(missing, np.nan, x[:1])
    filled = fill_in(model, rows, missing, rounds=40, rng=0)
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~missing], np.repeat(x[:1], 4000, axis=0)[~missing])
    S, b = V.T @ V + 0.09 * np.eye(5), model.decoder.layers[0].b
    known = [0, 2, 3]
    expected = b[[1, 4]] + S[np.ix_([1, 4], known)] @ np.linalg.solve(S[np.ix_(known, known)], x[0, known] - b[known])
    error = filled[:, [1, 4]].std(axis=0) / np.sqrt(4000)
    np.testing.assert_array_less(np.abs(filled[:, [1, 4]].mean(axis=0) - expected), 4 * error + 1e-3)        # 1e-3: 40 rounds
    spread = S[np.ix_([1, 4], [1, 4])] - S[np.ix_([1, 4], known)] @ np.linalg.solve(S[np.ix_(known, known)], S[np.ix_(known, [1, 4])])
    without_noise = np.diag(spread) - 0.09                                   # of E[x|z], which the last round puts in: σ² is missing
    np.testing.assert_allclose(filled[:, [1, 4]].var(axis=0), without_noise, rtol=4 * np.sqrt(2 / 4000))


def test_more_labelled_samples():
    model, x, _, _ = linear()
    more, labels = augment(model, x, np.arange(6), 3, rng=0)
    assert more.shape == (24, 5) and labels.tolist() == [*range(6), *np.repeat(range(6), 3)]
    np.testing.assert_array_equal(more[:6], x)
    np.testing.assert_array_equal(more[6:], neighbours(model, x, 3, rng=0).reshape(18, 5))


def test_pixels_stay_0_or_1_until_the_last_round_and_float32_stays():
    model = VAE(mlp([6, 4], rng=0), mlp([2, 6], rng=1), BernoulliNLL(), DiagonalGaussian(2)).astype(np.float32)
    x = (np.random.default_rng(0).random((3, 6)) < 0.5).astype(np.float32)
    seen = []
    forward = model.encoder.forward
    model.encoder.forward = lambda h: (seen.append(h.copy()), forward(h))[1]
    filled = fill_in(model, x, np.arange(18).reshape(3, 6) % 2 == 0, rounds=4, rng=0)
    assert not np.isin(filled[np.arange(18).reshape(3, 6) % 2 == 0], [0, 1]).any()                    # the last round: a mean
    assert filled.dtype == np.float32 and all(np.isin(h, [0, 1]).all() for h in seen[1:])
    assert interpolate(model, x[0], x[1], 3).dtype == neighbours(model, x, 2, rng=0).dtype == np.float32


@pytest.mark.parametrize("use, error, words", [
    (lambda model, x: fill_in(model, x, np.zeros((6, 4), bool)), ValueError,
     r"missing must be a boolean array of the shape of x, \(6, 5\), got bool of shape \(6, 4\)"),
    (lambda model, x: fill_in(model, x, np.zeros((6, 5))), ValueError, "got float64 of shape"),
    (lambda model, x: fill_in(model, x * np.nan, np.zeros((6, 5), bool)), ValueError, "VAE: x must be finite, got nan"),
    (lambda model, x: fill_in(model, x, np.zeros((6, 5), bool), rounds=0), ValueError, "rounds must be a whole number"),
    (lambda model, x: neighbours(model, x, 0), ValueError, "neighbours: n must be a whole number"),
    (lambda model, x: neighbours(model, x, 2, scale=-1), ValueError, "neighbours: scale must be a number of at least 0, got -1"),
    (lambda model, x: augment(model, x, [1, 2], 2), ValueError, r"augment: y must have a label for each row of x, shape \(6,\), got shape \(2,\)"),
    (lambda model, x: interpolate(Regression(mlp([5, 2], rng=0), SquaredError()), x[0], x[1], 3), TypeError, "model must be a VAE")])
def test_wrong_use(use, error, words):
    model, x, _, _ = linear()
    with pytest.raises(error, match=words):
        use(model, x)
