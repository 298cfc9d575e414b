"""Judges of lecture 4: layers and losses, backward; the slides' algorithm."""

import math

import numpy as np

from numpyae.activations import ELU, ReLU, Sigmoid, Softmax, Softplus, Tanh, mlp
from numpyae.course.judges import tools
from numpyae.course.judges.tools import Wrong, a_real_loss, gradients, hold, of_activation, of_loss, primes, returned
from numpyae.layers import Dense
from numpyae.losses import BernoulliNLL, SoftmaxCrossEntropy, SquaredError


def a_dense(rng):
    N, D, H = primes(rng, 3)
    dense = Dense(D, H, rng=rng)
    dense.b = 0.3 * rng.standard_normal(H)
    return [(dense, rng.standard_normal((N, D)))]


def a_bernoulli(rng):
    N, D = primes(rng, 2)
    return [(BernoulliNLL(), rng.standard_normal((N, D)), rng.random((N, D)))]


def a_cross_entropy(rng):
    N, K = primes(rng, 2)
    soft = rng.random((N, K))
    return [(SoftmaxCrossEntropy(), rng.standard_normal((N, K)), target)
            for target in (soft / soft.sum(axis=1, keepdims=True), rng.integers(0, K, N))]


def online(rng):
    """The slides' loop in lists of numbers."""
    from numpyae import training

    for _ in range(tools.DRAWS):
        N, D, H, M = primes(rng, 4)
        epochs, alpha = 3, float(rng.uniform(0.02, 0.05))
        x, t = rng.standard_normal((N, D)), rng.standard_normal((N, M))
        network = mlp([D, H, M], hidden=Tanh, output=Sigmoid, rng=rng)
        network.w += 0.1 * rng.standard_normal(network.w.size)
        start = network.w.copy()

        def path(**variant):
            return online_in_lists(network, start, x, t, alpha, epochs, **variant)

        truth, errors = path()
        network.w = start
        history = returned("online_backprop", lambda x, t: training.online_backprop(network, x, t, alpha, epochs), x, t)
        if np.array_equal(network.w, start):
            raise Wrong("the weights have not changed: W and b must be updated in place, W += ..., not W = W + ...")
        hold("w after 3 epochs", network.w.copy(), truth, {
            "it goes up: the residual is t - o and the update +=, or both the other way round": path(factor=-1)[0],
            "δ is propagated back by the weights after their update; use them as they were": path(early=True)[0],
            "δ is propagated back without φ': the repair that deeper networks need": path(repair=False)[0],
            "φ' is missing in the update": path(slope=False)[0],
            "the biases are not updated": path(biases=False)[0],
            "only one epoch is done, and epochs were asked for": online_in_lists(network, start, x, t, alpha, 1)[0],
            "the step is twice as large: alpha times δ, without the 2 of the derivative": path(factor=2)[0]})
        if getattr(history, "epochs", None) != epochs:
            raise Wrong(f"history has {getattr(history, 'epochs', None)} epochs where {epochs} were done: call "
                        f"history.add once in each")
        hold("the errors in history", np.array(history.loss), np.array(errors), {
            "the mean over the samples is missing": N * np.array(errors)}, {"the number of samples": N})


def online_in_lists(network, start, x, t, alpha, epochs, factor=1, early=False, repair=True, slope=True, biases=True):
    """(w, mean error of each epoch) of the slides' algorithm, one number at a time, with the mistakes that can be made."""
    network.w = start
    layers = [(layer.W.tolist(), layer.b.tolist()) for layer in network.layers[::2]]
    phis = [(math.tanh, lambda h: 1 - h * h), (lambda a: 1 / (1 + math.exp(-a)), lambda h: h * (1 - h))]
    errors = []
    for _ in range(epochs):
        error = 0.0
        for x_n, t_n in zip(x.tolist(), t.tolist()):
            values = [x_n]
            for (W, b), (phi, _) in zip(layers, phis):
                values.append([phi(b[j] + sum(h * row[j] for h, row in zip(values[-1], W))) for j in range(len(b))])
            delta = [target - o for target, o in zip(t_n, values[-1])]
            error += sum(r * r for r in delta)
            for (W, b), (_, dphi), inputs, h in reversed(list(zip(layers, phis, values, values[1:]))):
                step = [r * (dphi(value) if slope else 1) for r, value in zip(delta, h)]
                back = step if repair else delta
                new = [[w + factor * alpha * i * s for w, s in zip(row, step)] for i, row in zip(inputs, W)]
                delta = [sum(w * s for w, s in zip(row, back)) for row in (new if early else W)]
                W[:] = new
                b[:] = [b_j + factor * alpha * s for b_j, s in zip(b, step)] if biases else b
        errors.append(error / len(x))
    flat = [np.concatenate([np.ravel(W), b]) for W, b in layers]
    return np.concatenate(flat), errors


JUDGES = {
    "4a": of_loss(a_real_loss(SquaredError)), "4b": gradients(a_dense), "4c": of_activation(Sigmoid),
    "4d": of_activation(Tanh), "4e": of_activation(ReLU), "4f": of_activation(Softplus), "4g": of_activation(ELU),
    "4h": of_activation(Softmax), "4i": of_loss(a_bernoulli), "4j": of_loss(a_cross_entropy),
    "4k": online,
}
