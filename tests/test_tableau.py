"""The tableau holds the numbers of the pass it shows, says where two passes part, and leaves the model alone."""

import copy

import numpy as np
import pytest

import numpyae
from numpyae import (IWAE, VAE, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, Dropout, FullGaussian, GaussianNLL, GaussianPrior, Layer,
                     MixturePrior, Regression, ScoreFunctionVAE, Sequential, SoftmaxCrossEntropy,
                     SquaredError, Tanh, TiedDense, TopK, mlp, parameter, trace)
from numpyae.course.examples import tiny_vae, two_two_two
from numpyae.tableau import Tableau

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 3))


class Scale(Layer):
    """y = g x, unknown to the tableau."""

    g, dg = parameter("g")

    def __init__(self, n):
        self.add_parameters(g=np.linspace(1, 2, n))

    def forward(self, x):
        self.x = x
        return self.g * x

    def backward(self, delta):
        self.dg += np.sum(delta * self.x, axis=0)
        return delta * self.g


def gaussian_vae():
    return VAE(mlp([5, 4, 4], rng=1), mlp([2, 4, 5], rng=2), GaussianNLL(learn=True), DiagonalGaussian(2), samples=3, beta=0.5)


def tied():
    dense = Dense(5, 4, rng=1)
    return Autoencoder(Sequential(dense, Tanh(), Dropout(0.5)), Sequential(TiedDense(dense)), SquaredError())


MNIST_SIZE = trace(VAE(mlp([784, 50, 100], rng=1), mlp([50, 50, 784], rng=2), GaussianNLL(learn=True), DiagonalGaussian(50), samples=2), np.full((1000, 784), -1e5), rng=0)


def test_rows_of_a_network_in_the_order_of_computation():
    tableau = trace(mlp([5, 4, 3], rng=0), X, T)
    assert [row.step for row in tableau.rows] == ["x", "t", "a1", "h1", "o", "E", "L", "do", "dW2", "db2", "dh1", "da1", "dW1", "db1"]
    assert [row.backward for row in tableau.rows] == [False] * 7 + [True] * 7
    assert tableau["dW1"].formula == "xᵀ da1" and tableau["da1"].formula == "dh1 (1 - h1²)" and tableau["o"].formula == "h1 W2 + b2"
    assert tableau["dW2"].shape == (4, 3) and len(tableau) == 14


@pytest.mark.parametrize("model, batch", [(Regression(mlp([5, 4, 3], rng=0), SquaredError()), (X, T)),
                                          (Regression(mlp([5, 4, 3], rng=0), SoftmaxCrossEntropy()), (X, np.arange(7) % 3)),
                                          (Regression(Sequential(Scale(5), Dense(5, 3, rng=0)), SquaredError()), (X, T)),
                                          (tied(), (X,)), (gaussian_vae(), (X,)), (tiny_vae()[0], tiny_vae()[1:])],
                         ids=["squares", "classes", "own layer", "tied", "gaussian vae", "tiny vae"])
def test_the_gradients_are_those_of_the_model_and_nothing_is_changed(model, batch):
    w, grad = model.w.copy(), model.grad.copy()
    tableau = trace(model, *batch, rng=3)
    assert np.array_equal(model.w, w) and np.array_equal(model.grad, grad)
    assert tableau["L"].value == model.loss(*batch, rng=3)
    model.backward()
    parameters = [row for row in tableau.rows if row.step[:2] in ("dW", "db", "dg") and "|" not in row.step or row.step == "dlogvar of the likelihood"]
    shown = np.sort(np.concatenate([row.gradient.ravel() for row in parameters]))
    assert np.allclose(shown, np.sort(model.grad), rtol=0, atol=1e-15)
    assert all(row.gradient.shape == row.shape for row in tableau.rows if row.backward)


def test_a_vae_shows_its_draw_and_its_divergence():
    model, x = tiny_vae()
    tableau = trace(model, x, rng=0)
    mu, logvar, sigma, epsilon, z = (tableau[name].value for name in ("mu", "logvar", "sigma", "epsilon", "z"))
    assert np.allclose(sigma, np.exp(logvar / 2)) and np.allclose(z, mu + sigma * epsilon)
    assert np.allclose(tableau["KL"].value, 0.5 * np.sum(mu**2 + sigma**2 - logvar - 1, axis=1))
    assert tableau["L"].value == pytest.approx(float(tableau["NLL"].value[0] + tableau["KL"].value[0]), abs=1e-14)
    both = np.concatenate([tableau[f"{name}|draw"].gradient + tableau[f"{name}|KL"].gradient for name in ("dmu", "dlogvar")], axis=1)
    assert np.array_equal(tableau["da2"].gradient, both)


