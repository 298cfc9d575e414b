"""List what there is to check: every class at the examples that it gives of itself, and in models around them.

No list is kept by hand. A class is found as a subclass of Layer, Loss, Penalty …, and its `examples` say where
it is to be checked. `python -m numpyae gradcheck` goes through `cases`. For classes of your own it is

    for name, target, batch in cases(np.random.default_rng(0), MyLayer, MyLoss):
        assert gradcheck.check(target, *batch).ok, name

Alone, a part gets random deltas. Inside a model it gets those that the model makes, and some of its lines are reached
only there: a posterior goes back through log q where the KL is sampled, `Sequential.backward` adds a penalty's delta.
"""

import copy
import inspect

import numpy as np

from numpyae import (VAE, Autoencoder, BernoulliNLL, Contraction, Dense, DiagonalGaussian, GaussianPrior, L2Sparsity,
                     Layer, MixturePrior, Model, Regression, Sequential, SquaredError, Tanh, TiedDense, mlp)
from numpyae.corruption import Corruption
from numpyae.described import Described, with_subclasses
from numpyae.gradcheck.parts import kind_of
from numpyae.losses import Loss
from numpyae.parameters import Parametric
from numpyae.penalties import Penalty
from numpyae.priors import Prior

ROOMS = ("numpyae.gradcheck", "numpyae.course")          # their classes are wrong on purpose, or help to check others

# the batch of an example, for each kind of class; that of a layer for the rest
BATCHES = {Loss: "rng.standard_normal((7, 5)), rng.random((7, 5))", DiagonalGaussian: "rng.standard_normal((7, 4))",
           Prior: "rng.standard_normal((7, 2))", Penalty: "mlp([5, 2], rng=rng), rng.standard_normal((7, 5))"}


def classes(*modules):
    """Return all classes of these modules that can be checked; without names those of the library.

    Classes in ROOMS are left out then. A class that is `abstract` has nothing to be checked before its subclasses.
    """
    found = [cls for cls in dict.fromkeys(cls for root in AROUND for cls in with_subclasses(root))
             if (cls not in AROUND or cls is DiagonalGaussian) and not vars(cls).get("abstract", False)]
    return [cls for cls in found
            if (cls.__module__ in modules if modules else
                cls.__module__.startswith("numpyae.") and not cls.__module__.startswith(ROOMS))]


def examples_of(cls, rng):
    """Return [(instance, *batch), ...], the examples that a class gives of itself, with noise on all parameters.

    TypeError, with the line to write, where it gives none, or inherits some that do not suit it.
    """
    found, reason = [], ""
    try:
        found = list(cls.examples(rng))
    except Exception as error:
        if "examples" in vars(cls):
            raise
        reason = f" ({type(error).__name__}: {error})"
    if not found:
        given = [name for name, argument in inspect.signature(cls).parameters.items()
                 if argument.default is argument.empty and argument.kind is argument.POSITIONAL_OR_KEYWORD]
        batch = next((BATCHES[kind] for kind in BATCHES if issubclass(cls, kind)), "rng.standard_normal((7, 5))")
        raise TypeError(f"{cls.__name__} gives no example of itself to be checked at{reason}: write in its body\n"
                        "    @classmethod\n    def examples(cls, rng):\n"
                        f"        yield cls({', '.join(given)}), {batch}")
    for part in (part for example in found for part in example if isinstance(part, Parametric)):
        part.w += 0.1 * rng.standard_normal(part.w.size)
    return found


def missing(cls):
    """Return what a class does not say about itself: sentences, each with the line to write; [] when it says all."""
    try:
        part, *_ = examples_of(cls, np.random.default_rng(0))[0]
    except TypeError as error:
        return [str(error)]
    name, rows = cls.__name__, missing_rows(cls, part)
    line = ", ".join(f'"{row}": "…"' for row in rows)
    return [*[f"{name} has no formula of {', '.join(rows)} for the tableau: write in its body\n"
              f"    formula = {{{line}}}"] * bool(rows),
            *(f"{name} keeps the argument {argument} of its constructor in no attribute, so that no checkpoint can "
              f"build it again: write in __init__\n    self.{argument} = {argument}"
              for argument in part.arguments if not hasattr(part, argument)),
            *(f"{name} does not say that its {attribute} is a layer whose parameters it uses, too: write in its body\n"
              f'    shares = ("{attribute}",)' for attribute, value in vars(part).items()
              if isinstance(value, Parametric) and not attribute.startswith("_") and attribute not in part.shares
              and id(value) not in map(id, getattr(part, "_parts", {}).values()))]


