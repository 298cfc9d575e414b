"""Pre-training: a deep network, one layer at a time ([002] "greedy layer-wise"; Hinton & Salakhutdinov 2006; Vincent 2010).

Before good initialisations and rectifiers, gradients died on their way down a deep network. The way round: train the
lowest layer alone to make a code of the data, then the next to make a code of that code, and so on; then put all of them on
top of each other, unroll the stack into encoder and decoder, and only now train everything together ("fine-tuning").

    x ─▶ layer 1 ─▶ h1 ─▶ layer 2 ─▶ h2 …            each trained on what the one below gives
    x ─▶ W1 ─▶ W2 ─▶ code ─▶ W2ᵀ ─▶ W1ᵀ ─▶ o         unrolled: the same W up and, transposed, down

A layer is an RBM or a one-layer denoising autoencoder. The stack can also carry a classifier instead of the decoder.
"""

import numpy as np

from numpyae.activations import Sigmoid
from numpyae.autoencoder import Autoencoder
from numpyae.layers import Dense, Sequential, TiedDense
from numpyae.losses import BernoulliNLL, SoftmaxCrossEntropy
from numpyae.models import Regression
from numpyae.optimizers import Adam, Momentum
from numpyae.rbm import RBM
from numpyae.training import fit


def stack_rbms(x, sizes, epochs, batch_size=100, alpha=0.05, linear_code=True, rng=None, progress=None):
    """RBMs of these sizes, [784, 500, 30] say, each trained on the code of the one below; x (N, sizes[0]) in [0, 1].

    linear_code: the last has real hidden units, and a fiftieth of the rate alpha, since nothing bounds them.
    """
    rng, stack = np.random.default_rng(rng), []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        real = linear_code and len(stack) == len(sizes) - 2
        rbm = RBM(n_in, n_out, hidden="gaussian" if real else "bernoulli", rng=rng).astype(x.dtype)
        optimizer = Momentum(alpha / 50 if real else alpha, 0.9)
        fit(rbm, x, optimizer=optimizer, epochs=epochs, batch_size=batch_size, rng=rng, progress=progress)
        stack.append(rbm)
        x = rbm.encode(x)
    return stack


def stack_denoisers(x, sizes, corruption, epochs, batch_size=100, alpha=1e-3, rng=None, progress=None):
    """One-layer denoising autoencoders with tied weights and sigmoid units, each trained on the code of the one below.

    x (N, sizes[0]) in [0, 1]; sizes as in `stack_rbms`. All have bounded codes, the last one too.
    """
    rng, stack = np.random.default_rng(rng), []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        dense = Dense(n_in, n_out, rng=rng)
        model = Autoencoder(Sequential(dense, Sigmoid()), TiedDense(dense), BernoulliNLL(), corruption).astype(x.dtype)
        fit(model, x, optimizer=Adam(alpha), epochs=epochs, batch_size=batch_size, rng=rng, progress=progress)
        stack.append(model)
        x = model.encode(x)
    return stack


def unroll(stack, criterion):
    """The deep autoencoder that a stack adds up to, untied from here on.

    A criterion that takes logits, such as BernoulliNLL, gets them; for another a Sigmoid stands at the end. ValueError for
    an RBM with gaussian visible units, whose way back has no Sigmoid.
    """
    up, down = [], []
    for W, b, c, linear in map(weights, stack):
        up += [dense(W, c)] + ([] if linear else [Sigmoid()])
        down = [dense(W.T, b)] + ([] if criterion.takes_logits and not down else [Sigmoid()]) + down
    return Autoencoder(Sequential(*up), Sequential(*down), criterion)


def classifier(stack, classes, rng=None):
    """The stack's encoder with a layer of logits on top, to be fine-tuned on labels ([002]: "a supervised learning phase")."""
    layers = []
    for W, _, c, linear in map(weights, stack):
        layers += [dense(W, c)] + ([] if linear else [Sigmoid()])
    top = Dense(layers[-1].n_out if isinstance(layers[-1], Dense) else layers[-2].n_out, classes, rng=rng)
    return Regression(Sequential(*layers, top.astype(layers[0].dtype)), SoftmaxCrossEntropy())


def weights(part):
    """W, visible bias, hidden bias of a layer of the stack, and whether its hidden units are linear."""
    if isinstance(part, RBM):
        if part.visible == "gaussian":
            raise ValueError(f"unroll, classifier: the visible units must be bernoulli, got {part!r}")
        return part.W, part.b, part.c, part.hidden == "gaussian"
    return part.encoder.layers[0].W, part.decoder.layers[0].b, part.encoder.layers[0].b, False


def dense(W, b):
    """A Dense with these values."""
    layer = Dense(*W.shape, init="zeros")
    layer.W, layer.b = W, b
    return layer.astype(W.dtype)
