"""Pre-training: a deep network, one layer at a time ([002] "greedy layer-wise").

Before good initialisations and rectifiers, gradients vanished on their way down a deep network. Pre-training avoids
this. First the lowest layer is trained alone to encode the data. Then the next layer is trained to encode that code,
and so on. Finally the stack is unrolled into an encoder and a decoder, and all layers are trained together
("fine-tuning").

    x ─▶ layer 1 ─▶ h1 ─▶ layer 2 ─▶ h2 …            each layer is trained on the output of the one below
    x ─▶ W1 ─▶ W2 ─▶ code ─▶ W2ᵀ ─▶ W1ᵀ ─▶ o         unrolled: the decoder starts with the transposed weights

A layer is an RBM (Hinton & Salakhutdinov 2006) or a one-layer denoising autoencoder (Vincent 2010). A classifier may
take the place of the decoder.
"""

import numpy as np

from numpyae import (RBM, Adam, Autoencoder, BernoulliNLL, Dense, Momentum, Regression, Sequential, Sigmoid,
                     SoftmaxCrossEntropy, TiedDense, fit)


def stack_rbms(x, sizes, epochs, batch_size=100, alpha=0.05, linear_code=True, rng=None, progress=None):
    """Return a list of RBMs, each trained on the code of the one below; x (N, sizes[0]) in [0, 1].

    `sizes` are the numbers of units, such as [784, 500, 30]. With `linear_code` the last RBM has gaussian hidden units
    and the rate alpha / 50, since these units are unbounded.
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
    """Return a list of denoising autoencoders, each trained on the code of the one below; x (N, sizes[0]) in [0, 1].

    `sizes` are the numbers of units, such as [784, 500, 30]. Each autoencoder has one layer with tied weights and
    sigmoid units, so every code is in (0, 1), the last one too.
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
    """Return the deep Autoencoder of a stack; encoder and decoder have weights of their own.

    The decoder ends in logits for a criterion that takes logits, such as BernoulliNLL, and in a Sigmoid for any other.
    Raise ValueError for an RBM with gaussian visible units, whose decoder has no Sigmoid.
    """
    up, down = [], []
    for W, b, c, linear in map(weights, stack):
        up += [dense(W, c)] + ([] if linear else [Sigmoid()])
        down = [dense(W.T, b)] + ([] if criterion.takes_logits and not down else [Sigmoid()]) + down
    return Autoencoder(Sequential(*up), Sequential(*down), criterion)


def classifier(stack, classes, rng=None):
    """Return a Regression for labels: the stack's encoder with a layer of logits on top, one for each of `classes`.

    It is to be fine-tuned on labelled data ([002]: "a supervised learning phase").
    """
    encoder = unroll(stack, BernoulliNLL()).encoder
    top = Dense(encoder.n_out, classes, rng=rng).astype(encoder.dtype)
    return Regression(Sequential(*encoder.layers, top), SoftmaxCrossEntropy())


def weights(part):
    """Return (W, visible bias, hidden bias, whether the hidden units are linear) of one member of a stack."""
    if isinstance(part, RBM):
        if part.visible == "gaussian":
            raise ValueError(f"unroll, classifier: the visible units must be bernoulli, got {part!r}")
        return part.W, part.b, part.c, part.hidden == "gaussian"
    return part.encoder.layers[0].W, part.decoder.layers[0].b, part.encoder.layers[0].b, False


def dense(W, b):
    """Return a Dense with these weights and biases, in their dtype."""
    layer = Dense(*W.shape, init="zeros")
    layer.W, layer.b = W, b
    return layer.astype(W.dtype)
