"""Regression and Autoencoder: what a Model promises, with every loss."""

import numpy as np
import pytest
from scipy import special

from numpyae import (Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Dense, Dropout, GaussianNLL, HeteroscedasticGaussianNLL, Model,
                     Regression, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy, SquaredError, Tanh, TopK, mlp)
from tests.numerical import assert_model_gradient

CRITERIA = {"squared": SquaredError, "softmax": SoftmaxCrossEntropy, "bernoulli": BernoulliNLL, "continuous": ContinuousBernoulliNLL,
            "gaussian": lambda: GaussianNLL(0.6), "learnt": lambda: GaussianNLL(1.7, learn=True),
            "heteroscedastic": HeteroscedasticGaussianNLL}
every = pytest.mark.parametrize("make", CRITERIA.values(), ids=CRITERIA)


def regression(criterion, seed=0):
    rng = np.random.default_rng(seed)
    return Regression(mlp([4, 5, 3 * criterion.outputs_per_feature], rng=rng), criterion)


def autoencoder(criterion, seed=0):
    rng = np.random.default_rng(seed)
    return Autoencoder(mlp([4, 3, 2], rng=rng), mlp([2, 3, 4 * criterion.outputs_per_feature], rng=rng), criterion)


def batch(N=6, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, 4)), rng.dirichlet(np.ones(3), N)


@every
def test_gradients(make):
    rng = np.random.default_rng(2)
    x, t = batch()
    model = regression(make())
    assert_model_gradient(model, x, t, rng=rng)
    assert_model_gradient(model, x[:2], t[:2], rng=rng)
    assert_model_gradient(autoencoder(make()), rng.dirichlet(np.ones(4), 5), rng=rng)


@every
def test_the_loss_is_the_mean_over_samples_of_the_criterion(make):
    x, t = batch()
    model = regression(make())
    loss = model.loss(x, t)
    assert isinstance(loss, float) and loss == pytest.approx(model.criterion.forward(model.network.forward(x), t).mean())
    assert sum(model.terms.values()) == loss and list(model.terms) == ["error"] and model.noise == {}
    single = [model.loss(x[n:n + 1], t[n:n + 1]) for n in range(6)]
    assert loss == pytest.approx(np.mean(single))
    ae = autoencoder(make())
    x = np.random.default_rng(0).dirichlet(np.ones(4), 5)
    loss = ae.loss(x)
    assert sum(ae.terms.values()) == loss and list(ae.terms) == ["reconstruction"]
    assert loss == pytest.approx(ae.criterion.forward(ae.decoder.forward(ae.encoder.forward(x)), x).mean())


def test_the_same_data_twice_change_neither_loss_nor_gradient():
    """A mean, not a sum: catalogue 3, 4."""
    x, t = batch()
    model = regression(SquaredError())
    loss, gradient = model.loss(x, t), model.backward().copy()
    assert model.loss(np.tile(x, (3, 1)), np.tile(t, (3, 1))) == pytest.approx(loss)
    np.testing.assert_allclose(model.backward(), gradient)


def test_integer_classes():
    x, t = batch()
    model, k = regression(SoftmaxCrossEntropy()), t.argmax(axis=1)
    model.check(x, k)
    loss, gradient = model.loss(x, k), model.backward().copy()
    assert model.loss(x, np.eye(3)[k]) == loss
    np.testing.assert_array_equal(model.backward(), gradient)


@every
def test_predictions_are_in_data_units(make):
    x, _ = batch()
    model = regression(make())
    o = np.tanh(x @ model.network.layers[0].W) @ model.network.layers[2].W
    expected = {SoftmaxCrossEntropy: lambda: special.softmax(o, axis=1), BernoulliNLL: lambda: special.expit(o),
                ContinuousBernoulliNLL: lambda: 1 / (1 - np.exp(-o)) - 1 / o,
                HeteroscedasticGaussianNLL: lambda: o[:, :3]}.get(type(model.criterion), lambda: o)()
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-9)
    ae = autoencoder(make())
    z = ae.encode(x)
    assert z.shape == (6, 2) and ae.decode(z).shape == ae.reconstruct(x).shape == x.shape
    np.testing.assert_array_equal(ae.reconstruct(x), ae.decode(z))
    np.testing.assert_array_equal(ae.decode(z), ae.criterion.mean(ae.decoder.forward(z)))


def test_float32_stays_float32():
    x, t = (array.astype(np.float32) for array in batch())
    for make in CRITERIA.values():
        model = regression(make()).astype(np.float32)
        model.loss(x, t)
        assert model.backward().dtype == model.predict(x).dtype == np.float32


def test_a_single_layer_is_a_network():
    rng = np.random.default_rng(0)
    model = Regression(Dense(4, 3, rng=rng), SquaredError())
    assert list(model.named_parameters()) == ["network.0.W", "network.0.b"]
    assert_model_gradient(model, *batch(), rng=rng)


def test_a_k_sparse_autoencoder_with_dropout():
    rng = np.random.default_rng(0)
    ae = Autoencoder(Sequential(Dropout(0.2), Dense(4, 6, rng=rng), TopK(2)), Dense(6, 4, rng=rng), SquaredError())
    x, _ = batch()
    assert_model_gradient(ae, x, rng=rng)
    assert (np.count_nonzero(ae.encode(x), axis=1) == 2).all()
    np.testing.assert_array_equal(ae.reconstruct(x), ae.reconstruct(x))
    ae.encoder.layers[2].k = 3
    assert (np.count_nonzero(ae.encode(x), axis=1) == 3).all()


