"""Subjects of the check for what the library itself is made of: layers, losses, posteriors, penalties, models."""

import numpy as np

from numpyae.gradcheck.nests import WrongReturn
from numpyae.gradcheck.subjects import Subject, copies
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.models import Model, as_network
from numpyae.penalties import Penalty
from numpyae.priors import Prior


class PartSubject(Subject):
    """A part at a batch: f = Σ u y with these `deltas` u."""

    def __init__(self, part, batch, rng, deltas=None):
        first, *others = self.batch_names
        self.target, self.parts = part, self.parts or {"": part}
        self.inputs, self.fixed = {first: batch[0]}, dict(zip(others, batch[1:]))
        self.deltas = [delta.copy() for delta in deltas or [rng.standard_normal(batch[0].shape[:-1])]]
        inside = set(map(id, self.parts.values()))
        owners = {"": part} | {f"{name}.{attribute}": partner for name, leaf in self.parts.items()
                               for attribute, partner in leaf.partners().items() if id(partner) not in inside}
        self.parameters, self.windows = (
            {f"{place}.{name}".lstrip("."): array for place, owner in owners.items()
             for name, array in getattr(owner, named)().items()} for named in ("named_parameters", "named_gradients"))

    def run(self, inputs):
        return [getattr(self.target, self.tapped[0])(*inputs.values(), *self.fixed.values())]


class LayerSubject(PartSubject):
    """A layer at x; where it comes from a model, with the noise that it had there."""

    batch_names = ("x",)
    words = ("delta", "x", "y")

    def __init__(self, layer, batch, rng, deltas=None):
        self.parts = layer.leaves()
        drawing = [leaf for leaf in self.parts.values() if getattr(leaf, "noise_name", None)]
        for leaf in drawing:
            recorded = leaf is layer and deltas is not None
            leaf.replay = getattr(leaf, leaf.noise_name) if recorded else leaf.replay
            if leaf.replay is None:
                leaf.rng, leaf.training = rng, not recorded
        y = layer.forward(batch[0].copy())
        if not isinstance(y, np.ndarray):
            raise TypeError(f"check: {type(layer).__name__}.forward must return an array, got {type(y).__name__}")
        for leaf in drawing:
            leaf.replay = getattr(leaf, leaf.noise_name)
        super().__init__(layer, batch, rng, deltas or [rng.standard_normal(y.shape)])


