"""Autoencoders: a network that computes y(x) = x, with a constraint that forbids copying ([000], [002], [003]).

    x ──▶ (corruption) ──▶ encoder ──▶ code z ──▶ decoder ──▶ o ≈ x

The network learns the code: the few numbers, or the few active ones, from which x can be rebuilt. The whole family has
one loss, [003]'s equation 3 with the mean over the data, and each variant changes one argument:

    L = 1/N Σ_n criterion(g(f(x̃_n)), x_n) + Σ_k penalty_k

    narrow code                 encoder and decoder        undercomplete: fewer numbers than x has
    denoising                   corruption                 x̃ is a damaged x, the target the clean one
    sparse                      penalties (KLSparsity …)   few active units; or TopK as the last layer of the encoder
    contractive                 penalties (Contraction)    a code that hardly changes when x does
    tied                        TiedDense in the decoder   one matrix for both directions
"""

from numpyae.checks import check_data, check_part, must
from numpyae.activations import Sigmoid, Softplus, mlp
from numpyae.corruption import Corruption
from numpyae.layers import Dense, Dropout, Layer, Sequential, TiedDense, TopK
from numpyae.losses import BernoulliNLL, Loss, SquaredError
from numpyae.models import Model, as_network, check_fit_together, start_at
from numpyae.penalties import Contraction, KLSparsity, L2Sparsity


class Autoencoder(Model):
    """encoder f, decoder g, criterion: loss(x) = 1/N Σ_n criterion(g(f(x̃_n)), x_n) + Σ_k penalty_k ([003] eq. 1-3).

    The criterion is SquaredError for data of any range, or BernoulliNLL for data in [0, 1] ([002]: "binary
    crossentropy"). `corruption` makes x̃ of x, anew in every training step. `penalties` are terms on hidden layers or
    weights; the model keeps copies of them. A decoder of TiedDense has as many of them as the encoder has Dense. Raise
    ValueError or TypeError for parts that do not fit.
    """

    code = "encoder"

    def __init__(self, encoder, decoder, criterion, corruption=None, penalties=()):
        check_part("Autoencoder: encoder", encoder, Layer)
        check_part("Autoencoder: decoder", decoder, Layer)
        check_part("Autoencoder: criterion", criterion, Loss)
        if corruption is not None:
            check_part("Autoencoder: corruption", corruption, Corruption)
        self.encoder, self.decoder = as_network(encoder), as_network(decoder)
        self.criterion, self.corruption = criterion, corruption
        check_tied(self.encoder, self.decoder)
        check_fit_together("Autoencoder", encoder, encoder.n_out, decoder, criterion)
        self.add_parts(encoder=self.encoder, decoder=self.decoder, criterion=criterion)
        self.add_penalties(penalties)

    def loss(self, x, rng=None, noise=None, training=True):
        """Return 1/N Σ_n criterion(o_n, x_n), o = g(f(x̃)), plus the penalties; terms: "reconstruction" and theirs."""
        self.begin(rng, noise, training)
        seen = self.corrupt(x)
        z = self.encoder.forward(seen)
        o = self.decoder.forward(z)
        values = self.criterion.forward(o, x)
        self.term("reconstruction", values, over=len(x))
        return self.total()

    def backward(self):
        """Go back from ∂L/∂o through the decoder to ∂L/∂z, and through the encoder; penalties join at their layers."""
        added = self.from_zero()
        delta = self.criterion.backward(self.weights["reconstruction"])
        dz = self.decoder.backward(delta, added=added["decoder"])
        self.encoder.backward(dz, added=added["encoder"], input_gradient=False)
        return self._grad

    def start_at(self, x):
        self.check(x)
        start_at(self.decoder, self.criterion, x)

    def encode(self, x):
        """Return the code z = f(x), (N, K)."""
        return self.evaluate(self.encoder, x)

    def decode(self, z):
        """Return the x that a code stands for, in the units of the data: (N, D)."""
        return self.criterion.mean(self.evaluate(self.decoder, z))

    def reconstruct(self, x):
        """Return decode(encode(x)), (N, D)."""
        return self.decode(self.encode(x))

    def check(self, x):
        """Raise ValueError or TypeError unless x (N, D) is finite, of the model's dtype, and fits the criterion."""
        check_data("Autoencoder: x", x, self.encoder.n_in, self.dtype)
        self.criterion.check_target(x, self.decoder.n_out)

    @classmethod
    def examples(cls, rng):
        """Yield a plain autoencoder, one with three penalties, and a tied one with dropout and a sparse code."""
        x, dense = rng.random((7, 5)), Dense(5, 11, rng=rng)
        yield cls(mlp([5, 11, 2], rng=rng), mlp([2, 11, 5], rng=rng), SquaredError()), x
        penalties = [L2Sparsity(0.1, 0.7), KLSparsity(0.2, 0.3), Contraction(0.3)]
        yield cls(mlp([5, 2], output=Sigmoid, rng=rng), mlp([2, 5], rng=rng), SquaredError(), penalties=penalties), x
        yield cls(Sequential(dense, Softplus(), Dropout(0.3), TopK(4)), TiedDense(dense), BernoulliNLL()), x


def check_tied(encoder, decoder):
    """Raise ValueError if every layer of the decoder is tied, but their number is not that of the encoder's Dense."""
    up = [leaf for leaf in encoder.leaves().values() if isinstance(leaf, Dense)]
    down = [leaf for leaf in decoder.leaves().values() if isinstance(leaf, (Dense, TiedDense))]
    must(len(down) == len(up) or not (up and down and all(isinstance(leaf, TiedDense) for leaf in down)),
         f"Autoencoder: a tied decoder must use the encoder's {len(up)} Dense layers in reverse order, "
         f"got {len(down)} TiedDense: {', '.join(map(repr, down))}")