@pytest.mark.parametrize("make, error, words", [
    (lambda: Regression(mlp([4, 3], output=Softmax), SoftmaxCrossEntropy()), ValueError,
     r"Regression: the network ends in Softmax\(\), but SoftmaxCrossEntropy takes logits .*: remove the last layer, Softmax\(\)"),
    (lambda: Autoencoder(mlp([4, 2]), mlp([2, 4], output=Sigmoid), BernoulliNLL()), ValueError, "remove the last layer, Sigmoid"),
    (lambda: Autoencoder(mlp([4, 2]), mlp([3, 4]), SquaredError()), ValueError, "the code has 2 numbers, but the decoder takes 3"),
    (lambda: Autoencoder(mlp([4, 2]), mlp([2, 5]), SquaredError()), ValueError, "the decoder must give 4 outputs, got 5"),
    (lambda: Autoencoder(mlp([4, 2]), mlp([2, 4]), HeteroscedasticGaussianNLL()), ValueError, "the decoder must give 8 outputs, got 4"),
    (lambda: Regression([Dense(2, 3)], SquaredError()), TypeError, "network must be a Layer, got list"),
    (lambda: regression(SquaredError()).backward(), RuntimeError, "Regression.backward: call loss right before"),
    (lambda: Model().loss(), NotImplementedError, "Model.loss")])
def test_models_that_cannot_be(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_sigmoid_under_a_squared_error_is_fine():
    Regression(mlp([4, 3], output=Sigmoid), SquaredError())
    Autoencoder(mlp([4, 2], output=Sigmoid), mlp([2, 4]), BernoulliNLL())


X, T = np.zeros((3, 4)), np.full((3, 3), 0.5)


@pytest.mark.parametrize("criterion, x, t, error, words", [
    (SquaredError, X.tolist(), T, TypeError, "x must be a NumPy array, got list"),
    (SquaredError, X[:, :3], T, ValueError, r"Regression: x must have shape \(N, 4\), got \(3, 3\)"),
    (SquaredError, X[0], T, ValueError, r"x must have shape \(N, 4\), got \(4,\)"),
    (SquaredError, X[:0], T[:0], ValueError, "at least one row, got none"),
    (SquaredError, X[:2], T, ValueError, "t must have as many rows as x, 2, got 3"),
    (SquaredError, X, T[:, :2], ValueError, r"Regression: t must have shape \(N, 3\), got \(3, 2\)"),
    (SquaredError, X, T[:, 0], ValueError, r"t must have shape \(N, 3\), got \(3,\)"),
    (SquaredError, X.astype(int), T, TypeError, r"x must be float64, got int64: write x.astype\(np.float64\)"),
    (SquaredError, X.astype(np.float32), T, TypeError, r"x must be float64, as the parameters are, got float32: write x.astype"),
    (SquaredError, X.astype(complex), T, TypeError, "x must be float64, got complex128"),
    (SquaredError, X.astype(object), T, TypeError, "x must be float64, got object"),
    (SquaredError, X + np.nan, T, ValueError, "x must be finite, got nan in row 0, column 0"),
    (SquaredError, X, np.where(np.eye(3), np.inf, T), ValueError, "t must be finite, got inf in row 0, column 0"),
    (BernoulliNLL, X, T + 1, ValueError, r"BernoulliNLL: targets must lie in \[0, 1\], got 1.5 to 1.5"),
    (BernoulliNLL, X, T[:, 0], ValueError, r"t must have shape \(N, 3\), got \(3,\)"),
    (ContinuousBernoulliNLL, X, T[:, 0], ValueError, r"t must have shape \(N, 3\), got \(3,\)"),
    (SoftmaxCrossEntropy, X, np.array([0, 1, 3]), ValueError, "integer targets must be at least 0 and at most 2, got 0 to 3"),
    (SoftmaxCrossEntropy, X, np.array([0.0, 1.0, 2.0]), ValueError, "targets must be integers"),
    (SoftmaxCrossEntropy, X, [0, 1, 2], TypeError, "must be a NumPy array, got list"),
    (SoftmaxCrossEntropy, X, np.array(["a", "b", "c"]), (ValueError, TypeError), "targets must be integers|must be"),
    (SoftmaxCrossEntropy, X, T, ValueError, "sum to 1.5 to 1.5")])
def test_data_that_do_not_fit(criterion, x, t, error, words):
    """Once a bug with 1-D targets: for the (continuous) Bernoulli check_target gets an argument that it does not have, a TypeError about
    positional arguments; a list of classes is an AttributeError."""
    with pytest.raises(error, match=words):
        regression(criterion()).check(x, t)


def test_data_that_fit():
    for make in CRITERIA.values():
        regression(make()).check(X, np.full((3, 3), 1 / 3))
        autoencoder(make()).check(np.full((2, 4), 0.25))
    with pytest.raises(ValueError, match=r"Autoencoder: x must have shape \(N, 4\), got \(2, 3\)"):
        autoencoder(SquaredError()).check(X[:2, :3])


def test_training_with_tanh_learns_an_xor():
    rng = np.random.default_rng(0)
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    k = np.array([0, 1, 1, 0])
    model = Regression(mlp([2, 8, 2], hidden=Tanh, rng=rng), SoftmaxCrossEntropy())
    for _ in range(400):
        model.loss(x, k)
        model.w -= 0.5 * model.backward()
    np.testing.assert_array_equal(model.predict(x).argmax(axis=1), k)
    assert model.loss(x, k) < 0.1
