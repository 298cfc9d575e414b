"""Layers: each turns x into y in the forward pass, and ∂L/∂y into ∂L/∂x in the backward pass.

A network is a chain of functions, and backpropagation is the chain rule read from its end ([000]:
f'(x) = u'(v(x)) v'(x)). So a layer needs two methods. `forward(x)` computes the output and keeps, in plain attributes,
what backward will need. `backward(delta)` receives delta = ∂L/∂(output), adds the gradients of its own parameters to
`dW` and `db`, and returns ∂L/∂(input), which is the delta of the layer before:

    x ──▶ Dense ──▶ Tanh ──▶ Dense ──▶ o        forward
    dx ◀─ Dense ◀── Tanh ◀── Dense ◀── delta     backward

Rows are samples: x has shape (N, D). Weights act from the right, a = x W + b, so W has shape (n_in, n_out). Backward
adds to the gradients and never updates a parameter: the optimizer's step is a separate line of the training loop.
"""

import numpy as np

from numpyae.checks import FLOATS, check_choice, check_size, must
from numpyae.parameters import Parametric, parameter, setting


class Layer(Parametric):
    """The contract of a layer: forward(x) -> y keeps what backward(delta) -> dx needs.

    A layer that draws random numbers names the attribute that holds them in `noise_name`. It has three more attributes,
    which a model sets: it draws with `rng`, replays `replay` instead if that is not None, and draws nothing while
    `training` is False.
    """

    n_in = n_out = None               # the widths; None where the layer keeps the width of whatever comes
    noise_name = rng = replay = None
    training = True

    def forward(self, x):
        """Return y (N, n_out) for x (N, n_in)."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, delta):
        """Add ∂L/∂(own parameters) to their gradients; return ∂L/∂x (N, n_in) for delta = ∂L/∂y (N, n_out)."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def active_set(self):
        """Return on which side of its kinks each unit was in the last forward, an array of bool; None without kinks."""
        return None

    @classmethod
    def examples(cls, rng):
        """Yield (layer, x), at which the class is checked; several where a single one would hide a mistake."""
        for arguments in cls.example_arguments:
            yield cls(*arguments), rng.standard_normal((7, 5))


class Dense(Layer):
    """a = x W + b: every output is a weighted sum of all inputs.

    W (n_in, n_out) and b (n_out,), gradients dW and db. The biases start at 0, the weights as `init` says:

        "glorot"    U(±√(6/(n_in + n_out)))                 Glorot 2010, eq. 16
        "he"        N(0, 2/n_in)                            He 2015, eq. 10
        "sparse"    15 incoming weights N(0, 1) per unit    Martens 2010, section 5
        "zeros"

    Raise ValueError for sizes below 1 or another init.
    """

    formula = {"y": "{x} {W} + {b}", "dx": "d{y} {W}ᵀ", "dW": "{x}ᵀ d{y}", "db": "Σ_n d{y}"}
    W, dW = parameter("W", "weights (n_in, n_out)")
    b, db = parameter("b", "biases (n_out,)")
    decays = ("W",)
    example_arguments = ((5, 11, 0), (5, 5, 0))          # the last is rng; a square W hides a forgotten transpose

    def __init__(self, n_in, n_out, rng=None, init="glorot"):
        self.n_in, self.n_out = check_size("Dense: n_in", n_in), check_size("Dense: n_out", n_out)
        self.add_parameters(W=initial_weights(n_in, n_out, rng, init), b=np.zeros(n_out))

    def forward(self, x):
        """Return a = x W + b, (N, n_out), for x (N, n_in)."""
        if not (isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] == self.n_in and x.dtype == self._w.dtype):
            raise wrong_input(self, x)
        self.x = x
        a = x @ self.W
        a += self.b
        return a

    def backward(self, delta, input_gradient=True):
        """Add dW += xᵀ delta and db += Σ_n delta_n; return dx = delta Wᵀ.

        With input_gradient=False return None: dx is a third of the work.
        """
        if delta.shape != (len(self.x), self.n_out):
            raise wrong_delta(self, delta)
        dW, db = self.dW, self.db
        dW += self.x.T @ delta
        db += np.add.reduce(delta, axis=0)
        if input_gradient:
            return delta @ self.W.T

    def __repr__(self):
        return self.in_words(f"{self.n_in} -> {self.n_out}")


