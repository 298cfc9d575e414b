"""Penalties: each value against its formula or a closed form, each gradient against finite differences, each refusal a sentence."""

import copy
import itertools

import numpy as np
import pytest

from numpyae import (ELU, Autoencoder, BernoulliNLL, Contraction, Dense, Dropout, GaussianNoise, Identity, KLSparsity, L1Sparsity, L2Sparsity,
                     ReLU, Sequential, Sigmoid, Softmax, Softplus, SquaredError, Tanh, TiedDense, TopK, WeightDecay, gradcheck, lbfgs, mlp)

RNG = np.random.default_rng(0)
X = RNG.random((7, 5))


def autoencoder(sizes=(5, 3), hidden=Sigmoid, code=None, tied=False, penalties=(), seed=1, criterion=None):
    """A small one with biases that are not 0; `code`: the activation of the code."""
    rng = np.random.default_rng(seed)
    encoder = mlp(list(sizes), hidden=hidden, output=code, rng=rng)
    decoder = mlp(list(sizes)[::-1], hidden=hidden, rng=rng)
    if tied:
        layers = [layer for dense in encoder.layers[::-1] if isinstance(dense, Dense) for layer in (TiedDense(dense), hidden())]
        decoder = Sequential(*layers[:-1])
    model = Autoencoder(encoder, decoder, criterion or SquaredError(), penalties=penalties)
    model.w += 0.3 * rng.standard_normal(model.w.size)
    return model


def jacobian(network, x):
    """∂f(x_n)/∂x (N, K, D) by Richardson-extrapolated central differences."""
    J = np.empty((len(x), network.forward(x).shape[1], x.shape[1]))
    for d in range(x.shape[1]):
        e = np.zeros(x.shape[1])
        e[d] = 1e-3
        far, near = ((network.forward(x + s * e) - network.forward(x - s * e)) / (2e-3 * s) for s in (2, 1))
        J[:, :, d] = (4 * near - far) / 3
    return J


PENALTIES = {"kl": lambda: KLSparsity(0.1, 0.7), "kl units": lambda: KLSparsity(0.1, 0.7, over="units"), "l1": lambda: L1Sparsity(0.1, 0.7),
             "l2": lambda: L2Sparsity(0.1, 0.7, over="units"), "contraction": lambda: Contraction(0.3), "decay": lambda: WeightDecay(0.01)}


def as_a_function(model, x):
    """The report of the loss as a function of all parameters, one array: a third of what it takes array by array."""
    def f(w):
        model.w = w
        return model.loss(x)

    def grad(w):
        f(w)
        return model.backward()

    return gradcheck.check_function(f, grad, model.w)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("sizes", [(3, 2), (3, 2, 2), (3, 3, 2, 2)], ids=["1", "2", "3"])
def test_every_gradient_for_every_activation_depth_and_both_ways(penalty, sizes):
    activations = [Sigmoid] if penalty.startswith("kl") else [Softplus, Sigmoid, Tanh, ELU, Identity]
    if penalty in ("l1", "l2"):
        activations.append(ReLU)
    activations = activations[:2] if len(sizes) > 2 else activations        # a deeper layer does not ask which one it is
    for activation, tied in itertools.product(activations, (False, True)):
        model = autoencoder(sizes, activation, activation, tied, [PENALTIES[penalty]()])
        assert as_a_function(model, X[:4, :3]).ok, (activation, tied)


def test_penalties_on_one_layer_add_up():
    penalties = [KLSparsity(0.1, 0.7), L2Sparsity(0.2, 0.3, over="units"), Contraction(0.3), Contraction(0.1, samples=2)]
    gradcheck.assert_gradients(autoencoder((3, 4, 2), Sigmoid, Sigmoid, penalties=penalties), X[:, :3])


def test_a_broken_activation_under_a_penalty_is_the_one_that_is_named():
    """Once a bug of the check: a contraction reads φ'(a), and was shown the slope at a probe in place of a."""
    class Halved(Tanh):
        def backward(self, delta):
            return 0.5 * super().backward(delta)

    encoder = Sequential(Dense(3, 4, rng=0), Tanh(), Dense(4, 2, rng=1), Halved())
    model = Autoencoder(encoder, mlp([2, 3], rng=2), SquaredError(), penalties=[Contraction(0.3)])
    report = gradcheck.check(model, X[:, :3])
    assert not report.ok and str(report).startswith("Halved 3 of the encoder: dx is 2 times too small")


