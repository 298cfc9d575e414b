"""Models: a network, or two, together with a loss. Whatever is trained is a Model.

One training step, written out:

    model.loss(x, t)                              forward: the mean loss over the batch, a float
    optimizer.step(model.w, model.backward())     backward: its gradient; the step: w_new = w_old - alpha grad ([000])

Models own the mean over samples. A loss gives one value per sample, L = 1/N Σ_n value_n, so each sample has the weight 1/N
on the way back. Noise (dropout masks, ε of a VAE) is drawn from `rng`, kept in `model.noise`, and replayed exactly when passed
back as `noise=`: the loss is then a plain function of w, which is what finite differences need.
"""

import copy

import numpy as np

from numpyae.activations import Identity, Sigmoid, Softmax, mlp
from numpyae.checks import check_data, check_part
from numpyae.layers import Dropout, Layer, Sequential
from numpyae.losses import Loss, SoftmaxCrossEntropy, SquaredError
from numpyae.parameters import Parametric, leaves_of
from numpyae.penalties import L2Sparsity, Penalty, WeightDecay


class Model(Parametric):
    """The contract: loss(*batch) -> float, then backward() -> grad, from zero.

    After `loss`: `terms`, its named parts, floats that add up to it; `weights`, for each term ∂L/∂(its values);
    `noise`, a dict of all that was drawn. A Model of one's own is written with these calls:

        __init__    self.add_parts(network=network, criterion=criterion)
                    self.add_penalties(penalties)                     where it takes penalties
        loss        rng = self.begin(rng, noise, training)
                    self.term("error", values, over=len(x))           for each part of the loss
                    return self.total()
        backward    added = self.from_zero()
                    delta = self.criterion.backward(self.weights["error"])
                    self.network.backward(delta, added=added["network"], input_gradient=False)
                    return self.grad
    """

    batch_names = ("x",)              # of the arrays in a batch
    exact = True                      # backward gives the gradient of the loss at the noise drawn, not an estimate of another
    code = None                       # the network whose last layer a penalty is about where it does not say `at`
    terms = noise = corruption = None
    penalties = ()
    weights = {}                      # empty unless a loss came last
    _drawing = {}                     # the layers that draw random numbers, by the name of their noise
    penalised = ()                    # for each penalty: (term, penalty, name of the network, layers that it sees)

    def loss(self, *batch, rng=None, noise=None, training=True):
        """Return the loss of a batch, a mean over its samples. training=False switches dropout and corruption off."""
        raise NotImplementedError(f"{type(self).__name__}.loss")

    def backward(self):
        """Return the gradient of the last loss with respect to w, (P,): the live vector `grad`, from zero."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def check(self, *batch):
        """Raise ValueError or TypeError unless the batch is fit to be trained on. `fit` calls this before it begins."""
        for name, array in zip(self.batch_names, batch):
            check_data(f"{type(self).__name__}: {name}", array, None, self.dtype)
            if len(array) != len(batch[0]):
                raise ValueError(f"{type(self).__name__}: {name} must have as many rows as {self.batch_names[0]}, "
                                 f"{len(batch[0])}, got {len(array)}")

    def check_settings(self):
        """Raise ValueError if a callback set a setting, such as `beta`, to an impossible value. `fit` calls this."""

    def add_parts(self, **parts):
        """Take these networks, losses and posteriors as parts. ValueError for a part whose partner is not in this model."""
        leaves = leaves_of(parts)
        inside = set(map(id, leaves.values()))
        for name, leaf in leaves.items():
            for partner in leaf.partners().values():
                if id(partner) not in inside:
                    raise ValueError(f"{type(self).__name__}: {name}, {leaf!r}, shares the weights of a "
                                     f"{type(partner).__name__} that is not in this model")
        super().add_parts(**parts)
        self._drawing = {f"{name}.{leaf.noise_name}": leaf for name, leaf in leaves.items() if getattr(leaf, "noise_name", None)}

    def add_penalties(self, penalties):
        """Take copies of these penalties: each is a term of the loss from now on. Call it after add_parts."""
        if not isinstance(penalties, (list, tuple)):
            raise TypeError(f"{type(self).__name__}: penalties must be a list of penalties, got {penalties!r}")
        for penalty in penalties:
            check_part(f"{type(self).__name__}: penalties", penalty, Penalty)
        self.penalties = tuple(copy.copy(penalty) for penalty in penalties)
        terms = [penalty.term for penalty in penalties]
        names = [f"{term} {1 + terms[:k].count(term)}" if term in terms[:k] else term for k, term in enumerate(terms)]
        self.penalised = [(name, penalty, *self.place_of(penalty)) for name, penalty in zip(names, self.penalties)]

    def place_of(self, penalty):
        """Return (name of a network, its layers up to the one that the penalty is about); all leaves for one on weights."""
        if penalty.on_weights:
            return None, list(self.leaves().values())
        networks = {name: part.layers for name, part in self._parts.items() if isinstance(part, Sequential)}
        if penalty.at is None and self.code is None:
            raise ValueError(f"{type(self).__name__}: {penalty!r} must say which layer it is about, such as "
                             f'at="{next(iter(networks))}.0"')
        network, _, index = (penalty.at or f"{self.code}.{len(networks[self.code]) - 1}").partition(".")
        layers = networks.get(network, [])
        if not (index.isdecimal() and int(index) < len(layers)):
            there = ", ".join(f"{name}.0" + f" to {name}.{len(layers) - 1}" * (len(layers) > 1) for name, layers in networks.items())
            raise ValueError(f"{type(self).__name__}: {penalty!r}: no layer {penalty.at}; there are {there}")
        layers = layers[:int(index) + 1]
        penalty.check(layers)
        return network, layers

    def begin(self, rng, noise, training):
        """Begin a forward pass: hand rng, or the noise to replay, to the layers that draw. Returns rng as a Generator, or None."""
        self.noise, self.terms, self.weights = {}, {}, {}
        if rng is not None:
            rng = np.random.default_rng(rng)
        self._pass = rng, noise, training
        for name, layer in self._drawing.items():
            layer.training = training
            layer.rng = rng
            layer.replay = replayed(noise, name) if noise is not None and training else None
        return rng

    def corrupt(self, x):
        """Return x̃, what the model's corruption makes of x while training, kept in `noise["corruption"]`; else x."""
        rng, noise, training = self._pass
        if self.corruption is None or not training:
            return x
        if noise is None:
            drawn = self.corruption.draw(x, np.random.default_rng(rng))
        else:
            drawn = replayed(noise, "corruption", x.shape, x.dtype)
        self.noise["corruption"] = drawn
        return self.corruption.apply(x, drawn)

    def term(self, name, values, over, factor=1.0):
        """Add factor Σ values / over to the loss as a named part, and set weights[name] = ∂L/∂values = factor / over."""
        if over == 0:
            raise ValueError(f"{type(self).__name__}: a batch must have at least one row, got none")
        values = np.asarray(values)
        self.weights[name] = weight = np.empty(values.shape, self._w.dtype)
        weight.fill(factor / over)
        self.terms[name] = factor * float(np.add.reduce(values, axis=None)) / over

    def total(self):
        """End a forward pass: add the penalties, keep what the layers drew, and return the sum of all terms."""
        for name, layer in self._drawing.items():
            if layer.training:
                self.noise[name] = getattr(layer, layer.noise_name)
            layer.training, layer.replay = True, None
        for name, penalty, _, layers in self.penalised:
            self.terms[name] = penalty.forward(layers, self.drawn_for(name, penalty, layers))
            self.weights[name] = np.ones((), dtype=self._w.dtype)
        return sum(self.terms.values())

    def drawn_for(self, name, penalty, layers):
        """Return the random numbers of a penalty, kept in `noise` under its name; mostly None."""
        rng, noise, _ = self._pass
        drawn = penalty.draw(layers, rng)
        if drawn is not None:
            self.noise[name] = drawn if noise is None else replayed(noise, name, drawn.shape, drawn.dtype)
        return self.noise.get(name)

    def from_zero(self):
        """Begin a backward pass: set grad to zero, and go back through the penalties.

        Returns {name of a part: {index of a layer: ∂L/∂(its output)}}, which `Sequential.backward` takes as `added`.
        RuntimeError when backward is called before loss.
        """
        if not self.weights:
            raise RuntimeError(f"{type(self).__name__}.backward: call loss right before it: that keeps what the way back needs")
        self._grad.fill(0)
        added = {name: {} for name in self._parts}
        for name, penalty, network, _ in self.penalised:
            for index, delta in penalty.backward(self.weights[name]).items():
                added[network][index] = added[network].get(index, 0) + delta
        return added

    def evaluate(self, network, x):
        """Return network(x) free of noise, after a check of x. The last loss is forgotten, and with it its way back."""
        self.weights = {}
        check_data(f"{type(self).__name__}: x", x, network.n_in, self.dtype)
        for layer in self._drawing.values():
            layer.training = False
        y = network.forward(x)
        for layer in self._drawing.values():
            layer.training = True
        return y

    @classmethod
    def examples(cls, rng):
        """Yield (model, *batch), where the model is to be checked: with sizes that are different primes."""
        raise NotImplementedError(f"{cls.__name__}.examples")

    def __repr__(self):
        parts = ", ".join(repr(part) for part in self._parts.values())
        return f"{type(self).__name__}({parts}; {self._w.size} parameters)"


