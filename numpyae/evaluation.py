"""Evaluation: what a code is good for, as a number.

A low reconstruction error says that little was lost, not that what is left is useful. `probe` asks how far a straight cut
gets: softmax regression on the codes, fitted by L-BFGS, its error on held-out samples. What made the codes stays as it is.
"""

import numpy as np

from numpyae.layers import Dense, Sequential
from numpyae.losses import SoftmaxCrossEntropy
from numpyae.models import Regression
from numpyae.optimizers import lbfgs


def probe(z, y, z_test, y_test, iterations=200):
    """The share of held-out samples that softmax regression on codes gets wrong, in [0, 1].

    z (N, K) and z_test (M, K) codes, y and y_test their classes 0 … C - 1. Codes are centred and divided by one number, the
    mean of their standard deviations. `iterations` of L-BFGS are the only regulariser. ValueError for labels that are not as
    many whole numbers from 0 as there are codes, or for classes that y lacks.
    """
    y, y_test = np.asarray(y), np.asarray(y_test)
    for name, labels, codes in (("y", y, z), ("y_test", y_test, z_test)):
        if labels.shape != (len(codes),) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise ValueError(f"probe: {name} must be {len(codes)} whole numbers from 0, got {labels.dtype} of shape {labels.shape}")
    classes = np.unique(y)
    if not np.isin(y_test, classes).all():
        lacking = np.setdiff1d(y_test, classes)[:5].tolist()
        raise ValueError(f"probe: y must have every class of y_test, lacks {lacking}")
    mean, scale = z.mean(axis=0), z.std(axis=0).mean() or 1
    network = Sequential(Dense(z.shape[1], int(classes.max()) + 1, init="zeros"))
    model = Regression(network, SoftmaxCrossEntropy()).astype(z.dtype)
    lbfgs(model, (z - mean) / scale, y, iterations=iterations, tolerance=0)
    return float(np.mean(model.predict((z_test - mean) / scale).argmax(axis=1) != y_test))


def active_units(model, x):
    """The variance over the data of each mean code μ_j(x), (d,). A unit is called active above 0.01 (Burda 2016, §5).

    A unit whose q(z_j|x) is N(0, 1) for every x says nothing about x: the decoder has learnt to ignore it.
    """
    return model.encode(x).var(axis=0)


def annealed_importance_sampling(model, x, chains=16, steps=500, leaps=10, rng=None):
    """log p(x_n) (N,) of a VAE without its encoder: by annealing from the prior to p(z) p(x|z) (Wu et al. 2017; Neal 2001).

    Each chain starts at z ~ p(z) and moves through f_t(z) = p(z) p(x|z)^β_t, β rising from 0 to 1, by one Hamiltonian move of
    `leaps` leapfrog steps for each β; its weight is Π_t p(x|z_t)^(β_t+1 - β_t). The mean weight is p(x) in expectation, so
    the log is on average too low. Needs float64 for steep likelihoods, N · chains · steps · leaps passes through the decoder, and so
    small nets. ValueError or TypeError for x that the model would not train on.
    """
    model.check(x)
    rng, (N, d) = np.random.default_rng(rng), (len(x), model.posterior.d)
    x = np.repeat(x, chains, axis=0)                     # rows n · chains … of one x
    t = np.linspace(-4, 4, steps + 1)
    beta = (np.tanh(t) - np.tanh(-4)) / (2 * np.tanh(4))                     # slow at both ends
    z = rng.standard_normal((len(x), d)).astype(model.dtype)
    log_weight, size = np.zeros(len(x)), np.full((len(x), 1), 0.1, model.dtype)

    def log_likelihood(z):
        """log p(x|z), (N · chains,), and its gradient with respect to z."""
        o = model.evaluate(model.decoder, z)
        nll = model.likelihood.forward(o, x)
        return -nll, -model.decoder.backward(model.likelihood.backward(np.ones_like(nll)))

    value, slope = log_likelihood(z)
    for before, after in zip(beta[:-1], beta[1:]):
        log_weight += (after - before) * value
        p = rng.standard_normal(z.shape).astype(model.dtype)
        energy = after * value - 0.5 * np.sum(z * z + p * p, axis=1)
        new, new_value, new_slope = z, value, slope
        for _ in range(leaps):
            p = p + 0.5 * size * (after * new_slope - new)
            new = new + size * p
            new_value, new_slope = log_likelihood(new)
            p = p + 0.5 * size * (after * new_slope - new)
        accept = np.log(rng.random(len(z))) < after * new_value - 0.5 * np.sum(new * new + p * p, axis=1) - energy
        z, slope = np.where(accept[:, None], new, z), np.where(accept[:, None], new_slope, slope)
        value = np.where(accept, new_value, value)
        size *= np.where(accept, 1.02, 0.96)[:, None].astype(model.dtype)    # so that about two of three moves are accepted
    log_weight = log_weight.reshape(N, chains)
    return np.logaddexp.reduce(log_weight, axis=1) - np.log(chains)
