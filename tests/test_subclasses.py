"""Every class says everything about itself; and who writes a class of their own writes it in one place.

The first half walks all classes of the library. The second half is a stranger's file: a layer, a penalty, a loss and a posterior that
nobody knows, which are checked, mutated, traced, drawn, saved and trained as the library's own.
"""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from numpyae import (Adam, Autoencoder, Dense, DiagonalGaussian, GaussianNLL, Layer, Regression, Sequential, SquaredError, Tanh, VAE,
                     fit, gradcheck, mlp, parameter, plots, trace)
from numpyae.gradcheck import mutants, score
from numpyae.gradcheck.cases import cases, classes, examples_of, missing
from numpyae.losses import Loss
from numpyae.penalties import Penalty


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__name__)
def test_a_class_of_the_library_says_everything_about_itself(cls):
    assert missing(cls) == []


def test_the_walk_finds_all_kinds_and_nothing_planted():
    names = {cls.__name__ for cls in classes()}
    assert names >= {"Dense", "Softmax", "SigmoidBasis", "GaussianNLL", "MixturePrior", "FullGaussian", "WeightDecay", "SaltAndPepper",
                     "RBM", "ScoreFunctionVAE"}
    assert not names & {"Layer", "Basis", "Sparsity", "SquaredError1", "Branched", "RowNorm"}
    assert {cls.__name__ for cls in classes(__name__)} >= {"RowNorm", "LogCosh", "Mute"}


def test_no_example_has_a_bias_at_0():
    for cls in classes():
        for part in (part for example in examples_of(cls, np.random.default_rng(0)) for part in example if hasattr(part, "w")):
            assert all(array.all() for array in part.named_parameters().values()), cls


# Classes that say too little

class Mute(Layer):
    """A layer that keeps its number to itself."""

    g, dg = parameter("g")

    def __init__(self, n):
        self.add_parameters(g=np.ones(n))

    def forward(self, x):
        self.x = x
        return self.g * x

    def backward(self, delta):
        self.dg += np.sum(delta * self.x, axis=0)
        return delta * self.g


class Terse(Mute):
    """The same with an example, and a partner."""

    def __init__(self, n):
        super().__init__(n)
        self.partner = Dense(n, n)

    def forward(self, x):
        self.x = x
        return self.g * x

    @classmethod
    def examples(cls, rng):
        yield cls(5), rng.standard_normal((7, 5))


class Broken(Mute):
    """Its own example fails: that is said as it is."""

    @classmethod
    def examples(cls, rng):
        yield cls(5), rng.standard_normal((7, "five"))


@pytest.mark.parametrize("call", [gradcheck.check, mutants.mutants, lambda cls: cases(np.random.default_rng(0), cls),
                                  lambda cls: examples_of(cls, np.random.default_rng(0))])
def test_a_class_without_examples_is_told_the_line_to_write(call):
    with pytest.raises(TypeError, match="Mute gives no example of itself") as caught:
        call(Mute)
    assert str(caught.value).endswith("write in its body\n    @classmethod\n    def examples(cls, rng):\n"
                                      "        yield cls(n), rng.standard_normal((7, 5))")
    with pytest.raises(TypeError, match="integer"):
        call(Broken)


def test_what_is_missing_is_named_with_the_line_to_write():
    assert [sentence.split("\n")[-1].strip() for sentence in missing(Terse)] == ['formula = {"y": "…"}', "self.n = n", 'shares = ("partner",)']
    assert missing(Mute)[0].startswith("Mute gives no example of itself")


def test_a_class_is_checked_at_its_examples_and_nothing_else_is():
    assert gradcheck.check(Dense).ok and gradcheck.check(Terse).ok
    with pytest.raises(TypeError, match="expected a Layer, Loss, posterior or Model, got type"):
        gradcheck.check(Dense, np.ones((7, 5)))
    with pytest.raises(TypeError, match="expected a Layer, Loss, posterior or Model, got type"):
        gradcheck.check(int)


# A stranger's file

class RowNorm(Layer):
    """y = g (x - m) / s + b: every row at mean m = 0 and deviation s = 1, then a gain and a bias for each feature."""

    g, dg = parameter("g")
    b, db = parameter("b")
    formula = {"y": "{g} ({x} - m) / s + {b}", "dx": "(dn - mean dn - n mean(n dn)) / s, dn = {g} d{y}, n = ({x} - m) / s",
               "dg": "Σ_n d{y} ({x} - m) / s", "db": "Σ_n d{y}"}

    def __init__(self, n):
        self.n = n
        self.add_parameters(g=np.ones(n), b=np.zeros(n))

    def forward(self, x):
        centred = x - x.mean(axis=1, keepdims=True)
        self.s = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        self.normal = centred / self.s
        return self.g * self.normal + self.b

    def backward(self, delta):
        self.dg += np.add.reduce(delta * self.normal, axis=0)
        self.db += np.add.reduce(delta, axis=0)
        dnormal = delta * self.g
        mean, slope = dnormal.mean(axis=1, keepdims=True), (dnormal * self.normal).mean(axis=1, keepdims=True)
        return (dnormal - mean - self.normal * slope) / self.s

    @classmethod
    def examples(cls, rng):
        yield cls(5), rng.standard_normal((7, 5))


