"""Models: one or two networks together with a loss. Everything that is trained is a Model.

One training step, written out:

    model.loss(x, t)                              forward: the mean loss over the batch, a float
    optimizer.step(model.w, model.backward())     backward: its gradient; the step: w_new = w_old - alpha grad ([000])

The mean over samples belongs to the Model. A Loss gives one value per sample, L = 1/N Σ_n value_n, so each sample has
the weight 1/N in the backward pass. Noise (dropout masks, ε of a VAE) is drawn from `rng`, kept in `model.noise`, and
replayed exactly when it is passed back as `noise=`. The loss is then a deterministic function of w, as finite
differences require.
"""

import copy
import gc

import numpy as np

from numpyae.activations import Identity, Sigmoid, Softmax, mlp
from numpyae.checks import check_data, check_part, must
from numpyae.layers import Dropout, Layer, Sequential
from numpyae.losses import Loss, SoftmaxCrossEntropy, SquaredError
from numpyae.parameters import Parametric, leaves_of
from numpyae.penalties import L2Sparsity, Penalty, WeightDecay


class Model(Parametric):
    """The contract: loss(*batch) -> float, then backward() -> grad, from zero.

    After `loss` there are three dicts: `terms`, the named parts of the loss, floats that add up to it; `weights`, for
    each term ∂L/∂(its values); and `noise`, the random numbers drawn. A Model of one's own is written with these calls:

        __init__    self.add_parts(network=network, criterion=criterion)
                    self.add_penalties(penalties)                     if it takes penalties
        loss        rng = self.begin(rng, noise, training)
                    self.term("error", values, over=len(x))           for each part of the loss
                    return self.total()
        backward    added = self.from_zero()
                    delta = self.criterion.backward(self.weights["error"])
                    self.network.backward(delta, added=added["network"], input_gradient=False)
                    return self.grad
    """

    batch_names = ("x",)              # the names of the arrays in a batch
    exact = True                      # whether backward gives the gradient of this loss, and not an estimate
    code = None                       # the network whose last layer is penalised by a penalty without `at`
    terms = noise = corruption = None
    weights = {}                      # empty unless `loss` was the last call
    _equal = {}                       # {name of a term: (shape, value and dtype, the array of `weights`)}
    _nothing = {}                     # {name of a part: None}, which no penalty adds to
    _drawing = {}                     # {name of the noise: layer} for the layers that draw random numbers
    penalised = ()                    # for each penalty: (term, penalty, name of the network, layers that it sees)

    def loss(self, *batch, rng=None, noise=None, training=True):
        """Return the loss of a batch, a mean over its samples; training=False switches dropout and corruption off."""
        raise NotImplementedError(f"{type(self).__name__}.loss")

    def backward(self):
        """Return the gradient of the last loss with respect to w, (P,): the live vector `grad`, computed from zero."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def check(self, *batch):
        """Raise ValueError or TypeError unless the model can be trained on this batch. `fit` calls it at its start.

        The first array holds floats; another one may hold labels, integers.
        """
        for name, array in zip(self.batch_names, batch):
            if name == self.batch_names[0] or getattr(array, "dtype", self.dtype).kind not in "iu":
                check_data(f"{type(self).__name__}: {name}", array, None, self.dtype)
            must(len(array) == len(batch[0]),
                 f"{type(self).__name__}: {name} must have as many rows as {self.batch_names[0]}, "
                 f"{len(batch[0])}, got {len(array)}")

    def start_at(self, *data):
        """Begin with the best constant output for these data: the log-odds of the mean picture, the mean, the shares.

        Set the bias of the last layer to it, and a learnt σ to the spread that is left. Then training need not find
        the mean first. Raise ValueError for a network that does not end in a layer with a bias.
        """
        raise NotImplementedError(f"{type(self).__name__}.start_at")

    def check_settings(self):
        """Raise ValueError if a callback set a setting, such as `beta`, to an impossible value. `fit` calls it."""

    def add_parts(self, **parts):
        """Take networks, losses and posteriors as parts; raise ValueError if a part's partner is not in this model."""
        leaves = leaves_of(parts)
        inside = set(map(id, leaves.values()))
        for name, leaf in leaves.items():
            for partner in leaf.partners().values():
                if id(partner) not in inside:
                    raise ValueError(f"{type(self).__name__}: {name}, {leaf!r}, shares the weights of a "
                                     f"{type(partner).__name__} that is not in this model")
        check_owned(type(self).__name__, parts, inside)
        super().add_parts(**parts)
        self._nothing = dict.fromkeys(parts)
        self._drawing = {f"{name}.{leaf.noise_name}": leaf
                         for name, leaf in leaves.items() if getattr(leaf, "noise_name", None)}

    def add_penalties(self, penalties):
        """Add copies of these penalties, each a term of the loss. Call this after add_parts."""
        if not isinstance(penalties, (list, tuple)):
            raise TypeError(f"{type(self).__name__}: penalties must be a list of penalties, got {penalties!r}")
        for penalty in penalties:
            check_part(f"{type(self).__name__}: penalties", penalty, Penalty)
        terms = [penalty.term for penalty in penalties]
        names = [f"{term} {1 + terms[:k].count(term)}" if term in terms[:k] else term for k, term in enumerate(terms)]
        self.penalised = [(name, copy.copy(penalty), *self.place_of(penalty))
                          for name, penalty in zip(names, penalties)]

    @property
    def penalties(self):
        """The penalties, terms of the loss; setting them is add_penalties."""
        return tuple(penalty for _, penalty, *_ in self.penalised)

    @penalties.setter
    def penalties(self, penalties):
        self.add_penalties(penalties)

    def place_of(self, penalty):
        """Return (name of a network, its layers up to the penalised one), or (None, all leaves) for one on weights."""
        if penalty.on_weights:
            return None, list(self.leaves().values())
        networks = {name: part.layers for name, part in self._parts.items() if isinstance(part, Sequential)}
        if penalty.at is None and self.code is None:
            places = [f"{name}.{k}" for name, layers in networks.items() for k in range(len(layers))]
            best = [place for place, layer in zip(places, sum(networks.values(), [])) if hasattr(layer, "derivative")]
            raise ValueError(f"{type(self).__name__}: {penalty!r} must say which layer it is about, such as "
                             f'at="{[*best, *places, "network.0"][0]}"')
        network, _, index = (penalty.at or f"{self.code}.{len(networks[self.code]) - 1}").partition(".")
        layers = networks.get(network, [])
        if not (index.isdecimal() and int(index) < len(layers)):
            there = ", ".join(f"{name}.0" + f" to {name}.{len(layers) - 1}" * (len(layers) > 1)
                              for name, layers in networks.items())
            raise ValueError(f"{type(self).__name__}: {penalty!r}: no layer {penalty.at}; there are {there}")
        layers = layers[:int(index) + 1]
        penalty.check(layers)
        return network, layers

    def begin(self, rng, noise, training):
        """Begin a forward pass: give rng, or the noise to replay, to the layers that draw.

        Return rng as a Generator, or None where it is None.
        """
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
        """Return x̃, the corrupted x, while training, else x. The random numbers are kept in `noise["corruption"]`."""
        rng, noise, training = self._pass
        if self.corruption is None or not training:
            return x
        drawn = (self.corruption.draw(x, np.random.default_rng(rng)) if noise is None else
                 replayed(noise, "corruption", x.shape, x.dtype))
        self.noise["corruption"] = drawn
        x = x.view()
        x.flags.writeable = False                        # a corruption that changes the data in place stops there
        return self.corruption.apply(x, drawn)

    def term(self, name, values, over, factor=1.0):
        """Add factor Σ values / over to the loss as a named part; set weights[name] = ∂L/∂values = factor / over."""
        if over == 0:
            raise ValueError(f"{type(self).__name__}: a batch must have at least one row, got none")
        if self.terms is None or name in self.terms:
            raise ValueError(f"{type(self).__name__}: the term {name!r} is there already, or loss does not start with "
                             "self.begin(rng, noise, training): a term is named once in a pass")
        values = np.asarray(values)
        wanted = values.shape, factor / over, self._w.dtype
        made, equal = self._equal.get(name, (None, None))
        if made != wanted:                                                   # one array for all batches of a size
            equal = np.full(*wanted)
            self._equal = {**self._equal, name: (wanted, equal)}
        self.weights[name] = equal
        self.terms[name] = factor * float(np.add.reduce(values, axis=None)) / over

    def total(self):
        """End a forward pass: keep what the layers drew, add the penalties, and return the sum of all terms."""
        for name, layer in self._drawing.items():
            if layer.training:
                self.noise[name] = getattr(layer, layer.noise_name)
            layer.training, layer.replay = True, None
        for name, penalty, _, layers in self.penalised:
            self.terms[name] = penalty.forward(layers, self.drawn_for(name, penalty, layers))
            self.weights[name] = np.ones((), dtype=self._w.dtype)
        return sum(self.terms.values())

    def drawn_for(self, name, penalty, layers):
        """Return the random numbers of a penalty, kept in `noise` under its name, or None where it draws none."""
        rng, noise, _ = self._pass
        drawn = penalty.draw(layers, rng)
        if drawn is not None:
            self.noise[name] = drawn if noise is None else replayed(noise, name, drawn.shape, drawn.dtype)
        return self.noise.get(name)

    def from_zero(self):
        """Begin a backward pass: set grad to zero, and add the gradients of the penalties.

        Return {name of a part: {index of a layer: ∂penalty/∂(its output)}}, None for a part without: what
        `Sequential.backward` takes as `added`. Raise RuntimeError if `loss` was not the last call.
        """
        if not self.weights:
            raise RuntimeError(f"{type(self).__name__}.backward: call loss right before it: loss keeps the values "
                               "that backward needs")
        self._grad.fill(0)
        if not self.penalised:
            return self._nothing
        added = dict(self._nothing)
        for name, penalty, network, _ in self.penalised:
            for index, delta in penalty.backward(self.weights[name]).items():
                added[network] = added[network] or {}
                added[network][index] = added[network].get(index, 0) + delta
        return added

    def evaluate(self, network, x):
        """Return network(x) without noise, after a check of x. The next backward needs a new loss before it."""
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
        return f"{type(self).__name__}({', '.join(map(repr, self._parts.values()))}; {self._w.size} parameters)"


