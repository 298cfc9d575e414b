"""Scaling: networks learn from numbers of size 1, and data come in dollars, years and grey levels.

Standardised data are x' = (x - centre) / spread, for each feature. The scaling belongs to the model, not to the data: a
layer in front of the network turns x into x', and a loss around the loss turns the target into t'. So the model takes
data as they come, and its predictions, samples and densities are those of the data as they come:

    model = Autoencoder(Sequential(Standardise(centre, spread), *encoder.layers), decoder,
                        Standardised(SquaredError(), centre, spread))

A density changes with the unit. With t' = (t - centre) / spread it is p(t) = p(t') Π_d 1 / spread_d, so -log p(t) is
-log p(t') + Σ_d log spread_d: the log-determinant of the scaling.
"""

import numpy as np

from numpyae.checks import must
from numpyae.layers import Layer
from numpyae.losses import GaussianNLL, HeteroscedasticGaussianNLL, Loss, SquaredError


class Standardise(Layer):
    """y = (x - centre) / spread, for each feature: fixed numbers (D,), which are not learnt.

    Raise ValueError unless centre and spread have one finite number for each feature, and every spread is positive.
    """

    formula = {"y": "({x} - centre) / spread", "dx": "d{y} / spread"}
    example_arguments = (([0.5, -1.0, 2.0, 0.0, 3.0], [2.0, 0.5, 1.5, 3.0, 0.7]),)

    def __init__(self, centre, spread):
        self.centre, self.spread = checked("Standardise", centre, spread)
        self.n_in = self.n_out = len(self.centre)

    def forward(self, x):
        """Return y = (x - centre) / spread, (N, D)."""
        must(x.ndim == 2 and x.shape[1] == self.n_in, f"{self!r}: x must have shape (N, {self.n_in}), got {x.shape}")
        return (x - self.centre.astype(x.dtype)) / self.spread.astype(x.dtype)

    def backward(self, delta):
        """Return dx = delta / spread."""
        return delta / self.spread.astype(delta.dtype)

    def __repr__(self):
        return self.in_words(f"{self.n_in} features")


class Standardised(Loss):
    """The loss of the standardised target, -log p(t') + Σ_d log spread_d with t' = (t - centre) / spread, in nats.

    The network's output is about t'. `mean(o)` and `sample(o, rng)` are in the units of t. A loss that is no
    likelihood, such as a squared error, is that of t': a sum over features, each in units of its spread. Raise
    ValueError for a loss whose targets have no units, those in [0, 1] and classes.
    """

    def __init__(self, loss, centre, spread):
        must(isinstance(loss, Loss), f"Standardised: loss must be a Loss, got {type(loss).__name__}", TypeError)
        must(not loss.takes_logits, f"Standardised: {loss!r} has targets in [0, 1] or classes, which have no units")
        self.loss, (self.centre, self.spread) = loss, checked("Standardised", centre, spread)
        self.is_likelihood, self.convention = loss.is_likelihood, loss.convention
        self.outputs_per_feature = loss.outputs_per_feature
        self.volume = float(np.sum(np.log(self.spread))) if loss.is_likelihood else 0.0
        self.add_parts(loss=loss)

    def forward(self, o, t):
        """Return values (N,) of the loss at t', plus Σ_d log spread_d where they are nats of a density."""
        self._check_shapes(o, t)
        scaled = (t - self.centre.astype(t.dtype)) / self.spread.astype(t.dtype)
        return self.loss.forward(o, scaled) + t.dtype.type(self.volume)

    def backward(self, weight):
        """Return delta = ∂L/∂o, that of the loss at t'."""
        return self.loss.backward(weight)

    def mean(self, o):
        """Return E[t | o] = centre + spread E[t' | o], in the units of the data."""
        return self.centre.astype(o.dtype) + self.spread.astype(o.dtype) * self.loss.mean(o)

    def sample(self, o, rng):
        """Draw t = centre + spread t'."""
        return self.centre.astype(o.dtype) + self.spread.astype(o.dtype) * self.loss.sample(o, rng)

    def constant(self, t, width):
        """Return the best output that is the same for all samples: that of the loss at t'."""
        return self.loss.constant((t - self.centre) / self.spread, width)

    @property
    def sigma(self):
        """The standard deviation of each feature, (D,), in the units of the data; of a Gaussian with one σ."""
        return self.spread * self.loss.sigma

    @classmethod
    def examples(cls, rng):
        """Yield the loss around a squared error, and around Gaussians of a learnt σ and of one for each feature."""
        centre, spread = Standardise.example_arguments[0]
        for loss in (SquaredError(), GaussianNLL(0.7, learn=True), HeteroscedasticGaussianNLL()):
            o = rng.standard_normal((7, 5 * loss.outputs_per_feature))
            yield cls(loss, centre, spread), o, 3 * rng.standard_normal((7, 5))

    def __repr__(self):
        return f"Standardised({self.loss!r}, {len(self.centre)} features)"


def checked(kind, centre, spread):
    """Return centre and spread as float64 arrays (D,); raise ValueError unless they can scale D features."""
    centre, spread = np.array(centre, dtype=np.float64), np.array(spread, dtype=np.float64)
    must(centre.ndim == 1 and centre.size and centre.shape == spread.shape,
         f"{kind}: centre and spread must have one number for each feature, got shapes {centre.shape} and "
         f"{spread.shape}")
    must(np.all(np.isfinite(centre)) and np.all(np.isfinite(spread)) and np.all(spread > 0),
         f"{kind}: centre must be finite and every spread positive, got {spread.min():.4g} as the smallest spread")
    return centre, spread
