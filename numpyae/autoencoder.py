"""Autoencoders: a network that computes y(x) = x, with something in the way that forbids it to copy ([000], [002], [003]).

    x ──▶ (corruption) ──▶ encoder ──▶ code z ──▶ decoder ──▶ o ≈ x

What is learnt is the code: the few numbers, or the few active ones, from which x can be rebuilt. The whole family is one loss,
[003]'s equation 3 read for the empirical mean, and each variant a change of one argument:

    L = 1/N Σ_n criterion(g(f(x̃_n)), x_n) + Σ_k penalty_k

    narrow code                 encoder and decoder        undercomplete: less than x can hold
    denoising                   corruption                 x̃ is a damaged x, the target the clean one
    sparse                      penalties (KLSparsity …)   few active units; or TopK as the last layer of the encoder
    contractive                 penalties (Contraction)    a code that hardly moves when x does
    tied                        TiedDense in the decoder   one matrix for both ways
"""

import copy

import numpy as np

from numpyae.corruption import Corruption
from numpyae.layers import Dense, Layer, TiedDense
from numpyae.losses import Loss
from numpyae.models import Model, as_network, check_data, check_fit_together, recorded, require_part
from numpyae.penalties import Penalty, WeightDecay


class Autoencoder(Model):
    """encoder f, decoder g, criterion: loss(x) = 1/N Σ_n criterion(g(f(x̃_n)), x_n) + Σ_k penalty_k ([003] eq. 1-3).

    SquaredError for data of any range, BernoulliNLL for data in [0, 1] ([002]: "binary crossentropy"). `corruption` makes x̃
    of x, anew in every training step; `penalties`, of which it keeps copies, are terms on hidden layers or weights. A decoder
    of TiedDense has as many as the encoder has Dense. ValueError or TypeError for parts that do not fit.
    """

    arguments = ("encoder", "decoder", "criterion", "corruption", "penalties")

    def __init__(self, encoder, decoder, criterion, corruption=None, penalties=()):
        require_part("Autoencoder: encoder", encoder, Layer)
        require_part("Autoencoder: decoder", decoder, Layer)
        require_part("Autoencoder: criterion", criterion, Loss)
        if corruption is not None:
            require_part("Autoencoder: corruption", corruption, Corruption)
        if not isinstance(penalties, (list, tuple)):
            raise TypeError(f"Autoencoder: penalties must be a list of penalties, got {penalties!r}")
        self.encoder, self.decoder, self.criterion = as_network(encoder), as_network(decoder), criterion
        check_tied(self.encoder, self.decoder)
        check_fit_together("Autoencoder", encoder, encoder.n_out, decoder, criterion)
        self.corruption, self.penalties = corruption, tuple(copy.copy(penalty) for penalty in penalties)
        self.own(encoder=self.encoder, decoder=self.decoder, criterion=criterion)
        self.acting = [(name, penalty, *self.find(penalty)) for name, penalty in zip(self.names(), self.penalties)]

    def loss(self, x, rng=None, noise=None, training=True):
        """1/N Σ_n criterion(o_n, x_n), o = g(f(x̃)), and the penalties; terms: {"reconstruction": ..., "sparsity": ...}."""
        rng = self.begin(rng, noise, training)
        seen = x if self.corruption is None or not training else self.corrupt(x, rng, noise)
        z = self.encoder.forward(seen)
        o = self.decoder.forward(z)
        values = self.criterion.forward(o, x)
        self.end(len(x), "reconstruction")
        self.terms = {"reconstruction": float(np.add.reduce(values)) / len(x)}
        for name, penalty, _, layers in self.acting:
            self.terms[name] = penalty.forward(layers, self.draws(name, penalty, layers, len(x), rng, noise))
            self._weights[name] = np.ones((), dtype=self._w.dtype)
        return sum(self.terms.values())

    def backward(self):
        """∂L/∂o at the output, back through the decoder to ∂L/∂z, back through the encoder; penalties join at their layers."""
        self.from_zero()
        added = {"encoder": {}, "decoder": {}}
        for name, penalty, network, _ in self.acting:
            for index, delta in penalty.backward(self._weights[name]).items():
                added[network][index] = added[network].get(index, 0) + delta
        delta = self.criterion.backward(self._weights["reconstruction"])
        dz = self.decoder.backward(delta, added["decoder"])
        self.encoder.backward(dz, added["encoder"], input_gradient=False)
        return self._grad

    def draws(self, name, penalty, layers, n, rng, noise):
        """The random numbers of a penalty, kept under its name; mostly None."""
        drawn = penalty.draw(n, layers, rng)
        if drawn is not None:
            self.noise[name] = drawn if noise is None else recorded(noise, name, drawn.shape, drawn.dtype)
        return self.noise.get(name)

    def names(self):
        """Of the penalties' terms: "sparsity", and "sparsity 2" where there is a second one."""
        for penalty in self.penalties:
            require_part("Autoencoder: penalties", penalty, Penalty)
        terms = [penalty.term for penalty in self.penalties]
        return [term if term not in terms[:k] else f"{term} {1 + terms[:k].count(term)}" for k, term in enumerate(terms)]

    def find(self, penalty):
        """("encoder" or "decoder", the layers up to the one the penalty is about)."""
        if isinstance(penalty, WeightDecay):
            return "encoder", list(self.leaves().values())
        network, _, index = (penalty.at or f"encoder.{len(self.encoder.layers) - 1}").partition(".")
        layers = self._parts[network].layers if network in ("encoder", "decoder") else []
        if not (index.isdecimal() and int(index) < len(layers)):
            raise ValueError(f"Autoencoder: {penalty!r} is about a layer that is not there; there are encoder.0 to "
                             f"encoder.{len(self.encoder.layers) - 1} and decoder.0 to decoder.{len(self.decoder.layers) - 1}")
        layers = layers[:int(index) + 1]
        penalty.check(layers)
        return network, layers

    def encode(self, x):
        """The code z = f(x), (N, K)."""
        return self.evaluate(self.encoder, x)

    def decode(self, z):
        """What a code stands for, in the units of the data: (N, D)."""
        return self.criterion.mean(self.evaluate(self.decoder, z))

    def reconstruct(self, x):
        """decode(encode(x)), (N, D)."""
        return self.decode(self.encode(x))

    def check(self, x):
        """x (N, D) finite, of the model's dtype, and what the criterion is defined for."""
        check_data("Autoencoder: x", x, self.encoder.n_in, self.dtype)
        self.criterion.check_target(x, self.decoder.n_out)


def check_tied(encoder, decoder):
    """ValueError when all of the decoder's weights are tied, but they are more or fewer than the encoder's."""
    up = [leaf for leaf in encoder.leaves().values() if isinstance(leaf, Dense)]
    down = [leaf for leaf in decoder.leaves().values() if isinstance(leaf, (Dense, TiedDense))]
    if len(down) != len(up) and all(isinstance(leaf, TiedDense) for leaf in down) and up and down:
        raise ValueError(f"Autoencoder: a tied decoder must use the encoder's {len(up)} Dense layers in reverse order, got "
                         f"{len(down)} TiedDense: {', '.join(map(repr, down))}")
