"""Corruption: the values that come out, how often, that the target stays clean, and that noise is replayed."""

import numpy as np
import pytest

from numpyae import Autoencoder, GaussianNoise, MaskingNoise, SaltAndPepper, SquaredError, mlp

X = np.random.default_rng(0).uniform(0.2, 0.8, (500, 40))


def corrupted(corruption, x=X, seed=1):
    noise = corruption.draw(x, np.random.default_rng(seed))
    return corruption.apply(x, noise)


def close(share, p, n):
    """A share of n cases within 5 standard deviations of p."""
    return abs(share - p) < 5 * np.sqrt(p * (1 - p) / n) + 1e-12


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_salt_and_pepper_gives_low_or_high_to_half_each_and_never_anything_else(p):
    seen = corrupted(SaltAndPepper(p, low=-1.0, high=2.0))
    low, high = seen == -1, seen == 2
    assert np.array_equal(seen[~(low | high)], X[~(low | high)])
    assert close(low.mean(), p / 2, X.size) and close(high.mean(), p / 2, X.size)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_masking(p, value):
    seen = corrupted(MaskingNoise(p, value))
    masked = seen == value
    assert np.array_equal(seen[~masked], X[~masked]) and close(masked.mean(), p, X.size)


def test_gaussian_noise_has_its_standard_deviation():
    difference = corrupted(GaussianNoise(0.3)) - X
    assert abs(difference.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * X.size) and abs(difference.mean()) < 5 * 0.3 / np.sqrt(X.size)
    assert np.array_equal(corrupted(GaussianNoise(0)), X)


@pytest.mark.parametrize("corruption", [GaussianNoise(0.3), MaskingNoise(0.3, 1.0), SaltAndPepper(0.3)], ids=repr)
def test_in_a_model_the_target_is_clean_and_the_noise_is_kept(corruption):
    x, before = X[:9, :5].astype(np.float32), X[:9, :5].astype(np.float32)
    model = Autoencoder(mlp([5, 3], rng=0), mlp([3, 5], rng=1), SquaredError(), corruption).astype(np.float32)
    loss = model.loss(x, rng=0)
    kept = model.noise["corruption"]
    seen = corruption.apply(x, kept)
    assert seen.dtype == np.float32 and not np.array_equal(seen, x)
    o = model.decoder.forward(model.encoder.forward(seen))
    assert loss == pytest.approx(float(np.sum((o - x)**2, axis=1).mean()), rel=1e-5)            # float32
    assert np.array_equal(x, before)
    assert model.loss(x, noise={"corruption": kept}) == loss == model.loss(x, rng=0) != model.loss(x, rng=1)
    clean = Autoencoder(model.encoder, model.decoder, SquaredError())
    assert model_free(clean, x) != loss


def model_free(model, x):
    """The loss without training: no corruption."""
    return model.loss(x, training=False)


def test_switched_off_outside_training():
    model = Autoencoder(mlp([5, 3], rng=0), mlp([3, 5], rng=1), SquaredError(), MaskingNoise(0.9))
    x = X[:9, :5].copy()
    assert model.loss(x, training=False) == pytest.approx(np.sum((model.reconstruct(x) - x)**2) / 9, rel=1e-13)
    assert "corruption" not in model.noise


def test_a_corruption_that_changes_the_data_in_place_stops():
    class Hasty(GaussianNoise):
        def apply(self, x, noise):
            x += noise
            return x

    x = X[:9, :5].copy()
    with pytest.raises(ValueError, match="read-only"):
        Autoencoder(mlp([5, 3], rng=0), mlp([3, 5], rng=1), SquaredError(), Hasty(0.1)).loss(x)
    assert np.array_equal(x, X[:9, :5])


@pytest.mark.parametrize("make, sentence", [
    (lambda: GaussianNoise(-0.1), "GaussianNoise: sigma must be a number of at least 0, got -0.1"),
    (lambda: GaussianNoise(np.nan), "sigma must be a number of at least 0, got nan"),
    (lambda: MaskingNoise(1.5), r"MaskingNoise: p must be in \[0, 1\], got 1.5"),
    (lambda: SaltAndPepper(-0.1), r"SaltAndPepper: p must be in \[0, 1\], got -0.1"),
    (lambda: GaussianNoise("0.3"), "sigma must be a number of at least 0, got '0.3'"),
    (lambda: MaskingNoise(0.3, np.nan), "MaskingNoise: value must be a finite number, got nan"),
    (lambda: SaltAndPepper(0.3, 0, np.inf), "SaltAndPepper: high must be a finite number, got inf"),
    (lambda: SaltAndPepper(0.1, 1.0, 0.0), "low must be below high, got 1.0 and 0.0")])
def test_bad_input(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
