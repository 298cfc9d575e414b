"""Scaling, the start from the data, and baselines, against closed forms."""

import numpy as np
import pytest
from scipy import optimize, stats

from numpyae import (VAE, Adam, Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Dense, DiagonalGaussian, GaussianNLL,
                     HeteroscedasticGaussianNLL, Momentum, Regression, ReLU, Sequential, SoftmaxCrossEntropy, SquaredError, Standardise,
                     Standardised, fit, mlp)
from numpyae.checkpoints import load_model
from numpyae.lab import baselines, choices

RNG = np.random.default_rng(0)
UNITS = np.array([1.0, 10.0, 1e3, 0.01, 5.0])
X = RNG.normal(size=(40, 5)) * UNITS + [0, 3, -2e3, 1, 7]
CENTRE, SPREAD = X.mean(axis=0), X.std(axis=0)


# Standardise, Standardised

@pytest.mark.parametrize("loss", [GaussianNLL(0.7), HeteroscedasticGaussianNLL()], ids=["one σ", "σ of each"])
def test_a_density_is_that_of_the_data_as_they_came(loss):
    o = RNG.normal(size=(40, 5 * loss.outputs_per_feature))
    values = Standardised(loss, CENTRE, SPREAD).forward(o, X)
    mean = CENTRE + SPREAD * o[:, :5]
    sigma = SPREAD * (0.7 if loss.outputs_per_feature == 1 else np.exp(0.5 * o[:, 5:]))
    np.testing.assert_allclose(values, -stats.norm.logpdf(X, mean, sigma).sum(axis=1), rtol=1e-12)


def test_a_density_of_scaled_data_integrates_to_one():
    t = np.linspace(-400, 600, 200001)[:, None]
    values = Standardised(GaussianNLL(0.7), [100.0], [40.0]).forward(np.full((len(t), 1), 0.3), t)
    assert abs(np.sum(np.exp(-values)) * (t[1, 0] - t[0, 0]) - 1) < 1e-9


def test_predictions_and_samples_are_in_the_units_of_the_data():
    loss = Standardised(GaussianNLL(0.5), CENTRE, SPREAD)
    o = np.tile(RNG.normal(size=5), (20000, 1))
    np.testing.assert_allclose(loss.mean(o)[0], CENTRE + SPREAD * o[0])
    drawn = loss.sample(o, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.std(axis=0), loss.sigma, rtol=0.03)
    np.testing.assert_allclose(drawn.mean(axis=0), loss.mean(o)[0], atol=0.03 * SPREAD.max(), rtol=0.03)


