"""A class that nothing but this file names has its rows, its numbers and its page; so has a layer used again."""

import re

import numpy as np
import pytest

from numpyae import (VAE, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, GaussianNLL, Layer, Model, Regression,
                     Sequential, SquaredError, Tanh, TiedDense, WeightDecay, mlp, parameter, trace)
from numpyae.corruption import Corruption
from numpyae.losses import Loss
from numpyae.penalties import Penalty
from numpyae.tableau.page import Drawing
from numpyae.tableau.rows import in_numbers
from tests.test_tableau import Residual

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 3))
ONE, TWO = RNG.normal(size=(1, 3)), RNG.normal(size=(1, 2))


def examined(model, *batch):
    """The tableau, and its formulas and its numbers by step, once its page and its sums have been looked at."""
    tableau = trace(model, *batch, rng=0)
    model.loss(*batch, rng=0)
    grad = model.backward()
    assert float(tableau["L"].value) == pytest.approx(model.loss(*batch, rng=0), rel=1e-12)
    whole = [row for row in tableau.rows if row.backward and row.of.kind == "parameter" and not row.way]
    shown = np.concatenate([row.gradient.ravel() for row in whole])
    assert np.allclose(np.sort(shown), np.sort(grad), rtol=1e-12, atol=1e-15)
    page = tableau.to_html()
    rows = re.findall(r'<tr class="(\w+)" data-lit="([\d ]*)">', page)
    assert len(rows) == len(tableau) and all(lit for _, lit in rows)
    assert "?" not in "".join(row.step + row.formula for row in tableau.rows)
    numbers = {row.step: lines for row, lines in in_numbers(tableau)}
    return tableau, {row.step: row.formula for row in tableau.rows}, numbers


class Gain(Layer):
    """y = g (x - mean of x) / scale + c, row by row."""

    formula = {"centred": "{x} - mean of {x}", "y": "{g} {centred} / {scale} + {c}",
               "dg": "Σ_n d{y} {centred} / {scale}"}
    g, dg = parameter("g")
    c, dc = parameter("c")

    def __init__(self, n):
        self.scale = 2.0
        self.add_parameters(g=np.linspace(1, 2, n), c=np.zeros(n))

    def forward(self, x):
        self.centred = x - x.mean(axis=1, keepdims=True)
        return self.g * self.centred / self.scale + self.c

    def backward(self, delta):
        self.dg += np.sum(delta * self.centred / self.scale, axis=0)
        self.dc += np.sum(delta, axis=0)
        d = delta * self.g / self.scale
        return d - d.mean(axis=1, keepdims=True)


def test_a_layer():
    model = Regression(Sequential(Dense(3, 3, rng=0), Gain(3), Dense(3, 2, rng=1)), SquaredError())
    tableau, formulas, numbers = examined(model, ONE, TWO)
    assert formulas["centred"] == "a1 - mean of a1" and formulas["y2"] == "g2 centred / scale + c2"
    assert formulas["dg2"] == "Σ_n dy2 centred / scale"
    assert formulas["dc2"] == formulas["da1"].split("(")[0] == "Gain.backward"
    assert tableau.constants["scale"] == 2 and tableau["y2"].sources == [tableau["centred"]]
    assert [row.step for row in tableau["y2"].weights] == ["g2", "c2"]
    assert re.fullmatch(r"y2₁ = 1 · \S+ / 2 \+ 0 = \S+", numbers["y2"][0])
    [row] = [row for row in tableau.rows if row.step == "dg2"]
    assert numbers["dg2"][0].startswith("dg2₁ = ") and " · " in numbers["dg2"][0] and row.through == [tableau["y2"]]


def test_a_layer_without_formulas_and_a_subclass_with_a_forward_of_its_own():
    class Plain(Layer):
        def forward(self, x):
            return 3 * x

        def backward(self, delta):
            return 3 * delta

    class Louder(Tanh):
        def forward(self, x):
            return super().forward(3 * x)

    class Said(Tanh):
        formula = {"y": "the tangens of {x}"}

    model = Regression(Sequential(Dense(5, 3, rng=0), Plain(), Said(), Louder()), SquaredError())
    tableau = trace(model, X, T)
    assert [row.formula for row in tableau.rows[3:6]] == ["Plain(a1)", "the tangens of h1", "Louder(h1')"]
    assert tableau["dh1'"].formula == "do (1 - o²)" and tableau["da1"].formula == "Plain.backward(dh1)"