@pytest.mark.parametrize("tableau", [trace(*two_two_two()), trace(*tiny_vae(), rng=0), trace(tied(), X, rng=0), trace(gaussian_vae(), X, rng=0),
                                     trace(mlp([5, 100, 3], rng=0), X, T), trace(mlp([5, 4, 3], rng=0), 1e-7 * X, -1e9 * T), MNIST_SIZE])
def test_fits_a_hundred_columns(tableau):
    lines = str(tableau).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(any(line.startswith(row.step + " ") for line in lines) for row in tableau.rows)


def test_large_arrays_are_summarised_by_norm_and_range():
    tableau = trace(mlp([5, 100, 3], rng=0), X, T)
    a1 = tableau["a1"].value
    assert f"‖{np.linalg.norm(a1):.3g}‖ {a1.min():.3g} … {a1.max():.3g}" in str(tableau)
    assert "‖norm‖ min … max" in str(tableau) and "‖" not in str(trace(*two_two_two()))


class MyTanh(Layer):
    """Written from scratch, and wrong: backward has forgotten the derivative."""

    def forward(self, a):
        return np.tanh(a)

    def backward(self, delta):
        return delta


class WrongTanh(Tanh):
    """The same mistake in a class of ours."""

    backward = MyTanh.backward


@pytest.mark.parametrize("wrong", [MyTanh, WrongTanh])
def test_compare_names_the_first_line_whose_numbers_differ(wrong):
    right = mlp([5, 4, 3], rng=0)
    other = Sequential(copy.deepcopy(right.layers[0]), wrong(), copy.deepcopy(right.layers[2]))
    ours, theirs = trace(right, X, T), trace(other, X, T)
    assert ours.compare(trace(right, X, T)) == "all 14 lines agree"
    place = np.unravel_index(np.argmax(np.abs(ours["da1"].gradient - theirs["da1"].gradient)), (7, 4))
    assert ours.compare(theirs) == (f"line 12, da1 = dh1 (1 - h1²): gradient[{place[0]}, {place[1]}] is "
                                    f"{ours['da1'].gradient[place]:.12g} here and {theirs['da1'].gradient[place]:.12g} there")
    assert theirs["da1"].formula == f"{wrong.__name__}.backward(dh1)"              # not that of the class it comes from


def test_compare_other_weights_and_other_shapes():
    ours = trace(mlp([5, 4, 3], rng=0), X, T)
    assert ours.compare(trace(mlp([5, 4, 3], rng=1), X, T)).startswith("line 3, a1 = x W1 + b1: value[")
    said = ours.compare(trace(mlp([5, 6, 3], rng=0), X, T))
    assert said == "line 3, a1 = x W1 + b1: there it is a1 = x W1 + b1, shape (7, 6), here shape (7, 4)"
    assert ours.compare(Tableau("the first lines", ours.rows[:5])) == "the first 5 lines agree, but there are 14 here and 5 there"
    with pytest.raises(TypeError, match="expected another Tableau, got int"):
        ours.compare(5)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_compare_sees_what_is_no_number(odd):
    ours, broken = trace(mlp([5, 4, 3], rng=0), X, T), trace(mlp([5, 4, 3], rng=0), X, T)
    broken["dW2"].gradient[1, 2] = odd
    for first, second in ((ours, broken), (broken, ours)):
        assert first.compare(second).startswith("line 9, dW2 = h1ᵀ do: gradient[1, 2] is ")
    assert broken.compare(broken) == "all 14 lines agree"


def close(row, value, gradient=False):
    return np.allclose(row.gradient if gradient else row.value, value, rtol=1e-12, atol=1e-14)


