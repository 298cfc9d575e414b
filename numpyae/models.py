"""Models: a network, or two, together with a loss. Whatever is trained is a Model.

One training step, written out:

    model.loss(x, t)                              forward: the mean loss over the batch, a float
    optimizer.step(model.w, model.backward())     backward: its gradient; the step: w_new = w_old - alpha grad ([000])

Models own the mean over samples. A loss gives one value per sample, L = 1/N Σ_n value_n, so each sample has the weight 1/N
on the way back. Noise (dropout masks, ε of a VAE) is drawn from `rng`, kept in `model.noise`, and replayed exactly when passed
back as `noise=`: the loss is then a plain function of w, which is what finite differences need.
"""

import numpy as np

from numpyae.activations import Identity, Sigmoid, Softmax
from numpyae.layers import Dropout, Layer, Sequential, TiedDense
from numpyae.losses import Loss
from numpyae.parameters import FLOATS, Parametric, leaves_of


class Model(Parametric):
    """The contract: loss(*batch) -> float, then backward() -> grad, from zero.

    After `loss`: `terms`, its named parts, floats that add up to it; `noise`, a dict of all that was drawn.
    """

    batch_names = ("x",)              # of the arrays in a batch
    terms = noise = None
    _weights = {}                     # for each term ∂L/∂(value of each sample), (N,); empty unless a loss came last
    _mean = np.zeros(0)               # 1/N for each sample

    def loss(self, *batch, rng=None, noise=None, training=True):
        """The loss of a batch: a mean over its samples. training=False switches dropout and corruption off."""
        raise NotImplementedError(f"{type(self).__name__}.loss")

    def backward(self):
        """The gradient of the last loss with respect to w, (P,): the live vector `grad`, from zero."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def check(self, *batch):
        """ValueError or TypeError, one sentence, unless the batch is fit to be trained on. `fit` calls this before it begins."""
        raise NotImplementedError(f"{type(self).__name__}.check")

    def check_settings(self):
        """ValueError unless what a callback may set, such as `beta`, can be. `fit` calls this after the callbacks."""

    def own(self, **parts):
        """Take these networks, losses and posteriors as parts, after a look at whether they can be in one model."""
        leaves = leaves_of(parts)
        for name, leaf in leaves.items():
            if isinstance(leaf, TiedDense) and not any(leaf.dense is other for other in leaves.values()):
                raise ValueError(f"{type(self).__name__}: {name}, {leaf!r}, shares the weights of a Dense that is not in this model")
        self.add_parts(**parts)
        self._drawing = {f"{name}.{leaf.noise_name}": leaf for name, leaf in leaves.items() if getattr(leaf, "noise_name", None)}

    def begin(self, rng, noise, training):
        """Before a forward pass: hand rng, or the noise to replay, to the layers that draw. Returns rng as a Generator, or None."""
        self._check_use()
        self.noise = {}
        if rng is not None:
            rng = np.random.default_rng(rng)
        for name, layer in self._drawing.items():
            layer.training = training
            layer.rng = rng
            layer.replay = recorded(noise, name) if noise is not None and training else None
        return rng

    def corrupt(self, x, rng, noise):
        """x̃, by the model's corruption; what was drawn for it is kept in `noise["corruption"]`."""
        if noise is None:
            drawn = self.corruption.draw(x, np.random.default_rng(rng))
        else:
            drawn = recorded(noise, "corruption", x.shape, x.dtype)
        self.noise["corruption"] = drawn
        return self.corruption.apply(x, drawn)

    def end(self, n, term):
        """After a forward pass of n values: keep what the layers drew, and, for this term, the weight 1/n of each value."""
        for name, layer in self._drawing.items():
            if layer.training:
                self.noise[name] = getattr(layer, layer.noise_name)
            layer.training, layer.replay = True, None
        if n == 0:
            raise ValueError(f"{type(self).__name__}: a batch must have at least one row, got none")
        if len(self._mean) != n or self._mean.dtype != self._w.dtype:
            self._mean = np.empty(n, dtype=self._w.dtype)
            self._mean.fill(1 / n)
        self._weights = {term: self._mean}

    def from_zero(self):
        """Before a backward pass: set grad to zero. RuntimeError when backward is called before loss."""
        self._check_use()
        if not self._weights:
            raise RuntimeError(f"{type(self).__name__}.backward: call loss right before it: that keeps what the way back needs")
        self._grad.fill(0)

    def evaluate(self, network, x):
        """network(x) free of noise, after a look at x. What the last loss kept for the way back is forgotten."""
        self._check_use()
        self._weights = {}
        check_data(f"{type(self).__name__}: x", x, network.n_in, self.dtype)
        for layer in self._drawing.values():
            layer.training = False
        y = network.forward(x)
        for layer in self._drawing.values():
            layer.training = True
        return y

    def __repr__(self):
        parts = ", ".join(repr(part) for part in self._parts.values())
        return f"{type(self).__name__}({parts}; {self._w.size} parameters)"


