"""The restricted Boltzmann machine: how deep autoencoders were first trained ([002]; Hinton & Salakhutdinov 2006).

Two layers of units, visible v and hidden h, every pair (v_i, h_j) joined by a weight, and a probability instead of a function:

    E(v, h) = -vᵀW h - bᵀv - cᵀh            p(v, h) = e^-E(v, h) / Z

Given one layer, the units of the other are independent, so both directions are one line:

    p(h_j = 1 | v) = σ(c_j + (v W)_j)        p(v_i = 1 | h) = σ(b_i + (W h)_i)

Summing over h leaves p(v) = e^-F(v) / Z with the free energy F(v) = -bᵀv - Σ_j log(1 + e^(c_j + (v W)_j)). The gradient of
-log p(v) is ∂F(v) minus its mean under the model. That mean is out of reach, so contrastive divergence (Hinton 2002) takes it
where k rounds of sampling, started at the data, have led: v_k, the "fantasy". The W of an RBM is the W of an encoder's layer, and
its transpose that of a decoder's: a stack of them, each trained on the hidden units of the one below, unrolls into an autoencoder.
"""

import numpy as np

from numpyae.checks import check_choice, check_data, check_size
from numpyae.models import Model, replayed
from numpyae.parameters import parameter


class RBM(Model):
    """A restricted Boltzmann machine of n_visible and n_hidden units: W (n_visible, n_hidden), b and c the biases.

    hidden="gaussian": real hidden units h | v ~ N(c + v W, I), for a linear code. visible="gaussian": real data of variance
    about 1, v | h ~ N(b + W h, I). `k` rounds of Gibbs sampling. `loss` is F(x) - F(v_k), whose gradient with v_k held is that
    of contrastive divergence; it is no measure of quality. W starts as N(0, 0.01²) (Hinton 2010, §8).
    ValueError for sizes or k below 1, or other kinds of units.
    """

    W, dW = parameter("W", "weights (n_visible, n_hidden)")
    b, db = parameter("b", "biases of the visible units (n_visible,)")
    c, dc = parameter("c", "biases of the hidden units (n_hidden,)")

    def __init__(self, n_visible, n_hidden, visible="bernoulli", hidden="bernoulli", k=1, rng=None):
        check_size("RBM: n_visible", n_visible)
        check_size("RBM: n_hidden", n_hidden)
        check_size("RBM: k", k)
        for name, kind in (("visible", visible), ("hidden", hidden)):
            check_choice(f"RBM: {name}", kind, ("bernoulli", "gaussian"))
        if visible == hidden == "gaussian":
            raise ValueError("RBM: one kind of units must be bernoulli: with both gaussian p(v, h) need not be normalisable")
        self.n_visible, self.n_hidden, self.visible, self.hidden, self.k = int(n_visible), int(n_hidden), visible, hidden, int(k)
        self.add_parameters(W=0.01 * np.random.default_rng(rng).standard_normal((n_visible, n_hidden)), b=np.zeros(n_visible),
                            c=np.zeros(n_hidden))

    def free_energy(self, v):
        """F(v) (N,), up to the constant of Z: -log Σ_h e^-E(v, h). ValueError or TypeError for v of another shape or dtype."""
        self.require("v", v, self.n_visible)
        a = v @ self.W + self.c
        over_h = 0.5 * a * a if self.hidden == "gaussian" else np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))
        of_v = 0.5 * (v - self.b)**2 if self.visible == "gaussian" else -v * self.b
        return np.add.reduce(of_v, axis=1) - np.add.reduce(over_h, axis=1)

    def encode(self, v):
        """E[h | v], (N, n_hidden): σ(c + v W), or c + v W for gaussian units."""
        self.require("v", v, self.n_visible)
        a = v @ self.W + self.c
        return a if self.hidden == "gaussian" else sigma(a)

    def decode(self, h):
        """E[v | h], (N, n_visible)."""
        self.require("h", h, self.n_hidden)
        a = h @ self.W.T + self.b
        return a if self.visible == "gaussian" else sigma(a)

    def require(self, name, units, width):
        """ValueError or TypeError unless units are (N, width), of the dtype of the parameters."""
        if not isinstance(units, np.ndarray) or units.ndim != 2 or units.shape[1] != width:
            raise ValueError(f"RBM: {name} must have shape (N, {width}), got {getattr(units, 'shape', type(units).__name__)}")
        if units.dtype != self.dtype:
            raise TypeError(f"RBM: {name} must be {self.dtype}, as the parameters are, got {units.dtype}")

    def reconstruct(self, v):
        """decode(encode(v)), without sampling."""
        return self.decode(self.encode(v))

    def gibbs(self, v, rng):
        """One round of sampling: h ~ p(h | v), then v ~ p(v | h)."""
        h = draw(self.encode(v), self.hidden, rng)
        return draw(self.decode(h), self.visible, rng)

    def loss(self, x, rng=None, noise=None, training=True):
        """1/N Σ_n F(x_n) - F(v_n), v the fantasy after k rounds from x; terms: {"data": F(x), "fantasy": -F(v)}."""
        rng = self.begin(rng, noise, training)
        if noise is None:
            rng, v = np.random.default_rng(rng), x
            for _ in range(self.k):
                v = self.gibbs(v, rng)
        else:
            v = replayed(noise, "fantasy", x.shape, x.dtype)
        self.x, self.v, self.noise["fantasy"] = x, v, v
        self.term("data", self.free_energy(x), over=len(x))
        self.term("fantasy", self.free_energy(v), over=len(x), factor=-1.0)
        return self.total()

    def backward(self):
        """dW = -Σ_n weight x_nᵀ E[h | x_n], and the same of the fantasy with the other sign; db, dc likewise."""
        self.from_zero()
        dW, db, dc = self.dW, self.db, self.dc
        for v, weight in ((self.x, self.weights["data"]), (self.v, self.weights["fantasy"])):
            h, weight = self.encode(v), weight[:, None]
            dW -= v.T @ (weight * h)
            db -= np.add.reduce(weight * (v - self.b if self.visible == "gaussian" else v), axis=0)
            dc -= np.add.reduce(weight * h, axis=0)
        return self._grad

    def __repr__(self):
        return f"RBM({self.n_visible} {self.visible} - {self.n_hidden} {self.hidden}; {self._w.size} parameters)"

    def check(self, x):
        """x (N, n_visible) finite; in [0, 1] for bernoulli units."""
        check_data("RBM: x", x, self.n_visible, self.dtype)
        if self.visible == "bernoulli" and not (x.min() >= 0 and x.max() <= 1):
            raise ValueError(f"RBM: x must lie in [0, 1] for bernoulli units, got {x.min():.4g} to {x.max():.4g}: "
                             'take visible="gaussian"')

    @classmethod
    def examples(cls, rng):
        """Yield the three kinds of machines."""
        for visible, hidden in (("bernoulli", "bernoulli"), ("gaussian", "bernoulli"), ("bernoulli", "gaussian")):
            yield cls(5, 11, visible, hidden, rng=rng), rng.random((7, 5))


def sigma(a):
    """σ(a), without overflow."""
    e = np.exp(-np.abs(a))
    return np.maximum(e, a >= 0) / (1 + e)


def draw(mean, kind, rng):
    """A sample of units of this kind with this mean."""
    if kind == "gaussian":
        return mean + rng.standard_normal(mean.shape, dtype=mean.dtype)
    return (rng.random(mean.shape, dtype=mean.dtype) < mean).astype(mean.dtype)
