"""What can be checked, each turned into the same thing: a function f of some arrays, and what its backward says.

A model's f is its loss. A layer has many outputs, so f = Σ u y with a random u, and backward(u) must give ∂f/∂x and ∂f/∂W: all
outputs are tested at once, and a mistake in one of them cannot hide behind equal weights. A posterior has two outputs, the draw
and its KL. A model whose loss has several terms has a gradient for each of them. Noise is drawn once and frozen.

Every subject works on a float64 copy; what the user gave is not touched.
"""

import numpy as np

from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer, TiedDense
from numpyae.losses import Loss
from numpyae.models import Model
from numpyae.parameters import Parametric


class WrongReturn(TypeError):
    """A backward that returned something else than gradients; the message goes on after "backward"."""


class Subject:
    """One thing to check.

    `inputs` and `parameters`: the named arrays with a gradient; `fixed`: what else f reads; `terms`: names of the parts of f
    that have a gradient of their own; `parts`: the leaves, by name, whose caches backward may not change.
    `forward()` -> list of outputs; `backward(deltas)` -> {name of array: gradient}; `f()` -> the value, or with terms an array
    (1 + terms,) of the value and its parts. `deltas` is what backward gets in the check.
    """

    terms = names = ()                # of those with a gradient by backward; of all that `f` tells apart
    inputs, parameters, fixed, parts, deltas = {}, {}, {}, {}, ()
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

    def gradients(self, term=None):
        """{name: gradient} of f, or of one of its terms, by backward."""
        return self.backward(self.deltas)

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
            if isinstance(leaf, TiedDense) and not any(leaf.dense is other for other in self.parts.values()):
                key = f"{name}.dense.W".lstrip(".")      # the W it shares belongs to its partner
                self.parameters[key], self.windows[key] = leaf.dense.W, leaf.dense.dW
        self.deltas = [rng.standard_normal(y.shape) if delta is None else delta.copy()]

    def forward(self):
        return [self.target.forward(self.inputs["x"])]

    def f(self):
        return float(np.add.reduce(self.deltas[0] * self.target.forward(self.inputs["x"].copy()), axis=None))

    def backward(self, deltas, from_zero=True):
        if from_zero:
            for window in self.windows.values():
                window.fill(0)
        dx = self.target.backward(*deltas)
        return {"x": dx, **copies(self.windows)}


class LossSubject(Subject):
    """A loss at output and target. `deltas`: a random weight for each sample."""

    def __init__(self, loss, batch, rng):
        self.target, self.parts = loss, {"": loss}
        o, t = batch
        self.inputs, self.parameters, self.fixed = {"output": o}, loss.named_parameters(), {"target": t}
        self.deltas = [rng.standard_normal(len(o))]

    def forward(self):
        return [self.target.forward(self.inputs["output"], self.fixed["target"])]

    def f(self):
        return float(np.add.reduce(self.deltas[0] * self.target.forward(self.inputs["output"].copy(), self.fixed["target"])))

    def backward(self, deltas, from_zero=True):
        if from_zero:
            self.target.zero_grad()
        do = self.target.backward(*deltas)
        return {"output": do, **copies(self.target.named_gradients())}


class PosteriorSubject(Subject):
    """A posterior at h and epsilon: f = Σ u z + Σ v kl, its two parts are its terms; `drawn`: log q of the z drawn in place of the KL."""

    def __init__(self, posterior, batch, rng, deltas=None, epsilon=None, drawn=False):
        self.target, self.parts, self.drawn = posterior, {"": posterior}, drawn
        self.terms = self.names = ("draw", "log q" if drawn else "kl")
        self.inputs, self.parameters = {"h": batch[0]}, posterior.named_parameters()
        self.fixed = {"epsilon": rng.standard_normal((len(batch[0]), posterior.d)) if epsilon is None else epsilon}
        self.deltas = deltas or [rng.standard_normal(self.fixed["epsilon"].shape), rng.standard_normal(len(batch[0]))]

    def forward(self):
        z = self.target.sample(self.inputs["h"], self.fixed["epsilon"])
        return [z, self.target.log_density() if self.drawn else self.target.kl()]

    def f(self):
        z = self.target.sample(self.inputs["h"].copy(), self.fixed["epsilon"])
        cost = self.target.log_density() if self.drawn else self.target.kl()
        draw, cost = np.add.reduce(self.deltas[0] * z, axis=None), np.add.reduce(self.deltas[1] * cost, axis=None)
        return np.array([draw + cost, draw, cost])

    def gradients(self, term=None):
        u, v = self.deltas
        return self.backward([u if term in (None, self.terms[0]) else 0 * u, v if term in (None, self.terms[1]) else 0 * v])

    def backward(self, deltas, from_zero=True):
        dz, dcost = deltas
        return {"h": self.target.backward(dz, dlog_q=dcost) if self.drawn else self.target.backward(dz, dcost)}


class ModelSubject(Subject):
    """A model on a batch, its noise frozen; its terms have gradients of their own where its backward reads `weights`."""

    linear = False

    def __init__(self, model, batch, rng):
        self.target, self.parts, self.batch = model, leaves_by_name(model), batch
        self.parameters, self.fixed = model.named_parameters(), dict(zip(model.batch_names, batch))
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
        return {name: part.reshape(array.shape).copy() for (name, array), part in zip(self.parameters.items(), np.split(grad, stops))}


class FunctionSubject(Subject):
    """Foreign code: f(w) -> float and grad(w), w an array or a dict of arrays. ValueError or TypeError for an f that fails at w,
    gives no single real number, or changes w."""

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

    def f(self):
        out, _ = self.run_forward(self.inputs["x"].copy(), **copies(self.parameters))
        return float(np.add.reduce(self.deltas[0] * out, axis=None))

    def backward(self, deltas, from_zero=True):
        found = self.run_backward(deltas[0], self.cache)
        dx, *grads = (found,) if isinstance(found, np.ndarray) or found is None else found
        if len(grads) == 1 and isinstance(grads[0], dict):
            return {"x": dx, **grads[0]}
        if len(grads) != len(self.parameters):
            raise WrongReturn(f"must return dx and {len(self.parameters)} gradients ({', '.join(self.parameters)}), got dx and "
                              f"{len(grads)}")
        return {"x": dx, **dict(zip(self.parameters, grads))}


KINDS = {Model: ModelSubject, Layer: LayerSubject, Loss: LossSubject, DiagonalGaussian: PosteriorSubject}
BATCHES = {Layer: ("x",), Loss: ("output", "target"), DiagonalGaussian: ("h",)}


def kind_of(target):
    """The class in KINDS that this target is one of, or None."""
    return next((kind for kind in KINDS if isinstance(target, kind)), None)


def leaves_by_name(target):
    """The parts without parts, by name; a leaf is its own, under the name ""."""
    return dict(target.leaves()) if isinstance(target, Parametric) else {}


def copies(arrays):
    """{name: copy}."""
    return {name: array.copy() for name, array in arrays.items()}