class Regression(Model):
    """A network and a criterion, supervised: loss(x, t) = 1/N Σ_n criterion(network(x_n), t_n).

    With SquaredError it is [000]'s regression, with SoftmaxCrossEntropy a classifier. `penalties` are further terms:
    WeightDecay(λ) makes it ridge regression, L + λ Σ W².
    """

    batch_names = ("x", "t")

    def __init__(self, network, criterion, penalties=()):
        check_part("Regression: network", network, Layer)
        check_part("Regression: criterion", criterion, Loss)
        refuse_double_activation("Regression", network, criterion)
        self.network, self.criterion = as_network(network), criterion
        self.add_parts(network=self.network, criterion=criterion)
        self.add_penalties(penalties)

    def loss(self, x, t, rng=None, noise=None, training=True):
        """Return 1/N Σ_n criterion(o_n, t_n), o = network(x), and the penalties; terms: {"error": ..., "weight decay": ...}."""
        self.begin(rng, noise, training)
        self.o = self.network.forward(x)
        values = self.criterion.forward(self.o, t)
        self.term("error", values, over=len(x))
        return self.total()

    def backward(self):
        """Take delta = ∂L/∂o at the output back through the network."""
        added = self.from_zero()
        delta = self.criterion.backward(self.weights["error"])
        self.network.backward(delta, added=added["network"], input_gradient=False)
        return self._grad

    def predict(self, x):
        """Return the expected target for each row of x, in its units: (N, M)."""
        return self.criterion.mean(self.evaluate(self.network, x))

    def check(self, x, t):
        """Raise ValueError or TypeError unless x (N, D) is finite and of the model's dtype, and t fits x and the criterion."""
        check_data("Regression: x", x, self.network.n_in, self.dtype)
        if not (isinstance(t, np.ndarray) and t.ndim == 1 and self.criterion.takes_labels):
            width = self.network.n_out and self.network.n_out // self.criterion.outputs_per_feature
            check_data("Regression: t", t, width, self.dtype)
        if len(t) != len(x):
            raise ValueError(f"Regression: t must have as many rows as x, {len(x)}, got {len(t)}")
        self.criterion.check_target(t, self.network.n_out)

    @classmethod
    def examples(cls, rng):
        """Yield a regression, one with penalties on weights and on a hidden layer, and a classifier."""
        x = rng.standard_normal((7, 5))
        for penalties in ((), (WeightDecay(0.1), L2Sparsity(0.1, 0.7, at="network.1"))):
            yield cls(mlp([5, 11, 3], rng=rng), SquaredError(), penalties), x, rng.standard_normal((7, 3))
        yield cls(mlp([5, 11, 3], rng=rng), SoftmaxCrossEntropy()), x, rng.integers(0, 3, 7)


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


def replayed(noise, name, shape=None, dtype=None):
    """Return the entry of a dict of noise to replay, after a check of its shape and dtype."""
    if name not in noise:
        raise ValueError(f"noise must hold {name!r}, got {sorted(noise) or 'nothing'}")
    if shape is not None and np.shape(noise[name]) != shape:
        raise ValueError(f"noise[{name!r}] must have shape {shape}, got {np.shape(noise[name])}")
    if dtype is not None and noise[name].dtype != dtype:
        raise TypeError(f"noise[{name!r}] must be {dtype}, got {noise[name].dtype}")
    return noise[name]
