"""Two networks small enough to be followed by hand: every number fits on a page."""

import numpy as np

from numpyae import VAE, DiagonalGaussian, GaussianNLL, Regression, Sigmoid, mlp
from numpyae.losses import Loss


class HalfSquaredError(Loss):
    """E = ½ Σ_d (t_d - o_d)², as the worked example has it: half of SquaredError, so its gradient has no 2."""

    formula = {"values": "½ Σ_d ({t} - {o})²", "do": "({o} - {t}) / {n}"}
    is_likelihood = False

    def forward(self, o, t):
        """values_n = ½ Σ_d (t_nd - o_nd)²."""
        self._check_shapes(o, t)
        self.r = r = o - t
        return 0.5 * np.add.reduce(r * r, axis=1)

    def backward(self, weight):
        """delta = (o - t) weight."""
        return self.r * weight[:, None]


def two_two_two():
    """The 2-2-2 network of logistic units of M. Mazur, "A Step by Step Backpropagation Example" (2015): model, x, t."""
    model = Regression(mlp([2, 2, 2], hidden=Sigmoid, output=Sigmoid, rng=0), HalfSquaredError())
    model.w = [0.15, 0.25, 0.20, 0.30, 0.35, 0.35,       # W: w1 w3 / w2 w4, w1 and w2 lead into h1; b: b1 b1
               0.40, 0.50, 0.45, 0.55, 0.60, 0.60]       # W: w5 w7 / w6 w8; b: b2 b2
    return model, np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])


def tiny_vae():
    """A VAE with one code number for two features, and one sample of them: model, x. p(x|z) is N(o, I), as in [000]."""
    rng = np.random.default_rng(3)
    model = VAE(mlp([2, 2, 2], rng=rng), mlp([1, 2, 2], rng=rng), GaussianNLL(), DiagonalGaussian(1))
    return model, np.array([[0.9, 0.2]])
