"""Where the mistake is and what it is: the report names the layer, the array and the cause, and never guesses."""

import numpy as np
import pytest

from numpyae import (IWAE, VAE, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, Dropout, GaussianNLL, HeteroscedasticGaussianNLL,
                     Layer, MixturePrior, ReLU, Regression, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy, SquaredError, Tanh,
                     TiedDense, gradcheck, mlp)
from tests.test_tableau import Residual

X = np.random.default_rng(3).normal(size=(7, 5))
T = np.random.default_rng(4).normal(size=(7, 2))


def broken(cls, backward, *arguments, **options):
    """An instance of cls with this backward, no parameter at 0."""
    layer = type(f"Broken{cls.__name__}", (cls,), {"backward": backward})(*arguments, **options)
    layer.w += 0.1 * np.random.default_rng(5).normal(size=layer.w.size)
    return layer


def dense(change_dW=lambda dW, layer, delta: dW, change_db=lambda db, layer, delta: db, change_dx=lambda dx, layer, delta: dx):
    """A backward of Dense with something done to one of its three gradients."""
    def backward(self, delta, input_gradient=True):
        self.dW += change_dW(self.x.T @ delta, self, delta)
        self.db += change_db(delta.sum(axis=0), self, delta)
        return change_dx(delta @ self.W.T, self, delta)
    return backward


DENSE = [
    ("W", "sign", "has the wrong sign", dense(change_dW=lambda dW, layer, delta: -dW)),
    ("W", "factor", "2 times too small", dense(change_dW=lambda dW, layer, delta: dW / 2)),
    ("b", "factor", "7 times too large, and 7 is the batch size: is the mean", dense(change_db=lambda db, layer, delta: 7 * db)),
    ("W", "factor", "5 times too large, and 5 is the number of inputs", dense(change_dW=lambda dW, layer, delta: 5 * dW)),
    ("x", "factor", "3 times too small, and 3 is the number of outputs", dense(change_dx=lambda dx, layer, delta: dx / 3)),
    ("x", "factor", "1.37 times too large, the same factor in every element", dense(change_dx=lambda dx, layer, delta: 1.37 * dx)),
    ("b", "axes", "holds the sum over all its elements", dense(change_db=lambda db, layer, delta: np.full(3, db.sum()))),
    ("b", "axes", "delta of the first sample only", dense(change_db=lambda db, layer, delta: delta[0])),
    ("W", "axes", "of the last sample only", dense(change_dW=lambda dW, layer, delta: np.outer(layer.x[-1], delta[-1]))),
    ("W", "zero", "is 0 everywhere", dense(change_dW=lambda dW, layer, delta: 0 * dW)),
    ("W", "term", "off by 0.1 W", dense(change_dW=lambda dW, layer, delta: dW + 0.1 * layer.W)),
    ("W", "precision", "seven digits of float32", dense(change_dW=lambda dW, layer, delta: dW.astype(np.float32))),
    ("x", "axes", "row 0", dense(change_dx=lambda dx, layer, delta: np.where(np.arange(7)[:, None] == 0, 0, dx))),
]


@pytest.mark.parametrize("array, cause, words, backward", DENSE, ids=[words for _, _, words, _ in DENSE])
def test_a_dense_layer_alone_and_in_a_network(array, cause, words, backward):
    report = gradcheck.check(broken(Dense, backward, 5, 3, rng=0), X)
    assert [(found["array"], found["cause"]) for found in report.findings] == [(array, cause)]
    assert words in report.sentence() and report.sentence().startswith("BrokenDense(5 -> 3): d" + array)
    network = Sequential(Dense(2, 5, rng=1), Tanh(), broken(Dense, backward, 5, 3, rng=0), Tanh(), Dense(3, 2, rng=2))
    report = gradcheck.check(Regression(network, SquaredError()), X[:, :2], T)
    assert [(found["place"], found["array"], found["cause"]) for found in report.findings] == [("network.2", array, cause)]
    assert report.sentence().startswith("BrokenDense 2 of the network: d")


