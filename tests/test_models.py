"""Regression and Autoencoder: what a Model promises, with every loss."""

import copy
import re

import numpy as np
import pytest
from scipy import sparse, special

from numpyae import (IWAE, VAE, Adam, Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Dense, DiagonalGaussian,
                     Dropout, GaussianNLL, HeteroscedasticGaussianNLL, L2Sparsity, Layer, Model, Regression,
                     ScoreFunctionVAE, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy, SquaredError, Tanh, TopK,
                     WeightDecay, fit, gradcheck, lbfgs, mlp, trace)
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


# ------------------------------------------------------------------------------------------ a Model of one's own, penalties

class Ridge(Model):
    """A line with small weights: L = 1/N Σ_n ‖o_n - t_n‖² + λ Σ W²."""

    batch_names = ("x", "t")

    def __init__(self, dense, decay):
        self.dense, self.error, self.decay = dense, SquaredError(), decay
        self.add_parts(dense=dense, error=self.error)

    def loss(self, x, t, rng=None, noise=None, training=True):
        self.begin(rng, noise, training)
        values = self.error.forward(self.dense.forward(x), t)
        self.term("error", values, over=len(x))
        self.term("ridge", np.sum(self.dense.W**2), over=1, factor=self.decay)
        return self.total()

    def backward(self):
        self.from_zero()
        delta = self.error.backward(self.weights["error"])
        self.dense.backward(delta)
        self.dense.dW += 2 * self.weights["ridge"] * self.dense.W
        return self.grad


def line(n=40):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 3))
    return x, x @ rng.standard_normal((3, 2)) + 0.1 * rng.standard_normal((n, 2))


def ridge_by_hand(x, t, decay):
    """W and b of the closed form: b is free, so data are centred; (XᵀX + N λ I) W = Xᵀ T."""
    X, T = x - x.mean(axis=0), t - t.mean(axis=0)
    W = np.linalg.solve(X.T @ X + len(x) * decay * np.eye(x.shape[1]), X.T @ T)
    return W, t.mean(axis=0) - x.mean(axis=0) @ W


@pytest.mark.parametrize("make", [lambda: Ridge(Dense(3, 2, rng=0), 0.3),
                                  lambda: Regression(Dense(3, 2, rng=0), SquaredError(), penalties=[WeightDecay(0.3)])],
                         ids=["own", "penalty"])
def test_ridge_regression_is_its_closed_form(make):
    x, t = line()
    model = make()
    assert gradcheck.check(model, x, t).ok
    lbfgs(model, x, t, tolerance=0)
    W, b = ridge_by_hand(x, t, 0.3)
    found_W, found_b = model.named_parameters().values()
    np.testing.assert_allclose(found_W, W, atol=1e-7)
    np.testing.assert_allclose(found_b, b, atol=1e-7)


def test_a_model_of_ones_own_is_checked_trained_saved_and_traced(tmp_path):
    x, t = line()
    model = Ridge(Dense(3, 2, rng=0), 0.3)
    history = fit(model, x, t, optimizer=Adam(0.1), epochs=20, batch_size=10, rng=0, validation=(x, t), patience=5,
                  checkpoint=tmp_path / "c.npz")
    assert history.loss[-1] < history.loss[0] and list(history.terms) == ["error", "ridge"]
    again = Ridge(Dense(3, 2, rng=1), 0.3)
    fit(again, x, t, optimizer=Adam(0.1), epochs=20, batch_size=10, rng=0, validation=(x, t), patience=5, resume=tmp_path / "c.npz")
    assert np.array_equal(again.w, model.w)
    model.save(tmp_path / "w.npz")
    again.load(tmp_path / "w.npz")
    tableau = trace(model, x[:2], t[:2])
    assert tableau["L"].value == pytest.approx(model.loss(x[:2], t[:2])) and "ridge" in tableau["L"].formula
    with pytest.raises(ValueError, match="Ridge: t must have as many rows as x, 40, got 39"):
        fit(model, x, t[1:], optimizer=Adam(0.1), epochs=1, batch_size=10)
    with pytest.raises(ValueError, match="Ridge: x must be finite"):
        fit(model, x * np.nan, t, optimizer=Adam(0.1), epochs=1, batch_size=10)


def test_a_batch_without_rows_and_backward_without_loss():
    model, (x, t) = Ridge(Dense(3, 2, rng=0), 0.3), line()
    with pytest.raises(ValueError, match="Ridge: a batch must have at least one row, got none"):
        model.loss(x[:0], t[:0])
    with pytest.raises(RuntimeError, match="Ridge.backward: call loss right before it"):
        Ridge(Dense(3, 2, rng=0), 0.3).backward()