class Regression(Model):
    """A network and a criterion, supervised: loss(x, t) = 1/N Σ_n criterion(network(x_n), t_n).

    With SquaredError it is [000]'s regression, with SoftmaxCrossEntropy a classifier.
    """

    arguments = ("network", "criterion")
    batch_names = ("x", "t")

    def __init__(self, network, criterion):
        require_part("Regression: network", network, Layer)
        require_part("Regression: criterion", criterion, Loss)
        refuse_double_activation("Regression", network, criterion)
        self.network, self.criterion = as_network(network), criterion
        self.own(network=self.network, criterion=criterion)

    def loss(self, x, t, rng=None, noise=None, training=True):
        """1/N Σ_n criterion(o_n, t_n), o = network(x); terms: {"error": ...}."""
        self.begin(rng, noise, training)
        self.o = self.network.forward(x)
        values = self.criterion.forward(self.o, t)
        self.end(len(x), "error")
        error = float(np.add.reduce(values)) / len(x)
        self.terms = {"error": error}
        return error

    def backward(self):
        """delta = ∂L/∂o at the output, then back through the network."""
        self.from_zero()
        delta = self.criterion.backward(self._weights["error"])
        self.network.backward(delta, input_gradient=False)
        return self._grad

    def predict(self, x):
        """The expected target for each row of x, in its units: (N, M)."""
        return self.criterion.mean(self.evaluate(self.network, x))

    def check(self, x, t):
        """x (N, D) finite and of the model's dtype; t of as many rows, and what the criterion is defined for."""
        check_data("Regression: x", x, self.network.n_in, self.dtype)
        if not (isinstance(t, np.ndarray) and t.ndim == 1 and self.criterion.takes_labels):
            width = self.network.n_out and self.network.n_out // self.criterion.outputs_per_feature
            check_data("Regression: t", t, width, self.dtype)
        if len(t) != len(x):
            raise ValueError(f"Regression: t must have as many rows as x, {len(x)}, got {len(t)}")
        self.criterion.check_target(t, self.network.n_out)


def require_part(name, part, kind):
    """TypeError unless the part is a Layer, Loss ...; a class without its parentheses gets a hint."""
    if not isinstance(part, kind):
        hint = f": write {part.__name__}()" if isinstance(part, type) and issubclass(part, kind) else ""
        raise TypeError(f"{name} must be a {kind.__name__}, got {part.__name__ if hint else type(part).__name__}{hint}")


def as_network(layer):
    """A Sequential, from a Sequential or a single layer."""
    return layer if isinstance(layer, Sequential) else Sequential(layer)


def refuse_double_activation(model, network, loss):
    """ValueError when a Sigmoid or Softmax stands before a loss on logits: it would be applied twice, and no gradient check
    can see that, because the gradient of the wrong function is right."""
    last = [leaf for leaf in network.leaves().values() if not isinstance(leaf, (Identity, Dropout))][-1:]
    last = last[0] if last else network
    if loss.takes_logits and isinstance(last, (Sigmoid, Softmax)):
        raise ValueError(f"{model}: the network ends in {last!r}, but {type(loss).__name__} takes logits and applies it itself: "
                         f"remove the last layer, {last!r}")


def check_fit_together(model, encoder, code, decoder, loss):
    """ValueError unless encoder -> code -> decoder -> data have the widths of each other."""
    refuse_double_activation(model, decoder, loss)
    if None not in (code, decoder.n_in) and code != decoder.n_in:
        raise ValueError(f"{model}: the code has {code} numbers, but the decoder takes {decoder.n_in}")
    if None not in (encoder.n_in, decoder.n_out) and decoder.n_out != loss.outputs_per_feature * encoder.n_in:
        raise ValueError(f"{model}: for data of {encoder.n_in} features under {type(loss).__name__} the decoder must give "
                         f"{loss.outputs_per_feature * encoder.n_in} outputs, got {decoder.n_out}")


def recorded(noise, name, shape=None, dtype=None):
    """The entry of a dict of noise to replay, checked."""
    if name not in noise:
        raise ValueError(f"noise must hold {name!r}, got {sorted(noise) or 'nothing'}")
    if shape is not None and np.shape(noise[name]) != shape:
        raise ValueError(f"noise[{name!r}] must have shape {shape}, got {np.shape(noise[name])}")
    if dtype is not None and noise[name].dtype != dtype:
        raise TypeError(f"noise[{name!r}] must be {dtype}, got {noise[name].dtype}")
    return noise[name]


def check_data(name, x, width, dtype):
    """ValueError or TypeError unless x is (N, width), N >= 1, finite, and of this dtype."""
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(x).__name__}")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name} must be {dtype}, got {x.dtype}"
                        + ("" if x.dtype.kind in "cOSUV" else f": write {name.split()[-1]}.astype(np.{dtype})"))
    if x.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, as the parameters are, got {x.dtype}: write "
                        f"{name.split()[-1]}.astype(np.{dtype}), or model.astype(np.{x.dtype}) for another model")
    if x.ndim != 2 or (width is not None and x.shape[1] != width):
        raise ValueError(f"{name} must have shape (N, {'D' if width is None else width}), got {x.shape}")
    if len(x) == 0:
        raise ValueError(f"{name} must have at least one row, got none")
    if not (np.isfinite(x.min()) and np.isfinite(x.max())):
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"{name} must be finite, got {x[row, column]} in row {row}, column {column}")
