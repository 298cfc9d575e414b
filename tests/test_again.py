"""again(): a second use of the same parameters with a cache of its own. Every trap of shared windows is a test here."""

import copy
import pickle
import time

import numpy as np
import pytest

from numpyae import (Adam, Dense, Dropout, FullGaussian, GaussianNLL, Model, Regression, Sequential,
                     SquaredError, Tanh, TiedDense, TopK, WeightDecay, fit, gradcheck, mlp, trace)
from numpyae.checkpoints import load_model
from numpyae.windows import parameter
from numpyae.layers import Layer

D, H, M, N = 2, 5, 3, 7


def recurrent(rng=0, steps=3):
    """Dense(5 -> 5) used `steps` times, a Tanh after each, and a Dense that reads out."""
    dense = Dense(H, H, rng=rng)
    layers = [layer for step in range(steps) for layer in (dense if step == 0 else dense.again(), Tanh())]
    return Regression(Sequential(*layers, Dense(H, M, rng=1)), SquaredError())


def batch(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, H)), rng.standard_normal((n, M))


def uses(model):
    return [layer for layer in model.network.layers if isinstance(layer, Dense)][:-1]


def assert_shared(model, *data):
    """All uses look into the one window of w, and a step of w moves all of them."""
    owner, *others = uses(model)
    assert len(others) == 2
    for use in others:
        assert use.W is owner.W and use.dW is owner.dW and np.shares_memory(use.W, model.w)
        assert use.first is owner and use.shares == ("first",)
    before = model.loss(*data)
    assert gradcheck.check(model, *data).ok
    model.w -= 0.01 * model.backward() if model.loss(*data) else 0
    assert model.loss(*data) < before


def test_a_use_reads_and_adds_to_the_same_parameters_and_keeps_its_own_input():
    dense, x = Dense(3, 3, rng=0), np.random.default_rng(0).standard_normal((N, 3))
    use = dense.again()
    network = Sequential(dense, use)
    network.forward(x)
    assert use.x is not dense.x and dense.x is x
    assert use.w.size == 0 and not use.named_parameters() and network.w.size == 12
    assert list(network.named_parameters()) == ["0.W", "0.b"]
    use.W = np.eye(3)
    assert np.array_equal(dense.W, np.eye(3))
    assert repr(use) == "Dense(3 -> 3, again)" and repr(Tanh().again()) == "Tanh(again)"
    assert repr(use.again()) == repr(use) and use.again().first is dense


@pytest.mark.parametrize("change", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), lambda model: model.astype(np.float64),
                                    lambda model: pickle.loads(pickle.dumps(copy.deepcopy(model)))],
                         ids=["deepcopy", "pickle", "astype", "both"])
def test_copies_share_among_themselves_only(change):
    model = recurrent()
    other = change(model)
    assert not np.shares_memory(model.w, other.w)
    assert_shared(other, *batch())
    assert_shared(model, *batch())


def test_astype_float32_moves_every_use():
    model = recurrent().astype(np.float32)
    x, t = (array.astype(np.float32) for array in batch())
    assert model.loss(x, t) > 0 and model.backward().dtype == np.float32
    assert all(use.dtype == np.float32 and use.W.dtype == np.float32 for use in uses(model))
    alone = Dense(H, H, rng=0).again().astype(np.float32)
    assert alone.forward(x).dtype == np.float32 and alone.first.W is alone.W


def test_a_copy_of_a_use_alone_brings_its_owner():
    dense = Dense(H, H, rng=0)
    other = copy.deepcopy(dense.again())
    assert other.first is not dense and other.W is other.first.W and np.array_equal(other.W, dense.W)
    Regression(Sequential(other.first, other), SquaredError())


def test_save_and_load(tmp_path):
    model, other = recurrent(), recurrent(rng=5)
    model.save(tmp_path / "w.npz")
    other.load(tmp_path / "w.npz")
    assert np.array_equal(model.w, other.w) and list(np.load(tmp_path / "w.npz")) == ["network.0.W", "network.0.b", "network.6.W",
                                                                                      "network.6.b"]
    assert_shared(other, *batch())


def test_checkpoint_and_resume_bit_for_bit(tmp_path):
    x, t = batch(20)

    def train(epochs, **options):
        model = recurrent()
        fit(model, x, t, optimizer=Adam(0.01), epochs=epochs, batch_size=5, rng=np.random.default_rng(3), progress=False, **options)
        return model

    whole = train(4)
    train(2, checkpoint=tmp_path / "c.npz")
    resumed = train(4, resume=tmp_path / "c.npz")
    assert np.array_equal(whole.w, resumed.w)
    loaded = load_model(tmp_path / "c.npz")
    assert np.array_equal(loaded.w, train(2).w)
    assert_shared(loaded, x, t)