def test_a_formula_that_names_an_array():
    class Centred(Layer):
        formula = {"y": "{x} - {mean}", "dx": "d{y}"}
        mean = np.arange(1.0, 4.0)[None]

        def forward(self, x):
            return x - self.mean

        def backward(self, delta):
            return delta

    network = Sequential(Dense(3, 3, rng=0), Centred())
    tableau, formulas, numbers = examined(Regression(network, SquaredError()), ONE, ONE)
    assert formulas["o"] == "a1 - mean" and numbers["o"][1].split(" = ")[1].endswith(" - 2")
    assert np.array_equal(tableau.constants["mean"], Centred.mean)


def test_a_formula_that_names_what_nobody_knows():
    class Odd(Tanh):
        formula = {"y": "tanh({a})"}

    with pytest.raises(ValueError, match=r"Odd.formula: 'tanh\({a}\)' names {a}: expected an attribute that is a "
                                         "number or an array, or one of x"):
        trace(Regression(Odd(), SquaredError()), X, X)


class Asymmetric(Loss):
    """Σ_d slope r², with r = o - t."""

    formula = {"r": "{o} - {t}", "values": "Σ_d {slope:g} {r}²", "do": "2 · {slope:g} {r} / {n}"}
    is_likelihood = False

    def __init__(self, slope):
        self.slope = slope

    def forward(self, o, t):
        self.r = o - t
        return np.sum(self.slope * self.r**2, axis=1)

    def backward(self, weight):
        return 2 * self.slope * self.r * weight[:, None]


def test_a_loss():
    tableau, formulas, numbers = examined(Regression(mlp([3, 2], rng=0), Asymmetric(1.5)), ONE, TWO)
    assert formulas["r"] == "o - t" and formulas["E"] == "Σ_d 1.5 r²" and formulas["do"] == "2 · 1.5 r / N"
    o, t = tableau["o"].value[0, 0], tableau["t"].value[0, 0]
    r = f"({o - t:.6g})" if o < t else f"{o - t:.6g}"
    assert numbers["do"][0] == f"do₁ = 2 · 1.5 · {r} / 1 = {3 * (o - t):.6g}"
    assert numbers["E"][0].count("1.5 · ") == 2


class Plus(Loss):
    """A loss that says nothing about itself."""

    def forward(self, o, t):
        return np.sum((o - t)**2, axis=1)

    def backward(self, weight):
        return np.zeros((len(weight), 3))


def test_a_loss_that_says_nothing():
    tableau = trace(Regression(mlp([5, 3], rng=0), Plus()), X, T)
    assert tableau["NLL"].formula == "Plus(o, t)" and tableau["do"].formula == "Plus.backward"
    assert tableau["NLL"].sources == [tableau["o"], tableau["t"]] and len(tableau.to_html()) > 1000


class SoftplusGaussian(DiagonalGaussian):
    """q(z|x) = N(μ, diag σ²) with σ = log(1 + e^ρ)."""

    formula = {"mu": "{h}[{columns}]", "rho": "{h}[{columns}], before the softplus", "sigma": "log(1 + e^{rho})",
               "epsilon": "drawn from N(0, I)", "z": "{mu} + {sigma} {epsilon}",
               "dmu|draw": "Σ_k d{z}", "drho|draw": "Σ_k d{z} {epsilon} σ({rho})",
               "dmu|KL": "{mu} / {n}", "drho|KL": "({sigma} - 1 / {sigma}) σ({rho}) / {n}"}

    def sample(self, h, epsilon):
        self.mu, self.rho, self.epsilon = h[:, :self.d], h[:, self.d:], epsilon
        self.sigma = np.log1p(np.exp(self.rho))
        self.logvar = 2 * np.log(self.sigma)
        self.z = self.mu + self.sigma * epsilon
        return self.z

    def slope(self):
        return 1 / (1 + np.exp(-self.rho))

    def sample_backward(self, dz):
        drho = dz * self.epsilon * self.slope()
        return (np.add.reduce(dz, axis=0), np.add.reduce(drho, axis=0)) if dz.ndim == 3 else (dz, drho)

    def kl_backward(self, dkl):
        return dkl[:, None] * self.mu, dkl[:, None] * (self.sigma - 1 / self.sigma) * self.slope()


