"""online_backprop: the slides' algorithm takes the steps of the layered form, at any depth, and says why it stops."""

import copy

import numpy as np
import pytest

from numpyae import (ELU, Dense, Dropout, Identity, ReLU, Regression, Sequential, Sigmoid, Softmax, SquaredError, Tanh, datasets, mlp,
                     online_backprop)
from numpyae.training import Diverged

X, T = datasets.noisy_sine(10, rng=np.random.default_rng(0))


def layered(network, x, t, alpha, epochs):
    """The same by loss, backward and a step after every row."""
    model = Regression(copy.deepcopy(network), SquaredError())
    for _ in range(epochs):
        for n in range(len(x)):
            model.loss(x[n:n + 1], t[n:n + 1])
            model.w -= alpha * model.backward()
    return model


@pytest.mark.parametrize("network", [
    mlp([1, 8, 1], rng=1), mlp([1, 1], rng=1), mlp([1, 5, 4, 1], rng=1), mlp([1, 4, 3, 4, 1], hidden=ReLU, rng=1), mlp([1, 6, 1], output=Sigmoid, rng=1),
    mlp([1, 5, 5, 1], hidden=ELU, output=Tanh, rng=1), Sequential(Dense(1, 3, rng=1), Identity(), Dense(3, 1, rng=2)),
    Sequential(mlp([1, 3, 2], output=Tanh, rng=1), mlp([2, 1], rng=2))], ids=repr)
def test_same_weights_as_the_layered_form_with_twice_the_rate(network):
    network = copy.deepcopy(network)
    model = layered(network, X, T, 0.05, 30)
    history = online_backprop(network, X, T, 0.1, 30)
    assert np.abs(network.w - model.w).max() < 1e-12               # rounding, after 300 steps
    assert history.epochs == 30 and history.stopped == "epochs"


def test_several_inputs_and_outputs_and_a_single_layer():
    rng = np.random.default_rng(2)
    x, t = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    for network in (mlp([3, 4, 2], rng=0), Dense(3, 2, rng=0)):
        model = layered(network, x, t, 0.02, 5)
        online_backprop(network, x, t, 0.04, 5)
        assert np.abs(network.w - model.w).max() < 1e-13


def test_float32_stays_float32():
    network = mlp([1, 4, 1], rng=0).astype(np.float32)
    online_backprop(network, X.astype(np.float32), T.astype(np.float32), 0.1, 2)
    assert network.w.dtype == np.float32 and network.layers[0].W.dtype == np.float32


def test_the_loss_is_the_mean_error_of_the_epoch_before_each_update():
    network = mlp([1, 4, 1], rng=0)
    single = copy.deepcopy(network)
    errors = []
    for n in range(len(X)):
        errors.append(float((T[n] - single.forward(X[n:n + 1])[0])[0]**2))
        online_backprop(single, X[n:n + 1], T[n:n + 1], 0.1, 1)
    assert online_backprop(network, X, T, 0.1, 1).loss == pytest.approx([np.mean(errors)], rel=1e-13)


def test_stops_when_the_error_is_small_enough():
    history = online_backprop(mlp([1, 8, 1], rng=0), X, T, 0.1, 1000, tolerance=0.3)
    assert history.stopped == "tolerance" and history.loss[-1] <= 0.3 and all(loss > 0.3 for loss in history.loss[:-1])
    before = mlp([1, 8, 1], rng=0)
    assert online_backprop(before, X, T, 0.1, 0).epochs == 0 and np.array_equal(before.w, mlp([1, 8, 1], rng=0).w)


@pytest.mark.parametrize("scale", [100, 1e200])
def test_diverging_stops_with_a_sentence_and_the_weights_of_the_last_whole_epoch(scale):
    network = mlp([1, 8, 1], hidden=ReLU, rng=1)
    with pytest.raises(Diverged, match=r"diverged in epoch \d+, sample \d+: .* smaller rate, alpha = 0.5 instead of 5.* end of epoch (\d+)") as error:
        online_backprop(network, scale * X, scale * T, 5.0, 50)
    kept = int(str(error.value).rstrip(".").split()[-1])
    other = mlp([1, 8, 1], hidden=ReLU, rng=1)
    online_backprop(other, scale * X, scale * T, 5.0, kept)
    assert np.array_equal(network.w, other.w) and np.isfinite(network.w).all()


@pytest.mark.parametrize("arguments, sentence", [
    (("net", X, T, 0.1, 1), "network must be a Layer, got str"),
    ((Sequential(Dense(1, 2), Dropout(0.5), Dense(2, 1)), X, T, 0.1, 1), r"elementwise activation, got Dropout\(p=0.5\)"),
    ((Sequential(Dense(1, 2), Softmax()), X, np.c_[T, T], 0.1, 1), r"elementwise activation, got Softmax\(\)"),
    ((Sequential(Dense(1, 2), Tanh(), Tanh(), Dense(2, 1)), X, T, 0.1, 1), r"at most one elementwise activation, got Tanh\(\)"),
    ((Sequential(Tanh(), Dense(1, 1)), X, T, 0.1, 1), r"must be Dense layers, .* got Tanh\(\)"),
    ((mlp([1, 2, 1]), X[:, 0], T, 0.1, 1), r"x must have shape \(N, 1\), got \(10,\)"),
    ((mlp([1, 2, 1]), X, T[:4], 0.1, 1), "t must have as many rows as x, 10, got 4"),
    ((mlp([1, 2, 1]), X, T * np.nan, 0.1, 1), "t must be finite"),
    ((mlp([1, 2, 1]), X.astype(int), T, 0.1, 1), "x must be float64, got int64"),
    ((mlp([1, 2, 1]), X, T, 0.0, 1), "alpha must be a positive number, got 0.0"),
    ((mlp([1, 2, 1]), X, T, "0.1", 1), "alpha must be a positive number, got '0.1'"),
    ((mlp([1, 2, 1]), X, T, None, 1), "alpha must be a positive number, got None"),
    ((mlp([1, 2, 1]), X, T, 0.1, 1, None), "tolerance must be a number of at least 0, got None"),
    ((mlp([1, 2, 1]), X, T, np.nan, 1), "alpha must be a positive number, got nan"),
    ((mlp([1, 2, 1]), X, T, 0.1, -1), "epochs must be a whole number of at least 0, got -1"),
    ((mlp([1, 2, 1]), X, T, 0.1, 1.5), "epochs must be a whole number of at least 0, got 1.5"),
    ((mlp([1, 2, 1]), X, T, 0.1, 1, -0.1), "tolerance must be a number of at least 0, got -0.1")])
def test_bad_input(arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        online_backprop(*arguments)