class Regression(Model):
    """A network and a criterion, for supervised learning: loss(x, t) = 1/N Σ_n criterion(network(x_n), t_n).

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
        """Return 1/N Σ_n criterion(o_n, t_n), o = network(x), plus the penalties; terms: "error" and theirs."""
        self.begin(rng, noise, training)
        self.o = self.network.forward(x)
        values = self.criterion.forward(self.o, t)
        self.term("error", values, over=len(x))
        return self.total()

    def backward(self):
        """Return grad: delta = ∂L/∂o from the criterion, then back through the network."""
        added = self.from_zero()
        delta = self.criterion.backward(self.weights["error"])
        self.network.backward(delta, added=added["network"], input_gradient=False)
        return self._grad

    def start_at(self, x, t):
        self.check(x, t)
        start_at(self.network, self.criterion, t)

    def predict(self, x):
        """Return the expected target for each row of x (N, D), in the units of t: (N, M)."""
        return self.criterion.mean(self.evaluate(self.network, x))

    def check(self, x, t):
        """Raise ValueError or TypeError unless x (N, D) is finite, and t fits x and the criterion."""
        check_data("Regression: x", x, self.network.n_in, self.dtype)
        if not (isinstance(t, np.ndarray) and t.ndim == 1 and self.criterion.takes_labels):
            width = self.network.n_out and self.network.n_out // self.criterion.outputs_per_feature
            check_data("Regression: t", t, width, self.dtype)
        must(len(t) == len(x), f"Regression: t must have as many rows as x, {len(x)}, got {len(t)}")
        self.criterion.check_target(t, self.network.n_out)

    @classmethod
    def examples(cls, rng):
        """Yield a regression, one with penalties on weights and on a hidden layer, and a classifier."""
        x = rng.standard_normal((7, 5))
        for penalties in ((), (WeightDecay(0.1), L2Sparsity(0.1, 0.7, at="network.1"))):
            yield cls(mlp([5, 11, 3], rng=rng), SquaredError(), penalties), x, rng.standard_normal((7, 3))
        yield cls(mlp([5, 11, 3], rng=rng), SoftmaxCrossEntropy()), x, rng.integers(0, 3, 7)


def check_owned(owner, parts, inside):
    """Raise TypeError if a part keeps a layer in an attribute that is nobody's part: it would never be trained."""
    for name, part in parts.items():
        values = gc.get_referents(part)                  # CPython reads attributes slower after vars(part)
        suspicious = any(outside(value, inside) or isinstance(value, dict) and "_w" in value for value in values)
        for attribute, value in vars(part).items() if suspicious else ():
            lost = outside(value, inside)
            if lost and not attribute.startswith("_") and attribute not in part.shares:
                raise TypeError(f"{owner}: {name}, {part!r}, keeps {lost[0]!r} in {attribute} and does not own it, so "
                                f"that it would never be trained: write self.add_parts({attribute}=...) in its "
                                f'__init__, or, if it is another\'s, shares = ("{attribute}",) in its body')
        check_owned(owner, part._parts, inside)