@pytest.mark.parametrize("samples", [1, 3])
def test_a_posterior(samples):
    encoder, decoder = mlp([3, 2, 2], rng=0), mlp([1, 2, 3], rng=1)
    model = VAE(encoder, decoder, GaussianNLL(), SoftplusGaussian(1), samples=samples, beta=0.5)
    tableau, formulas, numbers = examined(model, ONE)
    assert formulas["rho"] == "a2[:, 1:], before the softplus" and formulas["sigma"] == "log(1 + e^rho)"
    assert formulas["KL"] == "½ Σ_j (mu² + sigma² - logvar - 1)"                      # kl is DiagonalGaussian's
    assert formulas["drho|KL"] == "0.5 (sigma - 1 / sigma) σ(rho) / N" and formulas["da2"] == "(dmu, drho), summed"
    assert formulas["drho|draw"] == "Σ_k " * (samples > 1) + "dz epsilon σ(rho)"
    assert numbers["mu"] == [f"mu = a2₁ = {tableau['mu'].value.item():.6g}"]
    assert len(numbers["da2"]) == 2 and numbers["da2"][1].startswith("da2₂ = ") and " + " in numbers["da2"][1]
    drawing = Drawing(tableau)
    assert drawing.sources["rho"] == ["a2"] and drawing.sources["sigma"] == ["rho"]


def test_a_posterior_that_says_nothing():
    class Silent(DiagonalGaussian):
        def sample(self, h, epsilon):
            return super().sample(h, epsilon)

        def backward(self, dz, dkl=None, dlog_q=None):
            dkl = dkl[:, None]
            dlogvar = dz * self.epsilon * self.sigma / 2 + dkl * np.expm1(self.logvar) / 2
            return np.concatenate([dz + dkl * self.mu, dlogvar], axis=1)

    model = VAE(mlp([3, 2, 2], rng=0), mlp([1, 2, 3], rng=1), GaussianNLL(), Silent(1))
    formulas = examined(model, ONE)[1]
    assert formulas["z"] == "Silent.sample(a2)" and formulas["da2"] == "Silent.backward"


class Calm(Penalty):
    """weight Σ_n Σ_j h_nj² of the outputs of a layer."""

    formula = {"value": "{weight:g} Σ {y0}²", "dy": "2 · {weight:g} {y}"}
    term = "calm"

    def forward(self, layers, noise=None):
        self.h, self.index = layers[-1].h, len(layers) - 1
        return self.weight * float(np.sum(self.h**2))

    def backward(self, weight):
        return {self.index: 2 * self.weight * weight * self.h}


class Small(Penalty):
    """weight Σ |W|, and nothing about itself."""

    term = "small"
    on_weights = True

    def forward(self, layers, noise=None):
        self.layers = [layer for layer in layers if layer.decays]
        return self.weight * sum(float(np.abs(layer.W).sum()) for layer in self.layers)

    def backward(self, weight):
        for layer in self.layers:
            layer.dW += self.weight * weight * np.sign(layer.W)
        return {}


def test_penalties():
    dense = Dense(3, 2, rng=0)
    model = Autoencoder(Sequential(dense, Tanh()), TiedDense(dense), SquaredError(), penalties=[Calm(0.1), Small(0.2)])
    tableau, formulas, numbers = examined(model, ONE)
    assert formulas["calm"] == "0.1 Σ h1²" and formulas["dh1|calm"] == "2 · 0.1 h1"
    assert formulas["L"] == "1/N Σ_n E + calm + small"
    assert formulas["small"] == "Small(weight=0.2) of W1" and formulas["dW1|small"] == "Small.backward"
    assert formulas["dW1"] == "xᵀ da1 + dW1|small + dW1|tied" and formulas["dh1"] == "dh1 + dh1|calm"
    assert numbers["dh1|calm"][0].startswith("dh1|calm₁ = 2 · 0.1 · ")
    drawing = Drawing(tableau)
    assert drawing.sources["calm"] == ["h1"] and drawing.sources["small"] == []
    model = VAE(mlp([3, 2, 2], rng=0), mlp([1, 2, 3], rng=1), GaussianNLL(), DiagonalGaussian(1),
                penalties=[WeightDecay(0.1)])
    formulas = examined(model, ONE)[1]
    assert formulas["weight decay"] == "WeightDecay(weight=0.1) of W1, W2, W3, W4"
    assert formulas["dW4|weight decay"] == "2 · 0.1 W4"


class Fade(Corruption):
    """x̃ = keep x + noise."""

    formula = {"seen": "{keep:g} {x} + {noise}"}

    def __init__(self, keep):
        self.keep = keep

    def draw(self, x, rng):
        return rng.standard_normal(x.shape, dtype=x.dtype)

    def apply(self, x, noise):
        return self.keep * x + noise


