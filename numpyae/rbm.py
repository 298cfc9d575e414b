"""The restricted Boltzmann machine: how deep autoencoders were first trained ([002]; Hinton & Salakhutdinov 2006).

It has two layers of units, visible v and hidden h, a weight for every pair (v_i, h_j), and a joint distribution:

    E(v, h) = -vᵀW h - bᵀv - cᵀh            p(v, h) = e^-E(v, h) / Z

Given one layer, the units of the other are independent, so both conditional distributions are one line:

    p(h_j = 1 | v) = σ(c_j + (v W)_j)        p(v_i = 1 | h) = σ(b_i + (W h)_i)

The sum over h gives p(v) = e^-F(v) / Z with the free energy

    F(v) = -bᵀv - Σ_j log(1 + e^(c_j + (v W)_j))

The gradient of -log p(v) is ∂F(v) minus the mean of ∂F under the model. This mean is too expensive to compute.
Contrastive divergence (Hinton 2002) replaces it by ∂F(v_k): v_k, the "fantasy", is the result of k rounds of sampling
that start at the data.

The W of an RBM serves as the W of an encoder's layer, and its transpose as the W of a decoder's layer. So a stack of
RBMs, each trained on the hidden units of the one below, is unrolled into an autoencoder.
"""

import numpy as np

from numpyae.activations import Sigmoid
from numpyae.checks import check_choice, check_data, check_size, must
from numpyae.models import Model, replayed
from numpyae.parameters import parameter


class RBM(Model):
    """A restricted Boltzmann machine: W (n_visible, n_hidden), biases b (n_visible,) and c (n_hidden,).

    hidden="gaussian" gives real hidden units, h | v ~ N(c + v W, I), for a linear code. visible="gaussian" is for real
    data of variance about 1, v | h ~ N(b + W h, I). `k` is the number of rounds of Gibbs sampling. `loss` is
    F(x) - F(v_k); its gradient with v_k held fixed is that of contrastive divergence. Its value does not measure the
    quality of the model. W starts as N(0, 0.01²) (Hinton 2010, §8). Raise ValueError for sizes or k below 1, and for
    other kinds of units.
    """

    W, dW = parameter("W", "weights (n_visible, n_hidden)")
    b, db = parameter("b", "biases of the visible units (n_visible,)")
    c, dc = parameter("c", "biases of the hidden units (n_hidden,)")

    def __init__(self, n_visible, n_hidden, visible="bernoulli", hidden="bernoulli", k=1, rng=None):
        for name, size in (("n_visible", n_visible), ("n_hidden", n_hidden), ("k", k)):
            check_size(f"RBM: {name}", size)
        for name, kind in (("visible", visible), ("hidden", hidden)):
            check_choice(f"RBM: {name}", kind, ("bernoulli", "gaussian"))
        must(not visible == hidden == "gaussian",
             "RBM: one kind of units must be bernoulli: with both gaussian p(v, h) need not be normalisable")
        self.n_visible, self.n_hidden, self.k = int(n_visible), int(n_hidden), int(k)
        self.visible, self.hidden = visible, hidden
        W = 0.01 * np.random.default_rng(rng).standard_normal((n_visible, n_hidden))
        self.add_parameters(W=W, b=np.zeros(n_visible), c=np.zeros(n_hidden))

    def free_energy(self, v):
        """Return the free energy F(v) = -log Σ_h e^-E(v, h), (N,), for v (N, n_visible).

        For gaussian hidden units the sum is an integral, and an additive constant is left out. Raise ValueError or
        TypeError for v of another shape or dtype.
        """
        self.require("v", v, self.n_visible)
        a = v @ self.W + self.c
        over_h = 0.5 * a * a if self.hidden == "gaussian" else np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))
        of_v = 0.5 * (v - self.b)**2 if self.visible == "gaussian" else -v * self.b
        return np.add.reduce(of_v, axis=1) - np.add.reduce(over_h, axis=1)

    def encode(self, v):
        """Return E[h | v], (N, n_hidden), for v (N, n_visible): σ(c + v W), or c + v W for gaussian units."""
        self.require("v", v, self.n_visible)
        a = v @ self.W + self.c
        return a if self.hidden == "gaussian" else Sigmoid().forward(a)

    def decode(self, h):
        """Return E[v | h], (N, n_visible), for h (N, n_hidden): σ(b + h Wᵀ), or b + h Wᵀ for gaussian units."""
        self.require("h", h, self.n_hidden)
        a = h @ self.W.T + self.b
        return a if self.visible == "gaussian" else Sigmoid().forward(a)

    def require(self, name, units, width):
        """Raise ValueError or TypeError unless units are (N, width), of the dtype of the parameters."""
        if not isinstance(units, np.ndarray) or units.ndim != 2 or units.shape[1] != width:
            raise ValueError(f"RBM: {name} must have shape (N, {width}), got "
                             f"{getattr(units, 'shape', type(units).__name__)}")
        if units.dtype != self.dtype:
            raise TypeError(f"RBM: {name} must be {self.dtype}, as the parameters are, got {units.dtype}")

    def reconstruct(self, v):
        """Return decode(encode(v)), (N, n_visible), without sampling."""
        return self.decode(self.encode(v))

    def gibbs(self, v, rng):
        """Return v after one round of sampling: h ~ p(h | v), then v ~ p(v | h); (N, n_visible)."""
        h = sample_units(self.encode(v), self.hidden, rng)
        return sample_units(self.decode(h), self.visible, rng)

    def loss(self, x, rng=None, noise=None, training=True):
        """Return 1/N Σ_n [F(x_n) - F(v_n)], v the fantasy after k rounds of sampling from x (N, n_visible).

        `terms` are {"data": 1/N Σ F(x_n), "fantasy": -1/N Σ F(v_n)}; `noise["fantasy"]` is v.
        """
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
        """Return grad: dW = -Σ_n weight_n v_nᵀ E[h | v_n], summed over the data and the fantasy; db and dc likewise.

        The weights are ∂L/∂F: 1/N for the data, -1/N for the fantasy.
        """
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
        """Raise ValueError or TypeError unless x (N, n_visible) is finite, and in [0, 1] for bernoulli units."""
        check_data("RBM: x", x, self.n_visible, self.dtype)
        must(self.visible == "gaussian" or x.min() >= 0 and x.max() <= 1,
             f"RBM: x must lie in [0, 1] for bernoulli units, got {x.min():.4g} to {x.max():.4g}: "
             'take visible="gaussian"')

    @classmethod
    def examples(cls, rng):
        """Yield the three kinds of machines."""
        for visible, hidden in (("bernoulli", "bernoulli"), ("gaussian", "bernoulli"), ("bernoulli", "gaussian")):
            yield cls(5, 11, visible, hidden, rng=rng), rng.random((7, 5))


def sample_units(mean, kind, rng):
    """Return a sample of units of this kind, "bernoulli" or "gaussian", with this mean (N, width)."""
    if kind == "gaussian":
        return mean + rng.standard_normal(mean.shape, dtype=mean.dtype)
    return (rng.random(mean.shape, dtype=mean.dtype) < mean).astype(mean.dtype)
