"""Turn all that can be checked into one thing: a function f of some arrays, and what its backward says.

A model's f is its loss. A layer has many outputs, so f = Σ u y with a random u, and backward(u) must give ∂f/∂x and
∂f/∂W: all outputs are tested at once, and a mistake in one of them cannot hide behind equal weights. A posterior has
two outputs, the draw and its KL. A model whose loss has several terms has a gradient for each of them. Noise is drawn
once and frozen.

Every subject works on a float64 copy; what the user gave is not touched.
"""

import numpy as np

from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.models import Model, as_network
from numpyae.parameters import Parametric
from numpyae.penalties import Penalty
from numpyae.priors import Prior


class WrongReturn(TypeError):
    """A backward that returned something else than gradients; the message goes on after "backward"."""


class Subject:
    """One thing to check.

    `inputs` and `parameters` are the named arrays with a gradient, `windows` where backward adds that of the
    parameters, `fixed` what else f reads. `parts` are the leaves by name, `keepers` whatever else keeps arrays from
    forward: backward may not change them. `names` are the parts that f reports, `terms` those that backward
    differentiates one by one. `run(inputs)` -> list of outputs; `backward(deltas)` -> {name of array: gradient};
    `f()` -> the value, or with names an array (1 + names,) of the value and its parts. `deltas` is what backward gets.
    """

    terms = names = ()
    inputs, parameters, windows, fixed, parts, keepers, deltas = {}, {}, {}, {}, {}, {}, ()
    linear = True                     # backward(deltas) is linear in deltas

    @property
    def title(self):
        """The name of what is checked: a layer with its sizes, a model by its class."""
        return repr(self.target) if set(self.parts) == {""} else type(self.target).__name__ if self.parts else ""

    @property
    def arrays(self):
        """All that f has a gradient for, by name."""
        return {**self.inputs, **self.parameters}

    def values(self):
        """Copies of all that f reads, to be put back by `restore`, whatever a wrong backward has done to it."""
        return {name: array.copy() for name, array in {**self.fixed, **self.arrays}.items()}

    def restore(self, values):
        """Put these values back."""
        for name, array in {**self.fixed, **self.arrays}.items():
            array[...] = values[name]

    def value(self):
        """f, or NaN where it is not defined: a step may leave its domain."""
        try:
            return self.f()
        except (ArithmeticError, ValueError):
            return np.nan

    def forward(self):
        """The outputs at the present values of all arrays."""
        return self.run(self.inputs)

    def f(self):
        """The value; a forward that changes what it gets changes a copy."""
        return float(sum((delta * output).sum() for delta, output in zip(self.deltas, self.run(copies(self.inputs)))))

    def backward(self, deltas, from_zero=True):
        """{name: gradient}: what comes back for the first input, and what was added for the parameters."""
        if from_zero:
            for window in self.windows.values():
                window.fill(0)
        returned = self.way_back(*deltas)
        return {next(iter(self.inputs)): returned, **copies(self.windows)}

    def way_back(self, *deltas):
        """The backward of the target."""
        return self.target.backward(*deltas)

    def gradients(self, term=None):
        """{name: gradient} of f, or of one of its terms, by backward."""
        return self.backward(self.deltas)

    def pieces(self, name, width):
        """Return [(title, start, stop), ...] of the columns of an array that holds several things side by side."""
        return []

    def active_set(self):
        """On which side of every kink the last forward was; an empty array when nobody knows of one."""
        found = [side.ravel() for leaf in self.parts.values() if (side := active_set_of(leaf)) is not None]
        return np.concatenate(found) if found else np.zeros(0)


def active_set_of(leaf):
    """The active set of a layer; None of whatever has none, or keeps something else than the layer it was made from."""
    try:
        return leaf.active_set() if isinstance(leaf, Layer) else None
    except AttributeError:
        return None