class Silence(Fade):
    def apply(self, x, noise):
        return 0 * x


def test_corruptions():
    model = Autoencoder(mlp([3, 2], rng=0), mlp([2, 3], rng=1), SquaredError(), Fade(0.5))
    tableau, formulas, numbers = examined(model, ONE)
    assert formulas["seen"] == "0.5 x + noise" and formulas["a1"] == "seen W1 + b1"
    assert numbers["seen"][0].startswith("seen₁ = 0.5 · ")
    assert Drawing(tableau).sources["seen"] == ["x", "noise"]
    silent = trace(Autoencoder(mlp([3, 2], rng=0), mlp([2, 3], rng=1), SquaredError(), Silence(0.5)), ONE)
    assert silent["seen"].formula == "Silence(x, noise)" and silent["seen"].sources == [silent["x"], silent["noise"]]


class TwoHeads(Model):
    """A network, and two that read it: one is right, one is a yes or no. The second counts half."""

    batch_names = ("x", "t", "s")

    def __init__(self):
        self.body, self.left, self.right = mlp([3, 2], output=Tanh, rng=0), mlp([2, 2], rng=1), mlp([2, 1], rng=2)
        self.squares, self.bernoulli = SquaredError(), BernoulliNLL()
        self.add_parts(body=self.body, left=self.left, right=self.right, squares=self.squares, bernoulli=self.bernoulli)

    def loss(self, x, t, s, rng=None, noise=None, training=True):
        self.begin(rng, noise, training)
        h = self.body.forward(x)
        self.term("error", self.squares.forward(self.left.forward(h), t), over=len(x))
        self.term("answer", self.bernoulli.forward(self.right.forward(h), s), over=len(x), factor=0.5)
        return self.total()

    def backward(self):
        self.from_zero()
        dh = self.left.backward(self.squares.backward(self.weights["error"]))
        dh = dh + self.right.backward(self.bernoulli.backward(self.weights["answer"]))
        self.body.backward(dh, input_gradient=False)
        return self.grad


def test_a_model_with_two_heads():
    tableau, formulas, numbers = examined(TwoHeads(), ONE, TWO, np.ones((1, 1)))
    assert formulas["L"] == "1/N Σ_n (E + 0.5 NLL)" and formulas["E"] == "Σ_d (o - t)²"
    assert formulas["NLL"] == "Σ_d [log(1 + e^o') - s o']" and formulas["do'"] == "0.5 (σ(o') - s) / N"
    assert formulas["dh1|o"] == "do W2ᵀ" and formulas["dh1|o'"] == "do' W3ᵀ" and formulas["dh1"] == "dh1|o + dh1|o'"
    assert len(numbers["dh1"]) == 2 and numbers["dh1"][1].count(" + ") == 1


def test_a_container_with_two_ways_back_has_a_name_for_each():
    inner = Sequential(Dense(5, 4, rng=1), Tanh(), Dense(4, 5, rng=2))
    network = Sequential(Dense(5, 5, rng=0), Tanh(), Residual(inner), Dense(5, 3, rng=3))
    tableau, formulas, _ = examined(Regression(network, SquaredError()), X, T)
    steps = [row.step for row in tableau.rows]
    assert len(set(steps)) == len(steps)
    assert formulas["dh1|a2"] == "da2 W2ᵀ" and formulas["dh1"] == "Residual.backward(dy3)"
    np.testing.assert_allclose(tableau["dh1"].gradient, tableau["dh1|a2"].gradient + tableau["dy3"].gradient)