def test_a_model_keeps_its_own_copy_of_a_penalty():
    shared = KLSparsity(0.1, 5.0)
    first, second = (autoencoder(code=Sigmoid, penalties=[shared]) for _ in range(2))
    second.w *= 3
    first.loss(X)
    grad = first.backward().copy()
    first.loss(X)
    second.loss(X[:4])
    assert np.array_equal(first.backward(), grad)


@pytest.mark.parametrize("a", [-800.0, -40.0, 40.0, 800.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kl_of_a_unit_that_is_never_or_always_active_is_finite(a, dtype):
    model = autoencoder(code=Sigmoid, penalties=[KLSparsity(0.1, 1.0)]).astype(dtype)
    model.encoder.layers[0].b[0] = a
    assert np.isfinite(model.loss(X.astype(dtype))) and np.isfinite(model.backward()).all()


def test_noise_of_a_penalty_is_replayed_or_refused():
    model = autoencoder(code=Sigmoid, penalties=[Contraction(0.3, samples=2)])
    loss, noise = model.loss(X, rng=0), dict(model.noise)
    assert model.loss(X, noise=noise) == loss
    with pytest.raises(ValueError, match="noise must hold 'contraction'"):
        model.loss(X, noise={})
    with pytest.raises(ValueError, match=r"noise\['contraction'\] must have shape"):
        model.loss(X[:2], noise=noise)


def test_several_penalties_on_several_layers_with_weights_of_their_own():
    x = X[:, :3].copy()
    model = autoencoder((3, 4, 2), Sigmoid, Sigmoid, penalties=[KLSparsity(0.1, 0.7), KLSparsity(0.2, 0.1, at="encoder.1"), L2Sparsity(0.3, 2.0, at="decoder.1"),
                                                                Contraction(0.3), WeightDecay(0.01)])
    gradcheck.assert_gradients(model, x)
    model.loss(x)
    assert list(model.terms) == ["reconstruction", "sparsity", "sparsity 2", "sparsity 3", "contraction", "weight decay"]
    h = model.encoder.layers[1].forward(model.encoder.layers[0].forward(x))
    m = h.mean(axis=0)
    assert model.terms["sparsity 2"] == pytest.approx(0.1 * np.sum(0.2 * np.log(0.2 / m) + 0.8 * np.log(0.8 / (1 - m))), rel=1e-13)


def test_sparsity_of_a_unit_over_the_batch_and_of_a_sample_over_the_units():
    for over, axis in (("batch", 0), ("units", 1)):
        model = autoencoder(code=Sigmoid, penalties=[KLSparsity(0.1, 0.7, over=over), L1Sparsity(0.1, 0.5, over=over), L2Sparsity(0.1, 0.3, over=over)])
        model.loss(X)
        m = model.encode(X).mean(axis=axis)
        divisor = 1 if over == "batch" else len(X)
        kl = 0.1 * np.log(0.1 / m) + 0.9 * np.log(0.9 / (1 - m))
        assert model.terms["sparsity"] == pytest.approx(0.7 * kl.sum() / divisor, rel=1e-13)
        assert model.terms["sparsity 2"] == pytest.approx(0.5 * np.abs(m - 0.1).sum() / divisor, rel=1e-13)
        assert model.terms["sparsity 3"] == pytest.approx(0.3 * np.sum((m - 0.1)**2) / divisor, rel=1e-13)


def test_the_kl_is_that_of_two_coins():
    """Monte Carlo: E_ρ[log ρ(x) - log m(x)] for coins with ρ = 0.2 and m = 0.6."""
    penalty, rng = KLSparsity(0.2, 1.0), np.random.default_rng(0)
    heads = rng.random(200000) < 0.2
    ratios = np.where(heads, np.log(0.2 / 0.6), np.log(0.8 / 0.4))
    assert abs(penalty.distance(np.array([0.6]))[0] - ratios.mean()) < 4 * ratios.std() / np.sqrt(ratios.size)
    assert penalty.distance(np.array([0.2]))[0] == 0 and penalty.slope(np.array([0.2]))[0] == pytest.approx(0, abs=1e-15)


def test_a_mini_batch_sees_too_much_sparsity_penalty():
    """KL is convex, so its mean over batches is above its value over all data."""
    x = 8 * np.random.default_rng(3).random((2000, 5))
    model = autoencoder(code=Sigmoid, penalties=[KLSparsity(0.1, 1.0)])
    model.loss(x)
    whole, parts = model.terms["sparsity"], []
    for batch in x.reshape(100, 20, 5):
        model.loss(batch)
        parts.append(model.terms["sparsity"])
    assert np.mean(parts) > whole + 3 * np.std(parts) / 10


@pytest.mark.parametrize("hidden, code", [(Sigmoid, None), (Sigmoid, Sigmoid), (Tanh, Tanh), (Softplus, None), (Softplus, Softplus)])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 7, 3), (5, 11, 7, 3)])
def test_contraction_is_the_jacobian(sizes, hidden, code):
    model = autoencoder(sizes, hidden, code, penalties=[Contraction(0.3)])
    model.loss(X)
    J = jacobian(copy.deepcopy(model.encoder), X)
    assert abs(model.terms["contraction"] - 0.3 * np.sum(J**2) / len(X)) < 1e-8


