"""Autoencoders: a network that computes y(x) = x, with something in the middle that forbids it to copy ([000], [002], [003]).

    x ──▶ encoder ──▶ code z ──▶ decoder ──▶ o ≈ x

What is learnt is the code: the few numbers from which x can be rebuilt. The loss is [003]'s equation 1, L(x, g(f(x))).
"""

import numpy as np

from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.models import Model, as_network, check_data, check_fit_together, require_part


class Autoencoder(Model):
    """encoder f, decoder g, criterion: loss(x) = 1/N Σ_n criterion(g(f(x_n)), x_n) ([003] eq. 1, [002] with SquaredError).

    SquaredError for data of any range, BernoulliNLL for data in [0, 1] ([002]: "binary crossentropy").
    """

    arguments = ("encoder", "decoder", "criterion")

    def __init__(self, encoder, decoder, criterion):
        require_part("Autoencoder: encoder", encoder, Layer)
        require_part("Autoencoder: decoder", decoder, Layer)
        require_part("Autoencoder: criterion", criterion, Loss)
        check_fit_together("Autoencoder", encoder, encoder.n_out, decoder, criterion)
        self.encoder, self.decoder, self.criterion = as_network(encoder), as_network(decoder), criterion
        self.own(encoder=self.encoder, decoder=self.decoder, criterion=criterion)

    def loss(self, x, rng=None, noise=None, training=True):
        """1/N Σ_n criterion(o_n, x_n), o = g(f(x)); terms: {"reconstruction": ...}."""
        self.begin(rng, noise, training)
        z = self.encoder.forward(x)
        o = self.decoder.forward(z)
        values = self.criterion.forward(o, x)
        self.end(len(x), "reconstruction")
        reconstruction = float(np.add.reduce(values)) / len(x)
        self.terms = {"reconstruction": reconstruction}
        return reconstruction

    def backward(self):
        """∂L/∂o at the output, back through the decoder to ∂L/∂z, back through the encoder."""
        self.from_zero()
        delta = self.criterion.backward(self._weights["reconstruction"])
        dz = self.decoder.backward(delta)
        self.encoder.backward(dz, input_gradient=False)
        return self._grad

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