class LossSubject(PartSubject):
    """A loss at output and target, with a random weight for each sample."""

    batch_names = ("output", "target")
    words = ("weight", "o t", "")

    def __init__(self, loss, batch, rng, deltas=None):
        super().__init__(loss, batch, rng, [rng.standard_normal(len(batch[0]))])       # equal ones hide a factor
        if loss.outputs_per_feature == 2:
            width = batch[0].shape[-1]
            self.pieces = {"output": [("mu", 0, width // 2), ("logvar", width // 2, width)]}


class PriorSubject(PartSubject):
    """A prior at z: f = Σ u log p(z)."""

    batch_names = ("z",)
    words = ("dlog_p", "z", "")
    latent = True
    tapped = ("log_density",)


class PosteriorSubject(PartSubject):
    """A posterior at h, and epsilon if it is given: f = Σ u z + Σ v kl, its two parts are its terms.

    `drawn`: log q of the z drawn in place of the KL.
    """

    batch_names = ("h",)
    words = ("dz dkl", "", "")
    latent = True
    tapped = ("sample", "kl", "log_density")

    def __init__(self, posterior, batch, rng, deltas=None, drawn=False):
        h, d, self.drawn = batch[0], posterior.d, drawn
        epsilon = batch[1] if len(batch) > 1 else rng.standard_normal((len(h), d))
        super().__init__(posterior, [h], rng,
                         deltas or [rng.standard_normal(epsilon.shape), rng.standard_normal(len(h))])
        self.terms = self.names = ("draw", "log q" if drawn else "kl")
        self.fixed = {"epsilon": epsilon}
        self.pieces = {"h": [piece for piece in (("mu", 0, d), ("logvar", d, min(2 * d, h.shape[1])),
                                                 ("below", 2 * d, h.shape[1])) if piece[1] < piece[2]]}

    def run(self, inputs):
        return [self.target.sample(inputs["h"], self.fixed["epsilon"]),
                self.target.log_density() if self.drawn else self.target.kl()]

    def way_back(self, dz, dcost):
        return self.target.backward(dz, dlog_q=dcost) if self.drawn else self.target.backward(dz, dcost)


class PenaltySubject(Subject):
    """A penalty at a network that has seen x: f = u penalty, whose gradient goes back through the network."""

    batch_names = ("network", "x")
    words = ("weight", "x", "")

    def __init__(self, penalty, batch, rng):
        self.target, (network, x) = penalty, batch
        self.network, self.inputs, self.parts = as_network(network), {"x": x}, network.leaves()
        self.parameters, self.windows = self.network.named_parameters(), self.network.named_gradients()
        self.layers = list(self.parts.values())
        penalty.check(self.layers)
        self.network.forward(x.copy())
        self.noise = penalty.draw(self.layers, rng)
        self.deltas, self.keepers = [rng.standard_normal(1)], {"": penalty}

    def run(self, inputs):
        self.y = self.network.forward(inputs["x"])
        return [np.array([self.target.forward(self.layers, self.noise)])]

    def way_back(self, weight):
        added, delta = self.target.backward(weight.reshape(())), np.zeros_like(self.y)
        for index, layer in reversed(list(enumerate(self.layers))):
            delta = layer.backward(delta + added.get(index, 0))
        return delta


class ModelSubject(Subject):
    """A model on a batch, its noise frozen; its terms have their own gradients where its backward reads `weights`."""

    linear = False

    def __init__(self, model, batch, rng):
        self.target, self.parts, self.batch, self.keepers = model, model.leaves(), batch, {"": model}
        self.parameters, self.windows = model.named_parameters(), model.named_gradients()
        self.fixed = dict(zip(model.batch_names, batch))
        if not self.parameters:
            raise ValueError(f"check: a model must have parameters to check, {type(model).__name__} has none")
        value = model.loss(*batch, rng=rng)
        if np.ndim(value) or not isinstance(value, (float, np.floating)):
            raise ValueError(f"check: {type(model).__name__}.loss must return one float, got "
                             + (f"an array of shape {np.shape(value)}" if np.ndim(value) else type(value).__name__))
        self.noise = model.noise
        self.names = tuple(model.terms or ()) if len(model.terms or ()) > 1 else ()
        self.terms = self.names if set(self.names) <= set(model.weights) else ()

    def forward(self):
        return [self.target.loss(*self.batch, noise=self.noise)]

    def f(self):
        value, = self.forward()
        return np.array([value, *self.target.terms.values()]) if self.names else value

    def gradients(self, term=None):
        self.forward()
        if term is not None:                             # the next forward sets all weights anew
            self.target.weights = {name: weight if name == term else 0 * weight
                                   for name, weight in self.target.weights.items()}
        return self.backward()

    def backward(self, deltas=(), from_zero=True):
        """Return the vector that backward returns, which is what an optimizer gets, cut into arrays."""
        grad = self.target.backward()
        if np.shape(grad) != self.target.w.shape:
            raise WrongReturn(f"must return the gradient, an array of shape {self.target.w.shape}, and returned "
                              + (type(grad).__name__ if grad is None else f"shape {np.shape(grad)}"))
        stops = np.cumsum([array.size for array in self.parameters.values()])[:-1]
        return {name: part.reshape(array.shape).copy()
                for (name, array), part in zip(self.parameters.items(), np.split(grad, stops))}


KINDS = {Model: ModelSubject, Layer: LayerSubject, Loss: LossSubject, Prior: PriorSubject,
         DiagonalGaussian: PosteriorSubject, Penalty: PenaltySubject}


def kind_of(target):
    """Return the class of the Subject of this target, or None."""
    return next((subject for kind, subject in KINDS.items() if isinstance(target, kind)), None)
