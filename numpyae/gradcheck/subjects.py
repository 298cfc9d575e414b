"""The form into which all that is checked is turned: a function f of some arrays, and what its backward says.

A model's f is its loss. A layer has many outputs, so f = Σ u y with a random u, and backward(u) must give ∂f/∂x and
∂f/∂W: all outputs are tested at once, and a mistake in one of them cannot hide behind equal weights. A posterior has
two outputs, the draw and its KL. A model whose loss has several terms has a gradient for each of them. Noise is drawn
once and frozen.

Every subject works on a float64 copy; what the user gave is not touched.
"""

import contextlib
import itertools

import numpy as np

from numpyae import DiagonalGaussian, Layer
from numpyae.losses import Loss
from numpyae.models import Model, as_network
from numpyae.penalties import Penalty
from numpyae.priors import Prior


class WrongReturn(TypeError):
    """A backward that returned something else than gradients; the message goes on after "backward"."""


class Subject:
    """One thing to check.

    `inputs` and `parameters`: the named arrays with a gradient; `windows`: where backward adds to them; `fixed`: what
    else f reads; `terms`: names of the parts of f that have a gradient of their own; `parts`: the leaves, by name,
    whose caches backward may not change; `keepers`: what else keeps something from forward; `pieces`: {array: [(title,
    start, stop), ...]}, the columns of an array that holds several things side by side. `deltas` is what backward gets
    in the check.

    A subclass has `run(inputs)`, which returns the list of outputs. A loss or a model has `f()`, which returns the
    value, or with terms an array (1 + terms,) of the value and its parts.
    """

    batch_names = ()                  # the names of the arrays at which it is checked
    tapped = ("forward",)             # the methods that give the outputs of a part of a model
    terms = names = ()                # of those with a gradient by backward; of all that `f` tells apart
    inputs, parameters, windows, fixed, parts, keepers, pieces, deltas = {}, {}, {}, {}, {}, {}, {}, ()
    linear = True                     # backward(deltas) is linear in deltas

    @property
    def arrays(self):
        """The arrays that f has a gradient for, by name."""
        return {**self.inputs, **self.parameters}

    def values(self):
        """Return copies of all that f reads, to be put back by `restore`, whatever a wrong backward has done to it."""
        return copies(self.fixed | self.arrays)

    def restore(self, values):
        """Put these values back."""
        for name, array in (self.fixed | self.arrays).items():
            array[...] = values[name]

    def value(self):
        """Return f, or NaN where it is not defined: a step may leave its domain."""
        try:
            return self.f()
        except (ArithmeticError, ValueError):
            return np.nan

    def forward(self):
        """Return the outputs at the present values of all arrays."""
        return self.run(self.inputs)

    def f(self):
        """Return the value; a forward that changes what it gets changes a copy."""
        sums = [(delta * output).sum() for delta, output in zip(self.deltas, self.run(copies(self.inputs)))]
        return np.array([sum(sums), *sums]) if self.terms else float(sum(sums))

    def backward(self, deltas, from_zero=True):
        """Return {name: gradient}: what comes back for the first input, and what was added for the parameters."""
        for window in self.windows.values() if from_zero else ():
            window.fill(0)
        return {next(iter(self.inputs)): self.way_back(*deltas), **copies(self.windows)}

    def way_back(self, *deltas):
        """Return what the backward of the target returns."""
        return self.target.backward(*deltas)

    def gradients(self, term=None):
        """Return {name: gradient} of f, or of one of its terms, by a forward and a backward, which gets copies."""
        self.forward()
        return self.backward([delta.copy() if term in (None, name) else 0 * delta
                              for delta, name in itertools.zip_longest(self.deltas, self.terms)])

    def active_sets(self):
        """Return {name: on which side of its kink every unit was} for the parts that have kinks."""
        found = {}
        for name, leaf in self.parts.items():
            with contextlib.suppress(AttributeError):    # it has none, or keeps something else than its base class
                found[name] = leaf.active_set()
        return {name: side for name, side in found.items() if side is not None}


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

    def __init__(self, loss, batch, rng, deltas=None):
        super().__init__(loss, batch, rng, [rng.standard_normal(len(batch[0]))])       # equal ones hide a factor
        if loss.outputs_per_feature == 2:
            width = batch[0].shape[-1]
            self.pieces = {"output": [("mu", 0, width // 2), ("logvar", width // 2, width)]}


class PriorSubject(PartSubject):
    """A prior at z: f = Σ u log p(z)."""

    batch_names = ("z",)
    tapped = ("log_density",)


class PosteriorSubject(PartSubject):
    """A posterior at h, and epsilon if it is given: f = Σ u z + Σ v kl, its two parts are its terms.

    `drawn`: log q of the z drawn in place of the KL.
    """

    batch_names = ("h",)
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


class FunctionSubject(Subject):
    """Foreign code: f(w) -> float and grad(w), of a dict of arrays, or of the array "w" alone when `single`.

    Raise ValueError or TypeError for an f that fails at w, gives no single real number, or changes w.
    """

    linear = False

    def __init__(self, function, grad, arrays, single):
        self.target, self.grad, self.parameters, self.single = function, grad, arrays, single
        if not (callable(function) and callable(grad)):
            raise TypeError("check_function: f and grad must be functions, got "
                            f"{type(function).__name__} and {type(grad).__name__}")
        given = copies(arrays)
        try:
            value = function(self.point(given))
        except Exception as error:
            raise ValueError(f"check_function: f raises {type(error).__name__} at w: {error}") from error
        if np.ndim(value):
            raise ValueError(f"check_function: f must return one number, got an array of shape {np.shape(value)}")
        if not isinstance(value, (int, float, np.number, np.ndarray)) or np.iscomplexobj(value):
            raise TypeError(f"check_function: f must return a real number, got {type(value).__name__}")
        for name, array in arrays.items():
            if name not in given or not np.array_equal(given[name], array):
                raise ValueError(f"check_function: f must not change its argument, and it changes {name} in place")

    def point(self, arrays):
        """Return the arrays as the user's code takes them."""
        return arrays["w"] if self.single else arrays

    def f(self):
        return float(self.target(self.point(copies(self.parameters))))

    def forward(self):
        return [self.f()]

    def backward(self, deltas=(), from_zero=True):
        gradient = self.grad(self.point(dict(self.parameters)))
        return {"w": gradient} if self.single else dict(gradient)


class PairSubject(Subject):
    """Foreign code in the habit of CS231n: out, cache = forward(x, **params); dx, *grads = backward(dout, cache)."""

    def __init__(self, forward, backward, x, params, rng):
        self.target, self.run_backward = forward, backward
        self.inputs, self.parameters = {"x": x}, params
        try:
            found = forward(x.copy(), **copies(params))
        except Exception as error:
            raise ValueError(f"check_layer: forward raises {type(error).__name__}: {error}") from error
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], np.ndarray)):
            raise TypeError("check_layer: forward must return (out, cache) with an array out, got "
                            + (f"a tuple of {len(found)}" if isinstance(found, tuple) else type(found).__name__))
        out, self.cache = found
        if out.dtype.kind != "f":
            raise TypeError(f"check_layer: forward must return a float array out, got {out.dtype}")
        self.deltas = [rng.standard_normal(out.shape)]

    def forward(self):
        out, self.cache = self.target(self.inputs["x"], **self.parameters)
        return [out]

    def run(self, inputs):
        return [self.target(inputs["x"], **copies(self.parameters))[0]]

    def backward(self, deltas, from_zero=True):
        found = self.run_backward(deltas[0], self.cache)
        dx, *grads = (found,) if isinstance(found, np.ndarray) or found is None else found
        if len(grads) == 1 and isinstance(grads[0], dict):
            return {"x": dx, **grads[0]}
        if len(grads) != len(self.parameters):
            raise WrongReturn(f"must return dx and {len(self.parameters)} gradients ({', '.join(self.parameters)}), "
                              f"got dx and {len(grads)}")
        return {"x": dx, **dict(zip(self.parameters, grads))}


KINDS = {Model: ModelSubject, Layer: LayerSubject, Loss: LossSubject, Prior: PriorSubject,
         DiagonalGaussian: PosteriorSubject, Penalty: PenaltySubject}


def kind_of(target):
    """Return the class of the Subject of this target, or None."""
    return next((subject for kind, subject in KINDS.items() if isinstance(target, kind)), None)


def copies(arrays):
    """Return {name: copy}."""
    return {name: array.copy() for name, array in arrays.items()}