def outside(value, inside):
    """Return the parts that an attribute holds, itself or in a list, and whose leaves are not all inside."""
    kept = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in kept if isinstance(one, Parametric)
            and not {id(leaf.owner) for leaf in one.leaves().values()} <= inside]


def start_at(network, loss, t):
    """Set the bias of the last layer of a network to the best constant output for the targets t."""
    last = list(network.leaves().values())[-1]
    must("b" in last._shapes, f"start_at: the network must end in a layer with a bias b, got {last!r}")
    last.b = loss.constant(t, network.n_out)


def as_network(layer):
    """Return a Sequential for a Sequential or a single layer."""
    return layer if isinstance(layer, Sequential) else Sequential(layer)


def refuse_double_activation(model, network, loss):
    """Raise ValueError if the network ends in a Sigmoid or Softmax that the loss applies itself, to logits.

    No gradient check can see this mistake: the gradient is the right gradient of the wrong function.
    """
    last = [leaf for leaf in network.leaves().values() if not isinstance(leaf, (Identity, Dropout))][-1:]
    last = last[0] if last else network
    if loss.takes_logits and isinstance(last, (Sigmoid, Softmax)):
        raise ValueError(f"{model}: the network ends in {last!r}, but {type(loss).__name__} takes logits and applies "
                         f"it itself: remove the last layer, {last!r}")