class LayerSubject(Subject):
    """A layer at x. `delta`: None for a random one. training=False: without noise."""

    batch_names = ("x",)

    def __init__(self, layer, batch, rng, delta=None, training=True):
        self.target, self.parts = layer, leaves_by_name(layer)
        self.inputs = {"x": batch[0]}
        self.drawing = [leaf for leaf in self.parts.values() if getattr(leaf, "noise_name", None)]
        for leaf in self.drawing:
            if leaf.replay is None:
                leaf.rng, leaf.training = rng, training
        y = layer.forward(batch[0].copy())
        if not isinstance(y, np.ndarray):
            raise TypeError(f"check: {type(layer).__name__}.forward must return an array, got {type(y).__name__}")
        for leaf in self.drawing:
            leaf.replay = getattr(leaf, leaf.noise_name)
        self.parameters, self.windows = layer.named_parameters(), layer.named_gradients()
        for name, leaf in self.parts.items():
            self.add_partners(name, leaf)
        self.deltas = [rng.standard_normal(y.shape) if delta is None else delta.copy()]

    def add_partners(self, name, leaf):
        """Check the parameters that a leaf shares with a partner outside with its own."""
        for attribute, partner in leaf.partners().items():
            if not any(partner is other for other in self.parts.values()):
                windows = partner.named_gradients()
                for own, array in partner.named_parameters().items():
                    key = f"{name}.{attribute}.{own}".lstrip(".")
                    self.parameters[key], self.windows[key] = array, windows[own]

    def run(self, inputs):
        return [self.target.forward(inputs["x"])]