def test_what_lies_behind_the_first_wrong_layer_is_not_accused():
    """Everything before a wrong dx gets wrong deltas, and all their gradients disagree; only the layer that made it is named."""
    flipped = dense(change_dx=lambda dx, layer, delta: -dx)
    network = Sequential(Dense(5, 11, rng=1), Tanh(), Dense(11, 4, rng=2), Tanh(), broken(Dense, flipped, 4, 3, rng=0), Dense(3, 2, rng=2))
    report = gradcheck.check(Regression(network, SquaredError()), X, T)
    wrong = [row["array"] for row in report.rows if row["verdict"] == "disagree"]
    assert wrong == ["network.0.W", "network.0.b", "network.2.W", "network.2.b"]
    assert [found["place"] for found in report.findings] == ["network.4"]


@pytest.mark.parametrize("width, words, change", [(5, "is the transpose of what it should be", lambda dW, layer, delta: dW.T),
                                                  (3, "reshaped instead of transposed", lambda dW, layer, delta: dW.T.reshape(5, 3))])
def test_a_transposed_gradient(width, words, change):
    assert words in gradcheck.check(broken(Dense, dense(change_dW=change), 5, width, rng=0), X).sentence()


def test_two_wrong_layers_are_both_named_when_both_got_the_right_delta():
    halved = dense(change_db=lambda db, layer, delta: db / 2)
    network = Sequential(broken(Dense, halved, 5, 11, rng=1), Tanh(), broken(Dense, halved, 11, 2, rng=0))
    report = gradcheck.check(Regression(network, SquaredError()), X, T)
    assert [(found["place"], found["array"]) for found in report.findings] == [("network.2", "b"), ("network.0", "b")]


ACTIVATION = [
    (Tanh, "elementwise", "lacks the factor φ'(a)", lambda self, delta: delta.copy()),
    (Tanh, "elementwise", "φ'(φ(a))", lambda self, delta: delta * (1 - np.tanh(self.h) ** 2)),
    (Tanh, "elementwise", "delta (1 - h)", lambda self, delta: delta * (1 - self.h)),
    (Sigmoid, "elementwise", "has a factor φ'(a)", lambda self, delta: delta * (self.h * (1 - self.h)) ** 2),
    (ReLU, "elementwise", "φ'(a)", lambda self, delta: delta.copy()),
    (Tanh, "elementwise", "has a wrong local derivative", lambda self, delta: delta * np.cos(3.1 * self.h)),
    (Tanh, "axes", "depends at one sample on the other samples", lambda self, delta: delta * (1 - self.h * self.h.mean(0))),
    (Softmax, "diagonal", "as if the Jacobian were diagonal", lambda self, delta: self.p * (1 - self.p) * delta),
    (Softmax, "diagonal", "is delta", lambda self, delta: delta.copy()),
    (Softmax, "axes", "summed over the samples", lambda self, delta: self.p * (delta - (self.p * delta).sum(0))),
    (Tanh, "nonlinear", "not linear in delta", lambda self, delta: np.clip(delta, -0.5, 0.5) * (1 - self.h**2)),
    (Tanh, "redrawn", "is noise drawn anew", lambda self, delta: delta * np.random.default_rng().normal(size=delta.shape)),
]


@pytest.mark.parametrize("cls, cause, words, backward", ACTIVATION, ids=[f"{cls.__name__} {words}" for cls, _, words, _ in ACTIVATION])
def test_an_activation_alone_and_in_a_network(cls, cause, words, backward):
    for target, batch in ((broken(cls, backward), (X,)),
                          (Regression(Sequential(Dense(2, 4, rng=0), broken(cls, backward), Dense(4, 2, rng=1)), SquaredError()), (X[:, :2], T))):
        report = gradcheck.check(target, *batch)
        assert cause in {found["cause"] for found in report.findings}
        assert words in str(report) and f"Broken{cls.__name__}" in report.sentence()


@pytest.mark.parametrize("words, backward", [
    ("lacks the factor", lambda self, delta: delta / self.keep),
    ("1 / keep", lambda self, delta: delta * self.mask)])