class TiedDense(Layer):
    """a = x Wᵀ + b with the W of another Dense: a decoder with the encoder's weights and its own bias.

    W is used twice, so its gradient is the sum over both uses: this layer adds its part to `dense.dW`. The Dense must
    be in the same model, since otherwise its gradient belongs to another one.
    """

    formula = {"y": "{x} {W}ᵀ + {b}", "dx": "d{y} {W}", "dW|tied": "d{y}ᵀ {x}", "db": "Σ_n d{y}"}
    b, db = parameter("b", "biases (n_out,)")
    shares = ("dense",)

    def __init__(self, dense):
        must(isinstance(dense, Dense), f"TiedDense: dense must be a Dense layer, got {type(dense).__name__}", TypeError)
        self.dense = dense
        self.n_in, self.n_out = dense.n_out, dense.n_in
        self.add_parameters(b=np.zeros(self.n_out))
        self._place(self._w.astype(dense.dtype), self._grad.astype(dense.dtype))

    def forward(self, x):
        """Return a = x Wᵀ + b, (N, n_out), for x (N, n_in)."""
        if not (isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] == self.n_in and x.dtype == self._w.dtype):
            raise wrong_input(self, x)
        self.x = x
        a = x @ self.dense.W.T
        a += self.b
        return a

    def backward(self, delta):
        """Add dW += deltaᵀ x (the second use of W) and db += Σ_n delta_n; return dx = delta W."""
        if delta.shape != (len(self.x), self.n_out):
            raise wrong_delta(self, delta)
        W, dW, db = self.dense.W, self.dense.dW, self.db
        dW += delta.T @ self.x
        db += np.add.reduce(delta, axis=0)
        return delta @ W

    @classmethod
    def examples(cls, rng):
        """Yield layers that are tied to a Dense outside; its W is checked with them."""
        yield cls(Dense(11, 5, rng=rng)), rng.standard_normal((7, 5))
        yield cls(Dense(5, 5, rng=rng)), rng.standard_normal((7, 5))

    __repr__ = Dense.__repr__


class Dropout(Layer):
    """y = x mask / keep while training, else y = x. Each unit is dropped with probability p, and keep = 1 - p.

    Division by keep makes E[y] = x, so that evaluation needs no factor: inverted scaling (Srivastava 2014, section 10).
    `mask` holds 0 and 1. It is drawn with `rng`, which a model sets; None means fresh entropy. Raise ValueError unless
    0 <= p < 1.
    """

    formula = {"mask": "drawn, 0 or 1", "y": "{x} {mask} / {keep}", "dx": "d{y} {mask} / {keep}"}
    p = setting("p", "the probability to drop a unit; a callback may change it while training")
    adjustable = ("p",)
    example_arguments = ((0.3,),)
    noise_name = "mask"

    def __init__(self, p):
        must(0 <= p < 1, f"Dropout: p must be in [0, 1), got {p}")
        self.p, self.keep = float(p), 1 - float(p)

    def forward(self, x):
        """Return y = x mask / keep, of the shape of x."""
        if not self.training:
            self.mask = None
            return x
        if not 0 <= self.p < 1:                          # a callback may have set it
            raise ValueError(f"Dropout: p must be in [0, 1), got {self.p}")
        self.keep = 1 - self.p
        if self.replay is None:
            rng = np.random.default_rng(self.rng)
            self.mask = (rng.random(x.shape, dtype=x.dtype) < self.keep).astype(x.dtype)
        elif self.replay.shape == x.shape and self.replay.dtype == x.dtype:
            self.mask = self.replay
        else:
            raise ValueError(f"{self!r}: the mask to replay must be {x.dtype} of shape {x.shape}, "
                             f"got {self.replay.dtype} of shape {self.replay.shape}")
        return x * self.mask / self.keep

    def backward(self, delta):
        """Return dx = delta mask / keep: a dropped unit passes nothing back."""
        if self.mask is None:
            return delta
        return delta * self.mask / self.keep


class TopK(Layer):
    """y = x mask, where mask keeps the k strongest units of each sample ([002] k-sparse function; Makhzani 2013).

    by="magnitude" keeps the largest |x|, as [002]'s formula says. by="value" keeps the largest x, as its sentence and
    Makhzani's "highest activities" say. Exactly k units stay, even where several have the same strength. Raise
    ValueError for k below 1 or above the width, or another `by`.
    """

    formula = {"mask": "1 for the winners", "y": "{x} {mask}", "dx": "d{y} {mask}"}
    k = setting("k", "how many units stay; a callback may change it while training")
    adjustable = ("k",)
    example_arguments = ((2,), (2, "value"))

    def __init__(self, k, by="magnitude"):
        check_size("TopK: k", k)
        check_choice("TopK: by", by, ("magnitude", "value"))
        self.k, self.by = int(k), by
        self.strength = np.abs if by == "magnitude" else np.positive         # np.positive(x) is x

    def forward(self, x):
        """Return y = x mask, where mask (N, H) has k ones in every row."""
        width = x.shape[1]
        if not (isinstance(self.k, (int, np.integer)) and 1 <= self.k <= width):         # a callback may have set it
            raise ValueError(f"TopK: k must be a whole number from 1 to the width {width}, got {self.k!r}")
        winners = np.argpartition(self.strength(x), width - self.k, axis=1)[:, width - self.k:]
        self.mask = np.zeros_like(x)
        np.put_along_axis(self.mask, winners, 1, axis=1)
        return x * self.mask

    def backward(self, delta):
        """Return dx = delta mask ([002]: keep the gradient of the winners, set the others to 0)."""
        return delta * self.mask

    def active_set(self):
        """Return which units are among the k strongest."""
        return self.mask > 0