def check_fit_together(model, encoder, code, decoder, loss):
    """Raise ValueError unless the widths of code, decoder, data and loss fit together."""
    refuse_double_activation(model, decoder, loss)
    must(None in (code, decoder.n_in) or code == decoder.n_in,
         f"{model}: the code has {code} numbers, but the decoder takes {decoder.n_in}")
    if None not in (encoder.n_in, decoder.n_out) and decoder.n_out != loss.outputs_per_feature * encoder.n_in:
        raise ValueError(f"{model}: for data of {encoder.n_in} features under {type(loss).__name__} the decoder must "
                         f"give {loss.outputs_per_feature * encoder.n_in} outputs, got {decoder.n_out}")


def replayed(noise, name, shape=None, dtype=None):
    """Return the entry of a dict of noise to replay, after a check of its shape and dtype."""
    if name not in noise:
        raise ValueError(f"noise must hold {name!r}, got {sorted(noise) or 'nothing'}")
    if shape is not None and np.shape(noise[name]) != shape:
        raise ValueError(f"noise[{name!r}] must have shape {shape}, got {np.shape(noise[name])}")
    if dtype is not None and noise[name].dtype != dtype:
        raise TypeError(f"noise[{name!r}] must be {dtype}, got {noise[name].dtype}")
    return noise[name]