def test_a_use_before_its_owner_is_built_again_too(tmp_path):
    dense = Dense(4, 4, rng=0)
    model = Regression(Sequential(dense.again(), Tanh(), dense), SquaredError())
    x = np.random.default_rng(0).standard_normal((8, 4))
    fit(model, x, x, optimizer=Adam(0.01), epochs=1, batch_size=4, rng=0, checkpoint=tmp_path / "c.npz", progress=False)
    loaded = load_model(tmp_path / "c.npz")
    assert loaded.network.layers[0].first is loaded.network.layers[2] and np.array_equal(loaded.predict(x), model.predict(x))


def test_a_network_used_again_is_a_copy_with_a_use_for_every_leaf():
    network = mlp([4, 3, 4], rng=np.random.default_rng(0))
    twice = network.again()
    assert twice.w.size == 0 and [leaf.first for leaf in twice.layers] == network.layers
    model = Regression(Sequential(network, twice), SquaredError())
    x = np.random.default_rng(1).standard_normal((N, 4))
    assert model.w.size == network.w.size and gradcheck.check(model, x, x[::-1].copy()).ok
    single = mlp([4, 3, 4], rng=np.random.default_rng(0)).astype(np.float32).again()
    assert single.layers[0].dtype == np.float32


def test_a_use_needs_its_owner_in_the_model():
    dense = Dense(3, 3, rng=0)
    with pytest.raises(ValueError, match=r"network.0, Dense\(3 -> 3, again\), shares the weights of a Dense that is not in this model"):
        Regression(Sequential(dense.again()), SquaredError())
    with pytest.raises(ValueError, match=r"it twice, as 0 and 1: .*again\(\)"):
        Sequential(dense, dense)


def test_weight_decay_counts_a_shared_matrix_once():
    model = recurrent()
    decayed = Regression(copy.deepcopy(model.network), SquaredError(), penalties=[WeightDecay(0.1)])
    decayed.loss(*batch())
    W = [decayed.network.layers[index].W for index in (0, 6)]
    assert decayed.terms["weight decay"] == pytest.approx(0.1 * sum((w**2).sum() for w in W), rel=1e-12)
    assert gradcheck.check(decayed, *batch()).ok


def test_a_tied_layer_used_again():
    dense = Dense(4, 3, rng=0)
    tied = TiedDense(dense)
    network = Sequential(dense, tied, Tanh(), dense.again(), tied.again())
    assert network.w.size == 12 + 3 + 4 and repr(network.layers[-1]) == "TiedDense(3 -> 4, again)"
    x = np.random.default_rng(0).standard_normal((N, 4))
    model = Regression(network, SquaredError())
    assert gradcheck.check(model, x, x[::-1].copy()).ok and gradcheck.check(copy.deepcopy(model), x, x[::-1].copy()).ok


def test_every_use_of_a_dropout_has_a_mask_of_its_own():
    drop = Dropout(0.4)
    model = Regression(Sequential(Dense(H, H, rng=0), drop, drop.again(), Dense(H, M, rng=0)), SquaredError())
    x, t = batch()
    value = model.loss(x, t, rng=0)
    first, second = (model.noise[f"network.{k}.mask"] for k in (1, 2))
    assert not np.array_equal(first, second) and model.loss(x, t, noise=model.noise) == value
    assert gradcheck.check(model, x, t).ok


def test_a_setting_is_shared():
    top = TopK(2)
    use = top.again()
    use.k = 3
    assert top.k == 3 and copy.deepcopy(use).k == 3 and copy.deepcopy(top).k == 3


def test_a_setting_that_would_not_be_shared_is_an_error():
    class Cut(Layer):
        adjustable = ("level",)

        def __init__(self, level):
            self.level = level

    with pytest.raises(TypeError, match=r'Cut\(level=1\).again: level would be changed in one use alone: declare level = setting\("level"\)'):
        Cut(1).again()


def test_parts_and_parameters_of_its_own_are_refused():
    class Both(Layer):
        g, dg = parameter("g")

        def __init__(self, parameters_first):
            if parameters_first:
                self.add_parameters(g=np.ones(3))
            self.add_parts(inner=Dense(3, 3, rng=0))
            self.add_parameters(g=np.ones(3))

    for first in (True, False):
        with pytest.raises(TypeError, match="Both: it has parts and parameters of its own: put those parameters into a layer"):
            Both(first)


def test_a_loss_and_a_posterior_that_are_uses_have_their_partners_gradient_checked():
    class Wrong(GaussianNLL):
        def backward(self, weight):
            delta = super().backward(weight)
            self.dlogvar += 1.0
            return delta

    x, t = batch()[1], batch(seed=1)[1]
    right = gradcheck.check(GaussianNLL(0.7, learn=True).again(), x, t)
    assert right.ok and "first.logvar" in str(right)
    assert not gradcheck.check(Wrong(0.7, learn=True).again(), x, t).ok
    assert gradcheck.check(FullGaussian(3).again(), np.random.default_rng(0).standard_normal((N, 9))).ok


