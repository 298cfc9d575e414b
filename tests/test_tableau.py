"""The tableau holds the numbers of the pass it shows, says where two passes part, and leaves the model alone."""

import copy

import numpy as np
import pytest

import numpyae
from numpyae import (Autoencoder, Dense, DiagonalGaussian, Dropout, GaussianNLL, Layer, Regression, Sequential, SoftmaxCrossEntropy,
                     SquaredError, Tanh, TiedDense, VAE, mlp, parameter, trace)
from numpyae.course.examples import tiny_vae, two_two_two

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
    shown = np.sort(np.concatenate([row.gradient.ravel() for row in tableau.rows if row.step[:2] in ("dW", "db", "dg") or row.step == "dlogvar"]))
    summed = sum(row.gradient.sum() for row in tableau.rows if row.step[:2] in ("dW", "db", "dg") or row.step == "dlogvar")
    assert summed == pytest.approx(model.grad.sum(), abs=1e-12)               # tied weights have two rows, one for each path
    if not isinstance(model, Autoencoder):
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
                                     trace(mlp([5, 100, 3], rng=0), X, T), trace(mlp([5, 4, 3], rng=0), 1e-7 * X, -1e9 * T)])
def test_fits_a_hundred_columns(tableau):
    lines = str(tableau).splitlines()
    assert max(map(len, lines)) <= 100
    assert all(any(line.startswith(row.step + " ") for line in lines) for row in tableau.rows)


def test_large_arrays_are_summarised_by_norm_and_range():
    tableau = trace(mlp([5, 100, 3], rng=0), X, T)
    a1 = tableau["a1"].value
    assert f"‖{np.linalg.norm(a1):.3g}‖ {a1.min():.3g} … {a1.max():.3g}" in str(tableau)
    assert "‖norm‖ min … max" in str(tableau) and "‖" not in str(trace(*two_two_two()))


def test_compare_names_the_first_line_that_differs():
    class Forgetful(Tanh):
        def backward(self, delta):
            return delta

    right = mlp([5, 4, 3], rng=0)
    wrong = Sequential(copy.deepcopy(right.layers[0]), Forgetful(), copy.deepcopy(right.layers[2]))
    ours, theirs = trace(right, X, T), trace(wrong, X, T)
    assert ours.compare(trace(right, X, T)) == "all 14 lines agree"
    said = ours.compare(theirs)
    assert said.startswith("line 12, da1 = ")                                  # another formula is a difference, too
    theirs.rows[11].formula = ours.rows[11].formula
    place = np.unravel_index(np.argmax(np.abs(ours["da1"].gradient - theirs["da1"].gradient)), (7, 4))
    assert ours.compare(theirs) == (f"line 12, da1 = dh1 (1 - h1²): gradient[{place[0]}, {place[1]}] is "
                                    f"{ours['da1'].gradient[place]:.9g} here and {theirs['da1'].gradient[place]:.9g} there")


def test_compare_other_weights_other_shapes_and_nan():
    ours = trace(mlp([5, 4, 3], rng=0), X, T)
    assert ours.compare(trace(mlp([5, 4, 3], rng=1), X, T)).startswith("line 3, a1 = x W1 + b1: value[")
    assert ours.compare(trace(mlp([5, 6, 3], rng=0), X, T)).startswith("line 3, a1 = x W1 + b1: the other has")
    broken = trace(mlp([5, 4, 3], rng=0), X, T)
    broken["dW2"].gradient[1, 2] = np.nan
    assert ours.compare(broken).startswith("line 9, dW2 = h1ᵀ do: gradient[1, 2] is ")


def test_a_step_that_is_not_there_names_those_that_are():
    with pytest.raises(KeyError, match="no step 'dW7', only x, t, a1"):
        trace(mlp([5, 4, 3], rng=0), X, T)["dW7"]


@pytest.mark.parametrize("arguments, sentence", [
    (([1, 2], X, T), "trace: expected a network or a model, got list"),
    ((SquaredError(), X, T), "trace: expected a network or a model, got SquaredError"),
    ((mlp, X, T), "trace: expected a network or a model, got function"),
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