def test_contraction_of_one_sigmoid_layer_has_a_closed_form():
    """Rifai 2011, §3.2: Σ_j (h_j (1 - h_j))² Σ_i W_ij², and its gradient written out by hand."""
    model = autoencoder(code=Sigmoid, penalties=[Contraction(0.3)])
    model.loss(X)
    dense = model.encoder.layers[0]
    h = model.encode(X)
    slope = h * (1 - h)
    norms = np.sum(dense.W**2, axis=0)
    assert model.terms["contraction"] == pytest.approx(0.3 * np.mean(slope**2 @ norms), rel=1e-13)
    model.loss(X)
    model.weights["reconstruction"] = 0 * model.weights["reconstruction"]
    model.backward()
    da = 2 * slope**2 * (1 - 2 * h) * norms
    dW = 0.3 * (2 * dense.W * np.mean(slope**2, axis=0) + X.T @ da / len(X))
    assert np.abs(dense.dW - dW).max() < 1e-14
    assert np.abs(dense.db - 0.3 * da.mean(axis=0)).max() < 1e-14


def test_contraction_by_random_directions_is_unbiased():
    x = X[:, :3].copy()
    model = autoencoder((3, 4, 2), code=Sigmoid, penalties=[Contraction(0.3)])
    model.loss(x)
    model.weights["reconstruction"] = 0 * model.weights["reconstruction"]
    exact, gradient = model.terms["contraction"], model.backward().copy()
    guess = Autoencoder(copy.deepcopy(model.encoder), copy.deepcopy(model.decoder), SquaredError(), penalties=[Contraction(0.3, samples=2)])
    values, gradients = [], []
    rng = np.random.default_rng(5)
    for _ in range(1000):
        guess.loss(x, rng=rng)
        guess.weights["reconstruction"] = 0 * guess.weights["reconstruction"]
        values.append(guess.terms["contraction"])
        gradients.append(guess.backward().copy())
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values) - exact) < 4 * error and error < 0.05 * exact
    errors = np.std(gradients, axis=0) / np.sqrt(len(values))
    off = np.abs(np.mean(gradients, axis=0) - gradient)[errors > 0] / errors[errors > 0]
    assert len(off) == 26 and off.max() < 4.5                      # false one time in 5000 for 26 normal numbers
    guess.loss(x, rng=1)
    assert guess.loss(x, noise=guess.noise) == guess.loss(x, rng=1)


def test_weight_decay_counts_every_matrix_once_and_no_bias():
    model = autoencoder((5, 7, 3), tied=True, penalties=[WeightDecay(0.1)])
    model.loss(X)
    assert model.terms["weight decay"] == pytest.approx(0.1 * sum(np.sum(layer.W**2) for layer in model.encoder.layers[::2]), rel=1e-13)


def test_float32_stays_float32():
    model = autoencoder((5, 7, 3), code=Sigmoid, penalties=[KLSparsity(0.1, 0.7), Contraction(0.3), L1Sparsity(0.1, 0.2), WeightDecay(0.1),
                                                            Contraction(0.1, samples=2)]).astype(np.float32)
    model.loss(X.astype(np.float32), rng=0)
    assert model.backward().dtype == np.float32 and all(isinstance(value, float) for value in model.terms.values())
    assert model.encoder.layers[0].dW.dtype == np.float32
    for name, penalty, *_ in model.penalised:
        assert all(delta.dtype == np.float32 for delta in penalty.backward(model.weights[name]).values())


def test_copies_have_penalties_of_their_own():
    model = autoencoder((3, 2), code=Sigmoid, penalties=[Contraction(0.3), KLSparsity(0.1, 0.2)])
    twin = copy.deepcopy(model)
    twin.w *= 2
    assert twin.loss(X[:, :3]) != model.loss(X[:, :3])
    gradcheck.assert_gradients(twin, X[:, :3])
    gradcheck.assert_gradients(model, X[:, :3])