class Recurrent(Model):
    """h_t = tanh([x_t, h_(t-1)] W + b), o_t = h_t V + c at every step; x (N, T, D), t (N, T, M)."""

    batch_names = ("x", "t")

    def __init__(self, steps, D=1, H=2, M=1):
        self.D, self.H = D, H
        parts = {"cell": Dense(D + H, H, rng=0), "tanh": Tanh(), "out": Dense(H, M, rng=1), "squares": SquaredError()}
        self.steps = [{name: part if k == 0 else part.again() for name, part in parts.items()} for k in range(steps)]
        self.add_parts(**{f"{name}{k}": part for k, step in enumerate(self.steps) for name, part in step.items()})

    def check(self, x, t):
        pass

    def loss(self, x, t, rng=None, noise=None, training=True):
        self.begin(rng, noise, training)
        h = np.zeros((len(x), self.H))
        for k, step in enumerate(self.steps):
            h = step["tanh"].forward(step["cell"].forward(np.concatenate([x[:, k], h], axis=1)))
            self.term(f"step {k}", step["squares"].forward(step["out"].forward(h), t[:, k]), over=len(x))
        return self.total()

    def backward(self):
        self.from_zero()
        dh = 0
        for k, step in reversed(list(enumerate(self.steps))):
            dh = dh + step["out"].backward(step["squares"].backward(self.weights[f"step {k}"]))
            dh = step["cell"].backward(step["tanh"].backward(dh))[:, self.D:]
        return self.grad


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("N", [1, 4])
def test_a_cell_used_at_every_step(steps, N):
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=(N, steps, 1)), rng.normal(size=(N, steps, 1))
    tableau, formulas, numbers = examined(Recurrent(steps), x, t)
    names = [row.step for row in tableau.rows if row.step.startswith("dW1")]
    assert names == [*(f"dW1|a1_{k}" for k in range(steps, 1, -1)), "dW1"]
    if steps > 1:
        said = {"u1_1": "[x[:, 0], 0]", "u1_2": "[x[:, 1], h1_1]", "t_2": "t[:, 1]", "a1_2": "u1_2 W1 + b1",
                "h1_2": "tanh(a1_2)", "o_2": "h1_2 W2 + b2", "dh1_1|o_1": "do_1 W2ᵀ"}
        assert said.items() <= formulas.items()
        assert formulas[f"dW1|a1_{steps}"] == f"u1_{steps}ᵀ da1_{steps}"
        assert formulas["dh1_1"] == "du1_2[:, 1:] + dh1_1|o_1"
        assert formulas["dW1"] == " + ".join(["u1_1ᵀ da1_1", *names[:-1]])
        assert formulas["L"] == f"1/N Σ_n ({' + '.join(f'E_{k + 1}' for k in range(steps))})"
    if steps == 3 and N == 1:
        drawing = Drawing(tableau)
        names = list(drawing.parts)
        lit = {row.step: [names[k] for k in drawing.lit(row)] for row in tableau.rows}
        assert drawing.by_unit and drawing.sources["u1_3"] == ["x", "h1_2"]
        assert drawing.pairs("h1_2", "u1_3", None) == [(0, 1), (1, 2)]
        assert lit["dW1|a1_3"] == ["a1_3", ("u1_3", "a1_3")] and lit["dW1"] == ["a1_1", ("u1_1", "a1_1")]
        assert lit["dh1_2|o_2"] == ["h1_2", ("h1_2", "o_2")]
        first = tableau["dh1_2"].gradient[0, 0]
        assert numbers["dh1_2"][0].startswith("dh1_2₁ = ") and numbers["dh1_2"][0].endswith(f" = {first:.6g}")
        assert drawing.column["u1_3"] == drawing.column["a1_3"] - 1
        assert drawing.column["t_3"] == drawing.column["E_3"] - 1


def test_a_network_of_uses_and_an_owner_that_is_not_the_last_on_the_way_back():
    dense = Dense(3, 3, rng=0)
    tableau, formulas, _ = examined(Regression(Sequential(dense.again(), Tanh(), dense), SquaredError()), ONE, ONE)
    assert [row.step for row in tableau.rows if row.step.startswith("dW")] == ["dW1|o", "dW1|a1_1", "dW1"]
    assert formulas["dW1"] == "dW1|o + dW1|a1_1"
    tied = TiedDense(Dense(3, 2, rng=0))
    network = Sequential(tied.dense, Tanh(), tied, tied.dense.again(), tied.again())
    tableau, formulas, _ = examined(Regression(network, SquaredError()), ONE, ONE)
    assert formulas["dW1"].startswith("xᵀ da1_1 + dW1|tied")
    assert "db2|o" in formulas and formulas["db2"].endswith(" + db2|o")


def test_a_use_whose_way_back_is_cut_off():
    class Cut(Recurrent):
        def backward(self):
            self.from_zero()
            last = self.steps[-1]
            do = last["squares"].backward(self.weights[f"step {len(self.steps) - 1}"])
            last["tanh"].backward(last["out"].backward(do))
            last["cell"].backward(last["tanh"].backward(np.ones((1, 2))))
            return self.grad

    rng = np.random.default_rng(3)
    tableau = trace(Cut(2), rng.normal(size=(1, 2, 1)), rng.normal(size=(1, 2, 1)))
    assert tableau["dW1"].formula == "dW1|a1_2" and tableau["dh1_2"].formula in ("do_2 W2ᵀ", "made by Cut")