def missing_rows(cls, part):
    """Return the keys that the formula of a layer or loss lacks, for what its own forward and backward compute."""
    if not isinstance(part, (Layer, Loss)) or part._parts:
        return []
    written, told = vars(cls), {key.partition("|")[0] for key in vars(cls).get("formula", {})}
    forward, *back = ("values", "do") if isinstance(part, Loss) else (
        "y", "dx", *(f"d{name}" for name in part._shapes if name in written))
    wanted = [forward] * ("forward" in written) + back * ("backward" in written)
    return [row for row in wanted if row not in told]


def cases(rng, *chosen):
    """Return [(name, target, batch), ...]: the examples of these classes, or of the library, and models around them."""
    found = []
    for cls in chosen or classes():
        for part, *batch in examples_of(cls, rng):
            if kind_of(part) and getattr(part, "exact", True):
                found.append((name_of(part), part, batch))
            around = next(AROUND[kind] for kind in AROUND if isinstance(part, kind))
            found += [(f"{type(model).__name__}, {part!r}", model, seen)
                      for model, seen in around(copy.deepcopy(part), *batch, rng=rng)]
    return found


def name_of(target):
    """Return the repr of a part; for a model of parts its class and its settings, without networks and usual values."""
    if not (isinstance(target, Model) and target._parts):
        return repr(target)
    usual = {name: argument.default for name, argument in inspect.signature(type(target)).parameters.items()}
    settings = {name: getattr(target, name, usual[name]) for name in target.arguments}
    return ", ".join([type(target).__name__, *(repr(value) if isinstance(value, Described) else f"{name}={value!r}"
                                               for name, value in settings.items()
                                               if not isinstance(value, Layer) and value != usual[name])])


# Models around a copy of a part: (model, its batch), to be checked in the place of the part

class Branched(Model):
    """Two networks whose outputs add up: one delta goes back through both, and penalties join it in the first."""

    batch_names = ("x", "t")

    def __init__(self, first, second, penalties):
        self.first, self.second, self.criterion = first, second, SquaredError()
        self.add_parts(first=first, second=second, criterion=self.criterion)
        self.add_penalties(penalties)

    def loss(self, x, t, rng=None, noise=None, training=True):
        self.begin(rng, noise, training)
        values = self.criterion.forward(self.first.forward(x) + self.second.forward(x), t)
        self.term("error", values, over=len(x))
        return self.total()

    def backward(self):
        added = self.from_zero()
        delta = self.criterion.backward(self.weights["error"])
        self.first.backward(delta, added["first"], input_gradient=False)
        self.second.backward(delta, added["second"], input_gradient=False)
        return self.grad


class Silent(Regression):
    """A regression without noise: nothing is dropped."""

    def loss(self, x, t, rng=None, noise=None, training=True):
        return super().loss(x, t, rng, noise, training=False)


class Surrogate:
    """The loss whose exact gradient is what a ScoreFunctionVAE goes back with; z and f = -log p(x|z) are held as drawn.

        1/(K N) Σ [-log p(x|z) + f log q(z|x)] + beta KL + penalties, in which ε is held instead of z
    """

    def loss(self, x, rng=None, noise=None, training=True):
        if noise is None:
            super().loss(x, rng)
            noise = {"epsilon": self.posterior.epsilon.copy(), "z": self.posterior.z.copy(), "f": self.nll.copy()}
        super().loss(x, noise=noise)
        terms = self.terms
        super().loss(x, noise={"epsilon": self.epsilon_of(self.encoder.forward(x), noise["z"])})
        told = float((noise["f"] * self.posterior.log_density().reshape(-1)).sum()) / noise["f"].size
        self.terms = terms | {"reconstruction": self.terms["reconstruction"] + told}
        self.noise, self.nll = noise, noise["f"]
        return sum(self.terms.values())

    def epsilon_of(self, h, z):
        """Return the ε with z = μ + L ε; the posterior gives μ for ε = 0, and the columns of L for unit vectors."""
        zero, units = np.zeros((len(h), self.posterior.d)), np.eye(self.posterior.d)
        mu = self.posterior.sample(h, zero).copy()
        L = np.stack([self.posterior.sample(h, zero + unit) - mu for unit in units], axis=-1)
        return np.linalg.solve(L, (z - mu)[..., None])[..., 0]