def test_trace_names_the_matrix_once_and_gives_the_total_last():
    x, t = batch(1)
    steps = [row.step for row in trace(recurrent(), x, t).rows]
    parts = [step for step in steps if step.startswith("dW1")]
    assert len(parts) == 3 and parts[-1] == "dW1"


# ------------------------------------------------------------------------------------------------- unrolled over time

class Unrolled(Model):
    """h_t = tanh(x_t V + h_(t-1) W + b), o = h_T U + c; x (N, T, D), t (N, M)."""

    batch_names = ("x", "t")

    def __init__(self, steps, rng, mixing=Dense, input=Dense, drop_carry=None, factor=None):
        self.drop_carry, self.factor = drop_carry, factor
        first, second, tanh = input(D, 4, rng=rng), mixing(4, 4, rng=rng), Tanh()
        self.inputs, self.mixings, self.tanhs = [[part] + [part.again() for _ in range(steps - 1)] for part in (first, second, tanh)]
        self.readout, self.criterion = Dense(4, M, rng=rng), SquaredError()
        cells = {f"{name}{k}": part for name, parts in (("input", self.inputs), ("mixing", self.mixings), ("tanh", self.tanhs))
                 for k, part in enumerate(parts)}
        self.add_parts(**cells, readout=self.readout, criterion=self.criterion)
        self.w += 0.1 * np.random.default_rng(5).standard_normal(self.w.size)

    def loss(self, x, t, rng=None, noise=None, training=True):
        self.begin(rng, noise, training)
        h = 0.3 * np.ones((len(x), 4))
        for k, (input, mixing, tanh) in enumerate(zip(self.inputs, self.mixings, self.tanhs)):
            h = tanh.forward(input.forward(x[:, k].copy()) + mixing.forward(h))
        self.term("error", self.criterion.forward(self.readout.forward(h), t), over=len(x))
        return self.total()

    def backward(self):
        self.from_zero()
        dh = self.readout.backward(self.criterion.backward(self.weights["error"]))
        for k in range(len(self.inputs) - 1, -1, -1):
            da = self.tanhs[k].backward(dh)
            if self.factor == k:
                da = 3 * da
            self.inputs[k].backward(da, input_gradient=False)
            dh = self.mixings[k].backward(da)
            if self.drop_carry == k:
                dh = 0 * dh
        return self.grad


class Overwrites(Dense):
    def backward(self, delta, input_gradient=True):
        dW, db = self.dW, self.db
        dW[...] = self.x.T @ delta
        db += delta.sum(axis=0)
        return delta @ self.W.T


class Halves(Dense):
    def backward(self, delta, input_gradient=True):
        dW, db = self.dW, self.db
        dW += 0.5 * self.x.T @ delta
        db += delta.sum(axis=0)
        return delta @ self.W.T


def sequences(steps):
    rng = np.random.default_rng(1)
    return rng.standard_normal((N, steps, D)), rng.standard_normal((N, M))


def examined(steps, **planted):
    start = time.perf_counter()
    report = gradcheck.check(Unrolled(steps, np.random.default_rng(0), **planted), *sequences(steps))
    print(report, time.perf_counter() - start)
    return report


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_an_unrolled_cell_is_right(steps):
    assert examined(steps).ok


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_equals_for_plus_equals_over_uses_is_named_once_at_the_owner(steps):
    report = examined(steps, mixing=Overwrites)
    assert not report.ok
    found = [found for found in report.findings if found["cause"] == "overwrites"]
    assert len(found) == 1 and found[0]["place"] == "mixing0" and "+=" in found[0]["sentence"]
    assert len(report.findings) == 1


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_factor_in_the_cell_is_named_once_at_the_owner(steps):
    report = examined(steps, mixing=Halves)
    found, = report.findings
    assert found["place"] == "mixing0" and found["factor"] == pytest.approx(0.5)


@pytest.mark.parametrize("steps, step", [(1, 0), (5, 3)])
def test_a_factor_at_one_step_is_named_at_the_step(steps, step):
    report = examined(steps, factor=step)
    found, = report.findings
    assert found["cause"] == "factor" and found["factor"] == pytest.approx(3) and f"(input{step})" in found["sentence"]


@pytest.mark.parametrize("steps, step", [(2, 1), (5, 4)])
def test_a_carry_dropped_at_one_step_is_named_at_the_step(steps, step):
    report = examined(steps, drop_carry=step)
    found, = report.findings
    assert f"tanh{step - 1}" in found["sentence"] and f"mixing{step}" in found["sentence"]