def test_dropout(words, backward):
    assert words in gradcheck.check(broken(Dropout, backward, 0.3), X).sentence()


def test_the_gradient_of_mu_and_that_of_logvar_are_told_apart():
    def backward(self, weight):
        right = HeteroscedasticGaussianNLL.backward(self, weight)
        return np.concatenate([right[:, :5], 2 * right[:, 5:]], axis=1)
    report = gradcheck.check(broken(HeteroscedasticGaussianNLL, backward), np.hstack([X, X / 2]), X[::-1].copy())
    assert "dlogvar is 2 times too large" in report.sentence() and len(report.findings) == 1


class Shortcut(Residual):
    """A backward that forgets the straight path."""

    def backward(self, delta):
        return self.inner.backward(delta)


def test_a_layer_of_layers_is_blamed_when_its_own_layers_are_right():
    network = Sequential(Dense(5, 4, rng=0), Shortcut(mlp([4, 3, 4], rng=1)), Dense(4, 2, rng=2))
    report = gradcheck.check(Regression(network, SquaredError()), X, T)
    assert [(found["place"], found["array"]) for found in report.findings] == [("network.1", "x")]
    assert report.sentence() == "Shortcut 1 of the network: dx is off by delta: a summand is missing or has the wrong sign."


class WeightOfKL(VAE):
    """A VAE with something wrong between its parts: `factor` on the way of the KL, `sign` on that of the draw."""

    factor = sign = 1

    def backward(self):
        self.from_zero()
        do = self.likelihood.backward(self.weights["reconstruction"])
        dz = self.decoder.backward(do).reshape(self.posterior.z.shape)
        self.encoder.backward(self.posterior.backward(self.sign * dz, self.factor * self.weights["kl"]), input_gradient=False)
        return self._grad


@pytest.mark.parametrize("name, value, words", [("factor", 11, "posterior).kl is 11 times too large"),
                                                ("factor", 0, "posterior).kl is 0 everywhere"),
                                                ("sign", -1, "posterior).sample has the wrong sign")])
def test_the_code_between_the_parts_is_blamed_when_all_parts_are_right(name, value, words):
    model = WeightOfKL(mlp([3, 4], rng=0), mlp([2, 3], rng=1), BernoulliNLL(), DiagonalGaussian(2))
    setattr(model, name, value)
    report = gradcheck.check(model, np.abs(np.sin(X[:, :3])))
    assert report.sentence().startswith("WeightOfKL: the delta that reaches") and words in report.sentence()


@pytest.mark.parametrize("kind, method, change, words", [
    (VAE, "sample_backward", lambda dmu, dlogvar: (dmu, -dlogvar), "dlogvar, in the term draw, has the wrong sign"),
    (IWAE, "sample_backward", lambda dmu, dlogvar: (dlogvar, dlogvar), "dmu, in the term draw, has a wrong local derivative"),
    (VAE, "density_backward", lambda dmu, dlogvar, _: (dmu, 11 * dlogvar, _), "dlogvar, in the term log q, is 11 times too large"),
    (IWAE, "density_backward", lambda dmu, dlogvar, _: (dmu, -dlogvar, _), "dlogvar, in the term log q, has the wrong sign")])
def test_a_broken_posterior_is_named_where_the_kl_is_sampled(kind, method, change, words):
    """Once a KeyError, for a kl that such a model never asks for, and an IndexError, for log q of K draws has samples in columns."""
    def backward(self, delta):
        return change(*getattr(DiagonalGaussian, method)(self, delta))

    posterior = type("Broken", (DiagonalGaussian,), {method: backward})(2)
    options = {"kl": "sampled"} if kind is VAE else {}
    model = kind(mlp([3, 4], rng=0), mlp([2, 3], rng=1), GaussianNLL(), posterior, MixturePrior(2, 2, 0), samples=3, **options)
    assert words in gradcheck.check(model, X[:, :3]).sentence()