def test_full_batches_reach_the_target():
    x = np.random.default_rng(2).random((100, 5))
    model = autoencoder((5, 6), code=Sigmoid, penalties=[KLSparsity(0.2, 10.0)])
    lbfgs(model, x, iterations=200)
    assert np.abs(model.encode(x).mean(axis=0) - 0.2).max() < 0.02


@pytest.mark.parametrize("make, sentence", [
    (lambda: KLSparsity(0, 1.0), "KLSparsity: rho must be between 0 and 1, got 0"),
    (lambda: KLSparsity(1.0, 1.0), "KLSparsity: rho must be between 0 and 1, got 1.0"),
    (lambda: L1Sparsity(np.nan, 1.0), "L1Sparsity: rho must be a number, got nan"),
    (lambda: L2Sparsity(0.1, -1.0), "L2Sparsity: weight must be a positive number, got -1.0"),
    (lambda: KLSparsity(0.1, 1.0, over="all"), 'over must be "batch" or "units", got \'all\''),
    (lambda: Contraction(1.0, samples=0), "Contraction: samples must be a whole number of at least 1, got 0"),
    (lambda: autoencoder(code=Tanh, penalties=[KLSparsity(0.1, 1.0)]), r"activations must lie in \(0, 1\), got Tanh\(\): use Sigmoid\(\)"),
    (lambda: autoencoder(penalties=[L1Sparsity(0.1, 1.0)]), r"needs the output of an elementwise activation, got Dense\(5 -> 3\): put Identity\(\) behind it"),
    (lambda: autoencoder(penalties=[L1Sparsity(0.1, 1.0, at="encoder.4")]), r"no layer encoder.4; there are encoder.0, decoder.0"),
    (lambda: autoencoder(penalties=[L1Sparsity(0.1, 1.0, at="middle")]), "no layer middle"),
    (lambda: autoencoder(code=ReLU, penalties=[Contraction(1.0)]), r"second derivative \(Sigmoid.*got ReLU\(\)"),
    (lambda: autoencoder(code=Softmax, penalties=[Contraction(1.0)]), r"got Softmax\(\)"),
    (lambda: Autoencoder(Sequential(Dense(5, 3), TopK(2)), mlp([3, 5]), SquaredError(), penalties=[Contraction(1.0)]), r"got TopK"),
    (lambda: Autoencoder(Sequential(Dropout(0.2), Dense(5, 3)), mlp([3, 5]), SquaredError(), penalties=[Contraction(1.0)]), r"got Dropout"),
    (lambda: autoencoder(penalties=["sparse"]), "penalties must be a Penalty, got str"),
    (lambda: Autoencoder(mlp([5, 3]), mlp([3, 5]), SquaredError(), penalties=WeightDecay(0.1)),
     r"penalties must be a list of penalties, got WeightDecay\(weight=0.1\)"),
    (lambda: autoencoder(penalties=[WeightDecay("1")]), "WeightDecay: weight must be a positive number, got '1'"),
    (lambda: L1Sparsity(0.1, 1.0, at=1), "L1Sparsity: at must be the name of a layer, such as 'encoder.1', got 1"),
    (lambda: unequal_depth(), "must use the encoder's 2 Dense layers in reverse order, got 1 "),
    (lambda: Autoencoder(mlp([5, 3]), mlp([3, 5]), SquaredError(), corruption=GaussianNoise),
     "corruption must be a Corruption, got "),
    (lambda: autoencoder(penalties=[WeightDecay]), r"penalties must be a Penalty, got WeightDecay: write WeightDecay\(\)"),
    (lambda: Autoencoder(mlp([5, 3]), mlp([3, 5]), SquaredError(), corruption=0.3), "corruption must be a Corruption, got float"),
    (lambda: autoencoder(criterion=BernoulliNLL()).check(3 * X), r"targets must lie in \[0, 1\]"),
    (lambda: Autoencoder(mlp([5, 3]), mlp([4, 5]), SquaredError()), "the code has 3 numbers, but the decoder takes 4")])
def test_bad_input(make, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()


def unequal_depth():
    first, second = Dense(5, 5), Dense(5, 5)
    return Autoencoder(Sequential(first, Tanh(), second), TiedDense(second), SquaredError())


def test_denoising_and_penalties_together():
    model = autoencoder((3, 4, 2), code=Sigmoid, penalties=[Contraction(0.3), KLSparsity(0.1, 0.2)])
    noisy = Autoencoder(copy.deepcopy(model.encoder), copy.deepcopy(model.decoder), SquaredError(), GaussianNoise(0.3), [Contraction(0.3), KLSparsity(0.1, 0.2)])
    gradcheck.assert_gradients(noisy, X[:, :3])