class LossSubject(Subject):
    """A loss at output and target. `deltas`: a random weight for each sample."""

    batch_names = ("output", "target")

    def __init__(self, loss, batch, rng):
        self.target, self.parts = loss, {"": loss}
        o, t = batch
        self.inputs, self.fixed = {"output": o}, {"target": t}
        self.parameters, self.windows = loss.named_parameters(), loss.named_gradients()
        self.deltas = [rng.standard_normal(len(o))]

    def run(self, inputs):
        return [self.target.forward(inputs["output"], self.fixed["target"])]

    def pieces(self, name, width):
        if name == "output" and self.target.outputs_per_feature == 2:
            return [("mu", 0, width // 2), ("logvar", width // 2, width)]
        return []


class PriorSubject(Subject):
    """A prior at z: f = Σ u log p(z). `delta`: None for a random u."""

    batch_names = ("z",)

    def __init__(self, prior, batch, rng, delta=None):
        self.target, self.parts = prior, {"": prior}
        self.inputs, self.parameters, self.windows = {"z": batch[0]}, prior.named_parameters(), prior.named_gradients()
        self.deltas = [rng.standard_normal(batch[0].shape[:-1]) if delta is None else delta.copy()]

    def run(self, inputs):
        return [self.target.log_density(inputs["z"])]


class PosteriorSubject(Subject):
    """A posterior at h and epsilon: f = Σ u z + Σ v kl, and its two summands are its terms.

    `drawn`: with log q of the z drawn in the place of the KL.
    """

    batch_names = ("h",)

    def __init__(self, posterior, batch, rng, deltas=None, epsilon=None, drawn=False):
        self.target, self.parts, self.drawn = posterior, {"": posterior}, drawn
        self.terms = self.names = ("draw", "log q" if drawn else "kl")
        self.inputs = {"h": batch[0]}
        self.parameters, self.windows = posterior.named_parameters(), posterior.named_gradients()
        self.fixed = {"epsilon": rng.standard_normal((len(batch[0]), posterior.d)) if epsilon is None else epsilon}
        self.deltas = deltas or [rng.standard_normal(self.fixed["epsilon"].shape), rng.standard_normal(len(batch[0]))]

    def run(self, inputs):
        z = self.target.sample(inputs["h"], self.fixed["epsilon"])
        return [z, self.target.log_density() if self.drawn else self.target.kl()]

    def f(self):
        draw, cost = ((delta * output).sum() for delta, output in zip(self.deltas, self.run(copies(self.inputs))))
        return np.array([draw + cost, draw, cost])

    def gradients(self, term=None):
        chosen = [term in (None, name) for name in self.terms]
        return self.backward([delta if wanted else 0 * delta for delta, wanted in zip(self.deltas, chosen)])

    def way_back(self, dz, dcost):
        return self.target.backward(dz, dlog_q=dcost) if self.drawn else self.target.backward(dz, dcost)

    def pieces(self, name, width):
        d = self.target.d
        pieces = [("mu", 0, d), ("logvar", d, min(2 * d, width)), ("below", 2 * d, width)] if name == "h" else []
        return [(title, start, stop) for title, start, stop in pieces if start < stop]


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
        self.target, self.parts, self.batch, self.keepers = model, leaves_by_name(model), batch, {"": model}
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
        value = self.target.loss(*self.batch, noise=self.noise)
        return np.array([value, *self.target.terms.values()]) if self.names else value

    def gradients(self, term=None):
        self.forward()
        kept = self.target.weights
        if term is not None:
            self.target.weights = {name: weight if name == term else 0 * weight for name, weight in kept.items()}
        try:
            return self.backward()
        finally:
            self.target.weights = kept

    def backward(self, deltas=(), from_zero=True):
        """The vector that backward returns, which is what an optimizer gets, cut into arrays."""
        grad = self.target.backward()
        if np.shape(grad) != self.target.w.shape:
            raise WrongReturn(f"must return the gradient, an array of shape {self.target.w.shape}, and returned "
                            + (type(grad).__name__ if grad is None else f"shape {np.shape(grad)}"))
        stops = np.cumsum([array.size for array in self.parameters.values()])[:-1]
        pieces = zip(self.parameters.items(), np.split(grad, stops))
        return {name: piece.reshape(array.shape).copy() for (name, array), piece in pieces}


class FunctionSubject(Subject):
    """Foreign code: f(w) -> float and grad(w), w an array or a dict of arrays.

    ValueError or TypeError for an f that fails at w, gives no single real number, or changes w.
    """

    linear = False

    def __init__(self, function, grad, w):
        self.function, self.grad, self.single = function, grad, not isinstance(w, dict)
        self.target = function
        self.parameters = {"w": w} if self.single else w
        if not (callable(function) and callable(grad)):
            raise TypeError("check_function: f and grad must be functions, got "
                            f"{type(function).__name__} and {type(grad).__name__}")
        point = self.point(True)
        try:
            value = function(point)
        except Exception as error:
            raise ValueError(f"check_function: f raises {type(error).__name__} at w: {error}") from error
        if np.ndim(value):
            raise ValueError(f"check_function: f must return one number, got an array of shape {np.shape(value)}")
        if not isinstance(value, (int, float, np.number, np.ndarray)) or np.iscomplexobj(value):
            raise TypeError(f"check_function: f must return a real number, got {type(value).__name__}")
        after = {"w": point} if self.single else point
        for name, array in self.parameters.items():
            if name not in after or not np.array_equal(after[name], array):
                raise ValueError(f"check_function: f must not change its argument, and it changes {name} in place")

    def point(self, fresh):
        """w as the user's code takes it, the array itself or a copy."""
        arrays = {name: array.copy() if fresh else array for name, array in self.parameters.items()}
        return arrays["w"] if self.single else arrays

    def f(self):
        return float(self.function(self.point(True)))

    def forward(self):
        return [self.f()]

    def backward(self, deltas=(), from_zero=True):
        gradient = self.grad(self.point(False))
        return {"w": gradient} if self.single else dict(gradient)


class PairSubject(Subject):
    """Foreign code in the habit of CS231n: out, cache = forward(x, **params); dx, *grads = backward(dout, cache)."""

    def __init__(self, forward, backward, x, params, rng):
        self.run_forward, self.run_backward = forward, backward
        self.target = forward
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
        out, self.cache = self.run_forward(self.inputs["x"], **self.parameters)
        return [out]

    def run(self, inputs):
        return [self.run_forward(inputs["x"], **copies(self.parameters))[0]]

    def backward(self, deltas, from_zero=True):
        found = self.run_backward(deltas[0], self.cache)
        dx, *grads = (found,) if isinstance(found, np.ndarray) or found is None else found
        if len(grads) == 1 and isinstance(grads[0], dict):
            return {"x": dx, **grads[0]}
        if len(grads) != len(self.parameters):
            names = ", ".join(self.parameters)
            raise WrongReturn(f"must return dx and {len(self.parameters)} gradients ({names}), got dx and {len(grads)}")
        return {"x": dx, **dict(zip(self.parameters, grads))}


KINDS = {Model: ModelSubject, Layer: LayerSubject, Loss: LossSubject, Prior: PriorSubject,
         DiagonalGaussian: PosteriorSubject, Penalty: PenaltySubject}


def kind_of(target):
    """The class in KINDS that this target is one of, or None."""
    return next((kind for kind in KINDS if isinstance(target, kind)), None)


def leaves_by_name(target):
    """The parts without parts, by name; a leaf is its own, under the name ""."""
    return dict(target.leaves()) if isinstance(target, Parametric) else {}


def copies(arrays):
    """{name: copy}."""
    return {name: array.copy() for name, array in arrays.items()}