def test_a_tiny_term_beside_a_huge_one_is_checked_alone():
    """The KL is less than a billionth of this loss: in the whole gradient a sign of it drowns."""
    model = WeightOfKL(mlp([3, 4], rng=0), mlp([2, 3], rng=1), GaussianNLL(1e-6), DiagonalGaussian(2))
    assert gradcheck.check(model, X[:, :3]).verdict == "agree"
    model.factor = -1
    report = gradcheck.check(model, X[:, :3])
    assert not report.ok
    rows = [row for row in report.rows if row["verdict"] == "disagree"]
    assert {row["term"] for row in rows} == {"kl"}
    assert any("dominates" in warning for warning in report.warnings)


def test_a_shared_weight_with_one_path_missing():
    def backward(self, delta):
        self.db += delta.sum(axis=0)
        return delta @ self.dense.W
    first = Dense(5, 3, rng=0)
    decoder = broken(TiedDense, backward, first)
    report = gradcheck.check(Autoencoder(Sequential(first, Tanh()), Sequential(decoder), SquaredError()), X)
    assert report.findings[0]["place"] == "decoder.0" and report.findings[0]["cause"] == "zero"
    assert "dense.W" in report.sentence()


def test_a_cache_that_another_part_spoils():
    class Rough(Tanh):
        def forward(self, a):
            self.h = np.tanh(a)
            a *= 0
            return self.h
    network = Sequential(Dense(5, 4, rng=0), Sigmoid(), Rough(), Dense(4, 2, rng=1))
    report = gradcheck.check(Regression(network, SquaredError()), X, T)
    text = str(report)
    assert "Rough 2 of the network: forward changed its x in place" in text
    assert "Sigmoid 1 of the network: h, which forward kept, was changed by another part" in text


def test_weights_updated_before_the_gradients_are_all_there():
    def backward(self, delta, input_gradient=True):
        dx = Dense.backward(self, delta)
        self.W -= 0.1 * self.dW
        return dx
    layer = broken(Dense, backward, 5, 3, rng=0)
    before = layer.w.copy()
    report = gradcheck.check(layer, X)
    assert "backward changed the parameter W: weights may be updated only" in report.sentence()
    np.testing.assert_array_equal(layer.w, before)


def test_an_empty_batch_is_an_error():
    with pytest.raises(ValueError, match=r"check: h has no elements, shape \(0, 4\): nothing would be checked"):
        gradcheck.check(DiagonalGaussian(2), np.zeros((0, 4)))


def test_a_mask_of_an_earlier_forward():
    class Stale(ReLU):
        mask = before = None

        def forward(self, a):
            self.before, self.mask = self.mask, a > 0
            return super().forward(a)

        def backward(self, delta):
            return delta * (self.mask if self.before is None else self.before)

    report = gradcheck.check(Stale(), X)
    assert report.findings[0]["cause"] == "stale" and "what an earlier forward kept" in report.sentence()


@pytest.mark.parametrize("backward", [lambda self, delta: self.A @ delta, lambda self, delta: delta])
def test_a_layer_that_mixes_samples_is_not_said_to_mix_them_wrongly(backward):
    class Graph(Layer):
        A = np.random.default_rng(0).normal(size=(7, 7))

        def forward(self, x):
            return self.A @ x

    report = gradcheck.check(broken(Graph, backward), X)
    assert not report.ok and "should not" not in str(report)


def test_two_explanations_that_fit_equally_are_both_named():
    square = np.random.default_rng(0).normal(size=(5, 5))
    fivefold = dense(change_db=lambda db, layer, delta: 5 * db)
    report = gradcheck.check(broken(Dense, fivefold, 5, 5, rng=0), square)
    assert "5 is the batch size, or the number of inputs, or the number of outputs" in report.sentence()
    assert sum("5" in warning for warning in report.warnings) >= 1


def test_what_nothing_explains_is_called_unexplained():
    noise = np.random.default_rng(0).normal(size=(5, 3))
    report = gradcheck.check(broken(Dense, dense(change_dW=lambda dW, layer, delta: dW * (1 + 0.1 * noise)), 5, 3, rng=0), X)
    assert report.findings[0]["cause"] == "unexplained"
    assert "cosine 0.9" in report.sentence() and "norm ratio" in report.sentence() and "worst at" in report.sentence()