class Spread(Penalty):
    """weight ½ Σ_n (‖h_n‖² - 1)² / N: codes should lie on the unit circle."""

    term = "spread"

    def forward(self, layers, noise=None):
        self.h, self.index = layers[-1].h, len(layers) - 1
        self.off = np.add.reduce(self.h * self.h, axis=1) - 1
        return self.weight * 0.5 * float(self.off @ self.off) / len(self.h)

    def backward(self, weight):
        doff = weight * self.weight * self.off / len(self.h)
        return {self.index: 2 * self.h * doff[:, None]}


class LogCosh(Loss):
    """Σ_d log cosh(o - t): square for small differences, straight for large ones."""

    is_likelihood = False
    formula = {"values": "Σ_d log cosh({o} - {t})", "do": "tanh({o} - {t}) / {n}"}

    def forward(self, o, t):
        self.r = o - t
        return np.add.reduce(np.log(np.cosh(self.r)), axis=1)

    def backward(self, weight):
        return np.tanh(self.r) * weight[:, None]


class OneSigma(DiagonalGaussian):
    """q(z|x) = N(μ, σ² I): one logvar for all d numbers."""

    def __init__(self, d):
        super().__init__(d)
        self.size = d + 1

    def sample(self, h, epsilon):
        self.mu, self.logvar = h[:, :self.d], h[:, self.d:]
        self.sigma, self.epsilon = np.exp(0.5 * self.logvar), epsilon
        self.z = self.mu + self.sigma * epsilon
        return self.z

    def sample_backward(self, dz):
        dlogvar = np.add.reduce(0.5 * dz * self.epsilon * self.sigma, axis=-1, keepdims=True)
        return (dz, dlogvar) if dz.ndim == 2 else (np.add.reduce(dz, axis=0), np.add.reduce(dlogvar, axis=0))

    def kl_backward(self, dkl):
        dmu, dlogvar = super().kl_backward(dkl)
        return dmu, np.add.reduce(dlogvar, axis=1, keepdims=True)

    def density_backward(self, dlog_q):
        dlogvar = super().density_backward(dlog_q)[1]
        return 0.0, self.d * dlogvar


STRANGERS = [RowNorm, Spread, LogCosh, OneSigma]
x = np.random.default_rng(1).random((7, 5))


def model_of(cls):
    """A model with a part of this class, and its batch."""
    rng = np.random.default_rng(2)
    if cls is RowNorm:
        return Regression(Sequential(Dense(5, 4, rng=rng), RowNorm(4), Tanh(), Dense(4, 5, rng=rng)), SquaredError()), (x, x)
    if cls is Spread:
        return Autoencoder(mlp([5, 2], output=Tanh, rng=rng), mlp([2, 5], rng=rng), SquaredError(), penalties=[Spread(0.1)]), (x,)
    if cls is LogCosh:
        return Autoencoder(mlp([5, 2], rng=rng), mlp([2, 5], rng=rng), LogCosh()), (x,)
    return VAE(mlp([5, 3], rng=rng), mlp([2, 5], rng=rng), GaussianNLL(), OneSigma(2)), (x,)


@pytest.mark.parametrize("cls", STRANGERS)
def test_a_strangers_class_says_enough_and_is_checked_alone_and_in_models(cls):
    assert missing(cls) == [] and gradcheck.check(cls).ok
    for name, target, batch in cases(np.random.default_rng(0), cls):
        assert gradcheck.check(target, *batch).ok, name


@pytest.mark.parametrize("cls", STRANGERS)
def test_mutants_over_a_strangers_class_are_killed(cls):
    made = mutants.mutants(cls)
    assert {mutant.cls for mutant in made} == {cls} and len(made) > 5
    outcomes = score.run(score.sample(made, 3), enough=1)
    assert [outcome for outcome in outcomes if outcome.fate != "killed"] == []
    assert sum(outcome.diagnosis == "wrong" for outcome in outcomes) == 0


@pytest.mark.parametrize("cls", STRANGERS)
def test_a_strangers_class_is_traced_drawn_saved_and_trained(cls, tmp_path):
    model, batch = model_of(cls)
    tableau = trace(model, *batch, rng=0)
    assert cls.__name__ in str(tableau) and tableau.to_html().startswith("<!DOCTYPE html>")
    plt.close(plots.network(model))
    before = model.loss(*batch, rng=0)
    history = fit(model, *batch, optimizer=Adam(0.01), epochs=20, batch_size=7, rng=np.random.default_rng(0),
                  checkpoint=tmp_path / "checkpoint.npz")
    assert history.epochs == 20 and model.loss(*batch, rng=0) < before
    model.save(tmp_path / "model.npz")
    other, _ = model_of(cls)
    other.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(other.w, model.w)