def test_a_scaled_model_is_the_model_of_scaled_data():
    scaled = (X - CENTRE) / SPREAD
    def model(front, loss):
        return VAE(Sequential(*front, *mlp([5, 7, 4], rng=1).layers), mlp([2, 7, 5], rng=2), loss, DiagonalGaussian(2))
    raw = model([Standardise(CENTRE, SPREAD)], Standardised(GaussianNLL(0.7, learn=True), CENTRE, SPREAD))
    by_hand = model([], GaussianNLL(0.7, learn=True))
    for one, x in ((raw, X), (by_hand, scaled)):
        one.start_at(x)
        fit(one, x, optimizer=Adam(0.01), epochs=3, batch_size=10, rng=0, progress=False)
    np.testing.assert_allclose(raw.w, by_hand.w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(raw.elbo(X, rng=0), by_hand.elbo(scaled, rng=0) - np.log(SPREAD).sum(), rtol=1e-9)
    np.testing.assert_allclose(raw.reconstruct(X), CENTRE + SPREAD * by_hand.reconstruct(scaled), rtol=1e-9)


def test_a_checkpoint_keeps_the_scaling(tmp_path):
    model = Autoencoder(Sequential(Standardise(CENTRE, SPREAD), Dense(5, 2, rng=0)), Dense(2, 5, rng=1),
                        Standardised(SquaredError(), CENTRE, SPREAD)).astype(np.float32)
    x = X.astype(np.float32)
    fit(model, x, optimizer=Adam(0.01), epochs=1, batch_size=10, rng=0, checkpoint=tmp_path / "model.npz", progress=False)
    again = load_model(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.reconstruct(x), model.reconstruct(x))
    assert again.reconstruct(x).dtype == np.float32 and again.encoder.layers[0].forward(x).dtype == np.float32


def test_the_way_back_ends_at_the_first_layer_that_learns():
    class Watched(Standardise):
        called = 0

        def backward(self, delta):
            self.called += 1
            return super().backward(delta)

    front = Watched(CENTRE, SPREAD)
    model = Regression(Sequential(front, ReLU(), Dense(5, 3, rng=0)), SquaredError())
    model.loss(X, np.zeros((40, 3)))
    grad = model.backward().copy()
    assert front.called == 0
    model.loss(X, np.zeros((40, 3)))
    model.grad[:] = 0
    model.network.backward(model.criterion.backward(model.weights["error"]))
    assert front.called == 1 and np.array_equal(model.grad, grad)


@pytest.mark.parametrize("call, message", [
    (lambda: Standardise([0.0], [0.0]), "every spread positive, got 0 as the smallest"),
    (lambda: Standardise([0.0, 1.0], [1.0]), "must have one number for each feature"),
    (lambda: Standardise([np.nan], [1.0]), "centre must be finite"),
    (lambda: Standardise(CENTRE, SPREAD).forward(X[:, :3]), r"x must have shape \(N, 5\), got \(40, 3\)"),
    (lambda: Standardised(BernoulliNLL(), CENTRE, SPREAD), "targets in \\[0, 1\\] or classes, which have no units"),
    (lambda: Standardised("gaussian", CENTRE, SPREAD), "loss must be a Loss, got str"),
])
def test_bad_scalings(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


# start_at

LOSSES = {"squared error": (SquaredError(), X), "one σ": (GaussianNLL(1.0, learn=True), X), "σ of each": (HeteroscedasticGaussianNLL(), X),
          "0/1": (BernoulliNLL(), (RNG.random((4000, 5)) < [0.1, 0.5, 0.9, 0.3, 0.7]) * 1.0),
          "grey": (ContinuousBernoulliNLL(), RNG.beta(2, 5, (40, 5))), "classes": (SoftmaxCrossEntropy(), RNG.integers(0, 5, 4000)),
          "standardised": (Standardised(GaussianNLL(1.0, learn=True), CENTRE + 1, 2 * SPREAD), X)}


@pytest.mark.parametrize("name", LOSSES)
def test_no_constant_output_is_better_than_that_of_the_start(name):
    loss, t = LOSSES[name]
    width = 5 * loss.outputs_per_feature
    best = loss.constant(t, width)

    def mean_loss(o):
        return loss.forward(np.tile(o, (len(t), 1)), t).mean()

    found = optimize.minimize(mean_loss, best + 0.01 * RNG.normal(size=width), method="BFGS").fun
    assert mean_loss(best) <= found + 1e-3 * (1 + abs(found)) * (name in ("0/1", "classes")) + 1e-7 * abs(found)
    if name == "one σ":
        assert loss.sigma == pytest.approx(np.sqrt(np.mean((t - t.mean(axis=0)) ** 2)))


def test_a_model_starts_at_the_data():
    x = (np.random.default_rng(0).random((200, 5)) < [0.1, 0.5, 0.9, 0.3, 0.7]) * 1.0
    model = VAE(mlp([5, 7, 4], rng=0), Sequential(Dense(2, 5, init="zeros")), BernoulliNLL(), DiagonalGaussian(2))
    model.start_at(x)
    np.testing.assert_allclose(model.decode(np.zeros((1, 2)))[0], (x.sum(axis=0) + 0.5) / 201)
    network = Regression(mlp([5, 3], rng=0), SoftmaxCrossEntropy())
    network.start_at(x, np.repeat([0, 0, 1, 2], 50))
    np.testing.assert_allclose(np.exp(network.network.layers[-1].b), [100.5 / 201.5, 50.5 / 201.5, 50.5 / 201.5])
    with pytest.raises(ValueError, match=r"must end in a layer with a bias b, got ReLU\(\)"):
        Regression(mlp([5, 3], output=ReLU, rng=0), SquaredError()).start_at(x, x[:, :3].copy())


# Baselines and choices

def test_probabilistic_pca_is_its_density():
    x, x_test = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 6)) + 0.3 * RNG.normal(size=(300, 6)), RNG.normal(size=(50, 6))
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    rest = values[:4].mean()
    W = vectors[:, 4:] * np.sqrt(values[4:] - rest)
    expected = stats.multivariate_normal(x.mean(axis=0), W @ W.T + rest * np.eye(6)).logpdf(x_test).mean()
    assert baselines.probabilistic_pca(2, x, x_test) == pytest.approx(expected, rel=1e-9)
    assert baselines.probabilistic_pca(6, x, x_test) is None