def test_one_element_of_many_is_found_and_said_to_be_sampled():
    def backward(self, delta, input_gradient=True):
        dW = self.x.T @ delta
        dW[37, 41] *= 2
        self.dW += dW
        self.db += delta.sum(axis=0)
        return delta @ self.W.T
    x = np.random.default_rng(0).normal(size=(7, 60))
    report = gradcheck.check(broken(Dense, backward, 60, 50, rng=0), x)
    row = next(row for row in report.rows if row["array"] == "W")
    assert row["checked"] == 201 and row["elements"] == 3000 and row["index"] == [37, 41]
    assert "at [37, 41]" in report.sentence() and "201 of 3000 elements sampled, and 4 directions" in str(report)
    assert gradcheck.check(Dense(60, 50, rng=0), x).ok


def test_a_backward_that_fails_is_a_report_with_the_line():
    def backward(self, delta, input_gradient=True):
        self.dW += self.x @ delta
        return delta @ self.W.T
    report = gradcheck.check(broken(Dense, backward, 5, 3, rng=0), X)
    assert not report.ok and report.findings[0]["cause"] == "raises"
    assert "`self.dW += self.x @ delta`" in report.sentence() and "is a transpose missing" in report.sentence()
    nothing = gradcheck.check(broken(Tanh, lambda self, delta: None), X)
    assert not nothing.ok and "backward returns no gradient of x" in nothing.sentence()
    wide = gradcheck.check(broken(Tanh, lambda self, delta: delta[:, :2]), X)
    assert "the gradient of x must have shape (7, 5), got (7, 2)" in wide.sentence()


def test_a_model_that_returns_something_else_than_it_keeps():
    class Doubling(Regression):
        def backward(self):
            return 2 * super().backward()

    class Silent(Regression):
        def backward(self):
            super().backward()

    doubled = gradcheck.check(Doubling(mlp([5, 3, 2], rng=0), SquaredError()), X, T)
    assert [found["factor"] for found in doubled.findings] == pytest.approx([2] * 4)
    assert "must return the gradient" in gradcheck.check(Silent(mlp([5, 2], rng=0), SquaredError()), X, T).sentence()


@pytest.mark.parametrize("target, batch, words", [
    (Dense(5, 5, rng=0), (X,), "W: square"),
    (Dense(5, 3, rng=0), (X,), "b: all 0"),
    (Dense(5, 3, rng=0), (X[:1],), "the batch has one sample"),
    (Dense(5, 7, rng=0), (X,), "the batch size 7 is also the width of a layer"),
    (ReLU(), (np.hstack([X, -np.abs(X[:, :1])]),), "1 of 6 units are off"),
    (ReLU(), (-np.abs(X),), "the gradient of x is 0 everywhere"),
    (SoftmaxCrossEntropy(), (X[:1], np.array([1])), "one sample")])
def test_warnings_about_the_point(target, batch, words):
    report = gradcheck.check(target, *batch)
    assert any(words in warning for warning in report.warnings), report.warnings
    assert "warning: " in str(report)


def test_a_good_point_has_no_warning():
    layer = Dense(5, 3, rng=0)
    layer.b = [0.1, -0.2, 0.3]
    assert gradcheck.check(layer, X).warnings == []


class Normed(Layer):
    """y = (x - mean) / σ of each row, with a sum in backward where a mean belongs."""

    def forward(self, x):
        self.s = np.sqrt(np.var(x, axis=1, keepdims=True) + 1e-5)
        self.y = (x - x.mean(axis=1, keepdims=True)) / self.s
        return self.y

    def backward(self, delta):
        return (delta - delta.mean(axis=1, keepdims=True) - self.y * (delta * self.y).sum(axis=1, keepdims=True)) / self.s


def test_a_sum_for_a_mean_that_no_formula_explains_is_found_by_its_line():
    sentence = gradcheck.check(Normed(), X).sentence()
    assert "all is right when in Normed.backward the line" in sentence and "(delta * self.y).mean(axis=1" in sentence.partition("reads")[2]