def test_the_formulas_are_those_of_the_numbers_several_draws_beta_and_a_learnt_sigma():
    """Each line of a VAE recomputed from other lines, as its formula says."""
    N, K, beta = 7, 3, 0.5
    model = gaussian_vae()
    tableau = trace(model, X, rng=0)
    value = {row.step: row.value for row in tableau.rows if not row.backward}
    gradient = {row.step: row.gradient for row in tableau.rows if row.backward}
    text = {row.step: row.formula for row in tableau.rows}
    x, o = np.tile(X, (K, 1)), value["o"]                            # σ² = 1, not yet learnt
    assert text["NLL"] == "½ Σ_d [(o - x)² / σ² + log 2πσ²]" and close(tableau["NLL"], 0.5 * np.sum((o - x)**2 + np.log(2 * np.pi), axis=1))
    assert text["KL"] == "½ Σ_j (mu² + sigma² - logvar - 1)"
    assert close(tableau["KL"], 0.5 * np.sum(value["mu"]**2 + value["sigma"]**2 - value["logvar"] - 1, axis=1))
    assert text["L"] == "1/N Σ_n (1/3 Σ_k NLL + 0.5 KL)"
    assert close(tableau["L"], (value["NLL"].sum() / K + beta * value["KL"].sum()) / N)
    assert text["do"] == "(o - x) / σ² / (3 N)" and close(tableau["do"], (o - x) / (K * N), True)
    dz = gradient["dz"].reshape(K, N, 2)
    assert text["dmu|draw"] == "Σ_k dz" and close(tableau["dmu|draw"], dz.sum(axis=0), True)
    assert text["dlogvar|draw"] == "Σ_k ½ dz epsilon sigma"
    assert close(tableau["dlogvar|draw"], np.sum(0.5 * dz * value["epsilon"] * value["sigma"], axis=0), True)
    assert text["dmu|KL"] == "0.5 mu / N" and close(tableau["dmu|KL"], beta * value["mu"] / N, True)
    assert text["dlogvar|KL"] == "0.5 ½ (sigma² - 1) / N" and close(tableau["dlogvar|KL"], beta * 0.5 * (value["sigma"]**2 - 1) / N, True)
    assert text["dlogvar of the likelihood"] == "∂L/∂logvar"
    assert close(tableau["dlogvar of the likelihood"], np.sum(0.5 * 5 - 0.5 * np.sum((o - x)**2, axis=1)) / (K * N), True)


def test_the_formulas_of_classes_and_of_chosen_units():
    labels = np.arange(7) % 3
    tableau = trace(Regression(Sequential(Dense(5, 6, rng=0), TopK(2), Dense(6, 3, rng=1)), SoftmaxCrossEntropy()), X, labels)
    o, mask = tableau["o"].value, tableau["mask"].value
    p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)
    assert tableau["NLL"].formula == "-log softmax(o)_t"
    assert close(tableau["NLL"], -np.log(p[np.arange(7), labels]))
    assert tableau["do"].formula == "(softmax(o) - [k = t]) / N" and close(tableau["do"], (p - np.eye(3)[labels]) / 7, True)
    assert mask.sum(axis=1).tolist() == [2] * 7 and close(tableau["h1"], tableau["a1"].value * mask)
    assert tableau["da1"].formula == "dh1 mask" and close(tableau["da1"], tableau["dh1"].gradient * mask, True)


def test_both_paths_of_a_shared_matrix():
    model = tied()
    tableau = trace(model, X, rng=0)
    dense = model.encoder.layers[0]
    model.loss(X, rng=0)
    model.backward()
    assert close(tableau["dW1"], dense.dW, True) and tableau["dW1"].formula == "xᵀ da1 + dW1|tied"
    own = X.T @ tableau["da1"].gradient
    assert close(tableau["dW1|tied"], dense.dW - own, True) and tableau["dW1|tied"].formula == "doᵀ h1'"


def test_odd_models():
    dense = Dense(4, 5, rng=0)
    backwards = trace(Autoencoder(Sequential(TiedDense(dense)), Sequential(dense), SquaredError()), X)
    assert backwards["a1"].formula == "x W1ᵀ + b1" or backwards["a1"].formula == "x W2ᵀ + b1"
    same = trace(mlp([5, 4, 5], rng=0), X, X)
    assert same["a1"].formula == "x W1 + b1" and same["dW1"].formula == "xᵀ da1"
    assert "step  formula" in str(trace(Tanh(), X, X)) and trace(Tanh(), X, X)["dx"].formula == "do (1 - o²)"


class Residual(Layer):
    """y = x + inner(x): a layer that consists of layers."""

    def __init__(self, inner):
        self.inner = inner
        self.add_parts(inner=inner)

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, delta):
        return delta + self.inner.backward(delta)


def test_a_layer_that_consists_of_layers_has_a_line_of_its_own():
    tableau = trace(Sequential(Dense(5, 4, rng=0), Residual(mlp([4, 6, 4], rng=1)), Dense(4, 3, rng=2)), X, T)
    assert all("?" not in row.step + row.formula for row in tableau.rows)
    [line] = [row for row in tableau.rows if row.formula.startswith("Residual(")]
    assert line.formula == "Residual(a1)" and close(line, tableau["a1"].value + tableau["a3"].value)


def test_a_step_that_is_not_there_names_those_that_are():
    with pytest.raises(KeyError, match="no step 'dW7', only x, t, a1"):
        trace(mlp([5, 4, 3], rng=0), X, T)["dW7"]


