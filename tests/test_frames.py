"""Someone who steps with `s` in a debugger lands in the arithmetic: few frames, all of them ours (DESIGN, the contracts)."""

import gc
import sys

import numpy as np
import pytest

from numpyae import (ELU, IWAE, VAE, Adam, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, Dropout, FullGaussian, GaussianNLL,
                     MixturePrior, ReLU, Regression, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy, Softplus, SquaredError, Tanh,
                     TiedDense, mlp)

X = np.random.default_rng(0).random((7, 5))


def frames(call):
    """(the deepest chain of Python frames below the caller, the files they are in)."""
    depth, deepest, files = 0, 0, set()

    def watch(frame, event, argument):
        nonlocal depth, deepest
        if event == "call":
            depth += 1
            deepest = max(deepest, depth)
            files.add(frame.f_code.co_filename)
        elif event == "return":
            depth -= 1

    gc.disable()                      # a collection in the middle would show who listens to it, Hypothesis for one
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
        gc.enable()
    return deepest, files


@pytest.mark.parametrize("activation", [Tanh, Sigmoid, ReLU, Softplus, ELU, Softmax, lambda: Dropout(0.5), lambda: TiedDense(Dense(5, 6))])
def test_two_frames_from_a_network_to_the_arithmetic(activation):
    network = Sequential(Dense(5, 6), activation())
    network.layers[1].rng = np.random.default_rng(0)                 # of Dropout; fresh entropy would be Python's own code
    y = network.forward(X)
    assert frames(lambda: network.forward(X))[0] <= 3                # the lambda itself is one
    assert frames(lambda: network.backward(np.ones_like(y)))[0] <= 3


def models():
    dense = Dense(5, 4)
    return [(Regression(mlp([5, 4, 2]), SquaredError()), (X, X[:, :2].copy())),
            (Regression(mlp([5, 4, 3]), SoftmaxCrossEntropy()), (X, np.arange(7) % 3)),
            (Autoencoder(Sequential(dense, Tanh(), Dropout(0.5)), Sequential(TiedDense(dense)), BernoulliNLL()), (X,)),
            (VAE(mlp([5, 4, 4]), mlp([2, 4, 5]), BernoulliNLL(), DiagonalGaussian(2)), (X,)),
            (VAE(mlp([5, 4, 4]), mlp([2, 4, 5]), GaussianNLL(learn=True), DiagonalGaussian(2), samples=3), (X,)),
            (VAE(mlp([5, 5]), mlp([2, 5]), GaussianNLL(), FullGaussian(2), MixturePrior(2, 3), kl="sampled"), (X,)),
            (IWAE(mlp([5, 4]), mlp([2, 5]), BernoulliNLL(), DiagonalGaussian(2), samples=3), (X,))]


@pytest.mark.parametrize("model, batch", models(), ids=["squares", "classes", "tied", "vae", "gaussian", "mixture", "iwae"])
def test_three_frames_from_a_model_and_none_of_numpys(model, batch):
    rng, optimizer = np.random.default_rng(0), Adam()
    model.loss(*batch, rng=rng)
    optimizer.step(model.w, model.backward())
    for call in (lambda: model.loss(*batch, rng=rng), lambda: model.backward(), lambda: optimizer.step(model._w, model._grad)):
        deepest, files = frames(call)
        assert deepest <= 4                                          # the lambda itself is one
        assert not [file for file in files if "numpy" + "/" in file.replace("\\", "/") or "site-packages" in file], files