class Sequential(Layer):
    """Layers one after the other: y = f_L(... f_2(f_1(x))). It is a layer itself, so networks nest.

    Raise ValueError where a width does not fit the layer before, or a layer is in it twice.
    """

    def __init__(self, *layers):
        must(layers, "Sequential: expected at least one layer, got none")
        for index, layer in enumerate(layers):
            must(isinstance(layer, Layer), f"Sequential: layer {index} must be a Layer, got {type(layer).__name__}"
                                           + (": write Tanh(), not Tanh" if isinstance(layer, type) else ""), TypeError)
            if layer.n_in is not None:
                if self.n_out not in (None, layer.n_in):
                    raise ValueError(f"Sequential: layer {index}, {layer!r}, takes {layer.n_in} values, "
                                     f"but the layers before give {self.n_out}")
                self.n_in = layer.n_in if self.n_out is None else self.n_in
            self.n_out = layer.n_out if layer.n_out is not None else self.n_out
        self.layers = list(layers)
        self.first = next((index for index, layer in enumerate(layers) if learns(layer)), 0)
        self.first_can_skip = type(layers[self.first]) in (Dense, Sequential)      # it takes input_gradient=False
        self.add_parts(**{str(index): layer for index, layer in enumerate(layers)})

    def forward(self, x):
        """Return y (N, n_out) for x (N, n_in)."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, delta, added=None, input_gradient=True):
        """Return ∂L/∂x for delta = ∂L/∂y.

        `added`, {index of a layer: ∂L/∂(its output)}, is added to the delta of that layer: so a penalty on a hidden
        layer comes in. With input_gradient=False nobody needs ∂L/∂x, the gradient of the data: the way back ends at the
        first layer that learns.
        """
        if added and not added.keys() <= set(range(len(self.layers))):
            raise ValueError(f"Sequential: added must have indices from 0 to {len(self.layers) - 1}, "
                             f"got {sorted(added)}")
        for index in range(len(self.layers) - 1, -1 if input_gradient else self.first - 1, -1):
            if added and index in added:
                delta = delta + added[index]
            if index != self.first or input_gradient or not self.first_can_skip:
                delta = self.layers[index].backward(delta)
            else:
                delta = self.layers[index].backward(delta, input_gradient=False)
        return delta

    @classmethod
    def examples(cls, rng):
        yield cls(Dense(5, 11, rng=rng), TopK(3), Dense(11, 2, rng=rng)), rng.standard_normal((7, 5))

    def __repr__(self):
        return f"Sequential({', '.join(map(repr, self.layers))}; {self._w.size} parameters)"


def learns(layer):
    """Return whether a layer has parameters, or uses those of another."""
    return any(leaf.w.size or leaf.shares for leaf in layer.leaves().values())


def initial_weights(n_in, n_out, rng, init):
    """Return W (n_in, n_out) at the start of training; the formulas are in Dense."""
    check_choice("Dense: init", init, ("glorot", "he", "sparse", "zeros"))
    rng = np.random.default_rng(rng)
    if init == "glorot":
        limit = np.sqrt(6 / (n_in + n_out))
        return rng.uniform(-limit, limit, (n_in, n_out))
    if init == "he":
        return rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))
    W = np.zeros((n_in, n_out))
    if init == "sparse":
        for column in W.T:
            column[rng.permutation(n_in)[:15]] = rng.normal(size=min(15, n_in))
    return W


def wrong_delta(layer, delta):
    """Return the error for a delta that has not the shape of the layer's last output."""
    return ValueError(f"{layer!r}: delta must have shape {(len(layer.x), layer.n_out)}, got {delta.shape}")


def wrong_input(layer, x):
    """Return the error that says why the layer cannot take x as its input."""
    if not isinstance(x, np.ndarray):
        return TypeError(f"{layer!r}: x must be an array of shape (N, {layer.n_in}), got {type(x).__name__}")
    if x.ndim != 2 or x.shape[1] != layer.n_in:
        return ValueError(f"{layer!r}: x must have shape (N, {layer.n_in}), got {x.shape}")
    other = f", or model.astype(np.{x.dtype}) for another model" if x.dtype in FLOATS else ""
    return TypeError(f"{layer!r}: x must be {layer.dtype}, as the parameters are, got {x.dtype}: "
                     f"write x.astype(np.{layer.dtype}){other}")