@pytest.mark.parametrize("arguments, sentence", [
    (([1, 2], X, T), "trace: expected a network or a model, got list"),
    ((SquaredError(), X, T), "trace: expected a network or a model, got SquaredError"),
    ((mlp, X, T), "trace: expected a network or a model, got function"),
    ((Tanh, X, T), r"trace: expected a network or a model, got type: write Tanh\(\)"),
    ((mlp([5, 3]), X), "trace: expected the arrays x, t, got 1"),
    ((mlp([5, 3]), X[:, :4], T), r"x must have shape \(N, 5\), got \(7, 4\)"),
    ((mlp([5, 3]), X, T[:3]), "t must have as many rows as x, 7, got 3"),
    ((mlp([5, 3]), X * np.nan, T), "x must be finite"),
    ((mlp([5, 3]), X.astype(np.float32), T), "x must be float64, as the parameters are, got float32")])
def test_bad_input(arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        trace(*arguments)


def test_loaded_when_first_used():
    assert numpyae.trace is trace


def row(tableau, step):
    """The row of that name."""
    return next(row for row in tableau.rows if row.step == step)


def test_an_iwae_shows_the_share_of_each_draw():
    """The weights are the point of it: do is (σ(o) - x) share / N, and the shares of a sample add up to 1."""
    model = IWAE(mlp([3, 4], rng=0), mlp([2, 3], rng=1), BernoulliNLL(), DiagonalGaussian(2), samples=3)
    x = (np.random.default_rng(0).random((2, 3)) < 0.5).astype(float)
    tableau = trace(model, x, rng=0)
    share, o, do = row(tableau, "share").value, row(tableau, "o").value, row(tableau, "do")
    assert do.formula == "(σ(o) - x) share / N"
    np.testing.assert_allclose(share.sum(axis=0), 1)
    np.testing.assert_allclose(do.gradient, (1 / (1 + np.exp(-o)) - np.tile(x, (3, 1))) * share.reshape(-1, 1) / 2, rtol=1e-12)
    weight = np.exp(row(tableau, "log p(z)").value - row(tableau, "NLL").value.reshape(3, 2) - row(tableau, "log q").value)
    np.testing.assert_allclose(share, weight / weight.sum(axis=0), rtol=1e-12)
    assert row(tableau, "L").value == pytest.approx(-np.log(weight.mean(axis=0)).mean(), rel=1e-12)


def test_a_full_covariance_another_prior_and_a_kl_that_is_sampled():
    x = np.random.default_rng(0).standard_normal((2, 3))
    model = VAE(mlp([3, 5], rng=0), mlp([2, 3], rng=1), GaussianNLL(), FullGaussian(2), GaussianPrior(2, 0.5, 2.0))
    tableau = trace(model, x, rng=0)
    z, mu, L, epsilon = (row(tableau, name).value for name in ("z", "mu", "L", "epsilon"))
    np.testing.assert_allclose(z, mu + np.einsum("njk,nk->nj", L, epsilon), rtol=1e-12)
    dz, below = row(tableau, "dz").gradient, row(tableau, "below").value
    np.testing.assert_allclose(row(tableau, "dbelow|draw").gradient[:, 0], dz[:, 1] * epsilon[:, 0], rtol=1e-12)
    np.testing.assert_allclose(row(tableau, "dbelow|KL").gradient, below / 4 / 2, rtol=1e-12)
    np.testing.assert_allclose(row(tableau, "dmu|KL").gradient, (mu - 0.5) / 4 / 2, rtol=1e-12)
    assert row(tableau, "KL").formula == "½ Σ_j (m² + e^v - v - 1) + ½ Σ below², m, v and below: mu, logvar and below in units of the prior"
    model = VAE(mlp([3, 4], rng=0), mlp([2, 3], rng=1), GaussianNLL(), DiagonalGaussian(2), MixturePrior(2, 3, 0), kl="sampled", beta=0.5)
    tableau = trace(model, x, rng=0)
    terms = row(tableau, "NLL").value + 0.5 * (row(tableau, "log q").value - row(tableau, "log p(z)").value)
    assert row(tableau, "L").value == pytest.approx(terms.mean(), rel=1e-12)
    assert row(tableau, "L").formula == "1/N Σ_n (NLL + 0.5 (log q - log p(z)))"
    np.testing.assert_allclose(row(tableau, "dlogvar|log q").gradient, -0.5 * 0.5 / 2)
    assert {"dz|prior", "dmu of the prior", "dlogits of the prior"} <= {row.step for row in tableau.rows}


def test_a_score_function_has_no_way_back_to_show():
    with pytest.raises(TypeError, match="trace: a ScoreFunctionVAE has no way back through z"):
        trace(ScoreFunctionVAE(mlp([3, 4]), mlp([2, 3]), GaussianNLL(), DiagonalGaussian(2)), np.zeros((2, 3)))