def test_least_squares_is_exact_on_a_line_in_raw_units():
    t = X @ [[1.0], [2.0], [-0.001], [100.0], [0.5]] + 1e6
    np.testing.assert_allclose(baselines.linear(X[:30], t[:30], X[30:]), t[30:], rtol=1e-9)


@pytest.mark.parametrize("x, image, density, word", [
    (X, None, False, "standardised"), (100 + RNG.normal(size=(50, 4)), None, False, "centred"),
    (RNG.random((50, 4)), None, False, "centred"), (RNG.normal(size=(50, 4)), None, False, "none"), ((RNG.random((50, 30)) < 0.1) * 3.0, None, False, "none"),
    (RNG.random((50, 30)), (6, 5), False, "centred"), (RNG.random((50, 30)), (6, 5), True, "standardised"),
    (RNG.random((50, 30)) * (np.arange(30) > 3), (6, 5), True, "centred")])
def test_the_data_choose_the_scaling(x, image, density, word):
    found, centre, spread = choices.scaling(x, image, density)
    assert found == word and np.all(spread > 0)
    np.testing.assert_allclose(centre, 0 if word == "none" else x.mean(axis=0))


def test_a_constant_column_is_not_divided_by_zero():
    x = np.column_stack([X, np.full(40, 1e8 / 3)])
    assert choices.scaling(x, None, False)[2][-1] == 1


def test_sizes_choose_batch_and_epochs():
    assert [choices.batch_size("vae", n) for n in (7, 60, 500, 70000)] == [7, 10, 50, 100]
    assert choices.epochs("vae", 60000, 784, 100) == 40 == choices.epochs("vae", 300, 4096, 30)
    assert choices.epochs("regression", 60000, 784, 100) == 10 and choices.epochs("regression", 10, 1, 10) == 2000
    assert [choices.likelihood("vae", x, image) for x, image in ((X, None), (X > 0, None), (np.abs(np.sin(X)), (1, 5)))] == [
        "gaussian", "bernoulli", "bernoulli"]


# fit and optimizers

def test_clip_shortens_long_gradients_only():
    x, t = np.ones((4, 1)), np.full((4, 1), 1e6)
    for clip, expected in ((None, 1), (10.0, 0), (1e9, 1)):
        model = Regression(Dense(1, 1, init="zeros"), SquaredError())
        before = model.w.copy()
        from numpyae import GradientDescent
        fit(model, x, t, optimizer=GradientDescent(1e-3), epochs=1, batch_size=4, rng=0, clip=clip, progress=False)
        length = np.linalg.norm(model.w - before)
        assert length == pytest.approx(1e-3 * (2e6 * np.sqrt(2) if expected else 10.0))


def test_an_optimizer_of_another_model_is_refused():
    x, t = RNG.normal(size=(8, 3)), RNG.normal(size=(8, 2))
    first, second = (Regression(Dense(3, 2, rng=k), SquaredError()) for k in range(2))
    optimizer = Momentum(0.01)
    fit(first, x, t, optimizer=optimizer, epochs=1, batch_size=4, rng=0, progress=False)
    with pytest.raises(ValueError, match="got that of another model: its velocity would drive this one: use one optimizer per model"):
        fit(second, x, t, optimizer=optimizer, epochs=1, batch_size=4, rng=0, progress=False)
    fit(first, x, t, optimizer=optimizer, epochs=1, batch_size=4, rng=0, progress=False)