@pytest.mark.parametrize("kind", [VAE, ScoreFunctionVAE, IWAE])
def test_a_vae_takes_penalties_and_loses_none(kind):
    rng = np.random.default_rng(0)
    x = rng.random((7, 5))
    parts = mlp([5, 3, 4], output=None, rng=rng), mlp([2, 3, 5], rng=rng)
    plain = kind(*copy.deepcopy(parts), BernoulliNLL(), DiagonalGaussian(2))
    model = kind(*parts, BernoulliNLL(), DiagonalGaussian(2), penalties=[WeightDecay(0.1), L2Sparsity(0.3, 0.7, at="encoder.1"),
                                                                         L2Sparsity(0.3, 0.2, at="decoder.1")])
    value, bare = model.loss(x, rng=1), plain.loss(x, rng=1)
    assert list(model.terms)[-3:] == ["weight decay", "sparsity", "sparsity 2"]
    decay = 0.1 * sum((W**2).sum() for name, W in model.named_parameters().items() if name.endswith("W"))
    assert model.terms["weight decay"] == pytest.approx(decay) and sum(model.terms.values()) == value
    assert value == pytest.approx(bare + sum(list(model.terms.values())[-3:]))
    difference = model.backward() - plain.backward()     # exactly what the penalties add, whatever the estimator
    w, h = model.w.copy(), 1e-6

    def penalty(at):
        model.w = at
        model.loss(x, noise=model.noise)
        return sum(list(model.terms.values())[-3:])

    slopes = [(penalty(w + h * e) - penalty(w - h * e)) / (2 * h) for e in np.eye(w.size)]
    np.testing.assert_allclose(difference, slopes, atol=1e-7)
    with pytest.raises(ValueError, match=rf'{kind.__name__}: L2Sparsity\(.*\) must say which layer it is about, such as at="encoder.1"'):
        kind(*copy.deepcopy(parts), BernoulliNLL(), DiagonalGaussian(2), penalties=[L2Sparsity(0.3, 0.7)])


# A class that says too little

class Hider(Layer):
    """A layer around another one, which it does not own."""

    def __init__(self):
        self.inner = Dense(5, 5, rng=0)

    def forward(self, x):
        return self.inner.forward(x)

    def backward(self, delta):
        return self.inner.backward(delta)


def test_a_layer_that_nobody_owns_is_refused():
    with pytest.raises(TypeError, match=r"keeps Dense\(5 -> 5\) in inner and does not own it, .* self.add_parts\(inner=...\)"):
        Regression(Sequential(Hider(), Dense(5, 2, rng=0)), SquaredError())


class Careless(Model):
    """A model that can forget one thing."""

    batch_names = ("x", "t")

    def __init__(self, forgets="", penalties=()):
        self.dense, self.error, self.forgets = Dense(5, 2, rng=0), SquaredError(), forgets
        self.add_parts(dense=self.dense, error=self.error)
        self.penalties = penalties                       # the same as add_penalties

    def loss(self, x, t, rng=None, noise=None, training=True):
        if self.forgets != "begin":
            self.begin(rng, noise, training)
        values = self.error.forward(self.dense.forward(x), t)
        self.term("error", values, over=len(x))
        if self.forgets == "names":
            self.term("error", values, over=len(x))
        return None if self.forgets == "total" else self.total()

    def backward(self):
        self.from_zero()
        self.dense.backward(self.error.backward(self.weights["error"]))
        return self.grad


def test_a_model_that_forgets_a_call_is_told_which():
    x, t = np.random.default_rng(0).random((7, 5)), np.random.default_rng(1).random((7, 2))
    for forgets in ("begin", "names"):
        with pytest.raises(ValueError, match="the term 'error' is there already, or loss does not start with self.begin"):
            Careless(forgets).loss(x, t)
    with pytest.raises(TypeError, match="Careless.loss must return the loss, as `return self.total"):
        fit(Careless("total"), x, t, optimizer=Adam(0.1), epochs=1, batch_size=7)
    with pytest.raises(TypeError, match="fit: model must be a Model, such as Regression"):
        fit(mlp([5, 2]), x, t, optimizer=Adam(0.1), epochs=1, batch_size=7)
    penalised = Careless(penalties=[WeightDecay(0.1)])
    assert penalised.loss(x, t) - Careless().loss(x, t) == pytest.approx(0.1 * np.sum(penalised.dense.W**2))
    gradcheck.assert_gradients(penalised, x, t)


@pytest.mark.parametrize("disguise, message", [
    (np.matrix, "x must be a NumPy array, got matrix: write np.asarray(x)"),
    (np.ma.masked_array, "x must be a NumPy array, got MaskedArray: write x.filled(...)"),
    (sparse.csr_array, "x must be a NumPy array, got csr_array: write x.toarray()")])
def test_what_looks_like_an_array_is_refused(disguise, message):
    x = np.eye(3)
    with pytest.raises(TypeError, match=re.escape(message)):
        Regression(Dense(3, 2, rng=0), SquaredError()).predict(disguise(x))