def around_layer(layer, x, rng):
    """Yield a regression with the layer in the middle; without its noise; branched; with a penalty on its slope."""
    if x.ndim != 2:
        return
    n_in, n_out = x.shape[1], layer.forward(x).shape[1]
    before = [Dense(3, n_in, rng=rng)]
    for partner in layer.partners().values():            # it must be in the model, too
        last = before[-1].n_out
        before += [Dense(last, partner.n_in or last, rng=rng), partner, Dense(partner.n_out or last, n_in, rng=rng)]
    network = Sequential(*before, layer, Dense(n_out, 2, rng=rng))
    batch = rng.standard_normal((7, 3)), rng.standard_normal((7, 2))
    yield Regression(network, SquaredError()), batch
    if layer.noise_name:
        yield Silent(copy.deepcopy(network), SquaredError()), batch
    if isinstance(layer, Sequential):
        yield Branched(mlp([3, 5, 2], output=Tanh, rng=rng), mlp([3, 2], rng=rng),
                       [L2Sparsity(0.1, 0.7, at="first.1"), L2Sparsity(0.1, 0.7, at="first.3")]), batch
    if hasattr(layer, "second_derivative"):
        yield Contraction(0.3), (Sequential(Dense(n_in, 3, rng=rng), copy.deepcopy(layer), Dense(3, 2, rng=rng)), x)


def around_loss(loss, o, t, rng):
    """Yield a regression, and a VAE where the loss is a likelihood of such data as can be encoded."""
    yield Regression(mlp([3, o.shape[1]], rng=rng), loss), (rng.standard_normal((7, 3)), t)
    if loss.is_likelihood and t.ndim == 2:
        decoder = mlp([2, o.shape[1]], rng=rng)
        yield VAE(mlp([t.shape[1], 4], rng=rng), decoder, copy.deepcopy(loss), DiagonalGaussian(2)), (t,)


def around_posterior(posterior, h, rng):
    """Yield a VAE with the KL in closed form, and one that samples it, three times for each x."""
    d = posterior.d
    for prior, options in ((GaussianPrior(d, 0.5, 1.7), {}),
                           (MixturePrior(d, 3, rng), {"kl": "sampled", "samples": 3, "beta": 0.5})):
        yield (VAE(mlp([5, h.shape[1]], rng=rng), mlp([d, 5], rng=rng), BernoulliNLL(), copy.deepcopy(posterior),
                   prior, **options), (rng.random((7, 5)),))


def around_prior(prior, z, rng):
    """Yield a VAE that draws as many z as there are here."""
    d, samples = z.shape[-1], len(z) if z.ndim == 3 else 1
    yield (VAE(mlp([5, 2 * d], rng=rng), mlp([d, 5], rng=rng), BernoulliNLL(), DiagonalGaussian(d), prior,
               samples=samples, kl="sampled"), (rng.random((7, 5)),))


def around_penalty(penalty, network, x, rng):
    """Yield autoencoders with a decoder of its own, and with one that is tied."""
    decoder = mlp([network.n_out, x.shape[1]], rng=rng)
    yield Autoencoder(network, decoder, SquaredError(), penalties=[penalty]), (x,)
    network = copy.deepcopy(network)
    denses = [layer for layer in network.layers if isinstance(layer, Dense)]
    decoder = [part for dense in denses[::-1] for part in (TiedDense(dense), Tanh())][:-1]
    yield Autoencoder(network, Sequential(*decoder), SquaredError(), penalties=[penalty]), (x,)


def around_corruption(corruption, x, rng):
    """Yield an autoencoder of corrupted data."""
    yield Autoencoder(mlp([5, 2], rng=rng), mlp([2, 5], rng=rng), SquaredError(), corruption), (x,)


def around_model(model, *batch, rng):
    """Yield the model with the loss that its backward is exact for, where that is another."""
    if not model.exact:
        model.__class__ = type(type(model).__name__, (Surrogate, type(model)), {})
        yield model, batch


AROUND = {Layer: around_layer, Loss: around_loss, Prior: around_prior, Penalty: around_penalty,
          Corruption: around_corruption, Model: around_model, DiagonalGaussian: around_posterior}
