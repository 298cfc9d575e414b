"""The RBM against enumeration of all its states, its gradient against finite differences, and what pre-training is for."""

import copy
import itertools

import numpy as np
import pytest

from numpyae import RBM, Adam, BernoulliNLL, MaskingNoise, Momentum, SquaredError, fit, gradcheck
from numpyae.pretraining import classifier, stack_denoisers, stack_rbms, unroll

V = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
H = np.array(list(itertools.product([0.0, 1.0], repeat=3)))


def tiny(**options):
    rbm = RBM(4, 3, rng=0, **options)
    rbm.w = np.random.default_rng(1).standard_normal(rbm.w.size)
    return rbm


def energy(rbm):
    """E(v, h) of all states, (16, 8)."""
    return -V @ rbm.W @ H.T - (V @ rbm.b)[:, None] - (H @ rbm.c)[None]


def test_free_energy_sums_over_the_hidden_states():
    rbm = tiny()
    assert np.abs(rbm.free_energy(V) + np.logaddexp.reduce(-energy(rbm), axis=1)).max() < 1e-14


def test_both_conditionals_are_those_of_the_joint_distribution():
    rbm = tiny()
    p = np.exp(-energy(rbm))
    assert np.abs(rbm.encode(V) - p @ H / p.sum(axis=1, keepdims=True)).max() < 1e-14
    assert np.abs(rbm.decode(H) - p.T @ V / p.sum(axis=0)[:, None]).max() < 1e-14


def test_gaussian_units_have_the_energy_of_a_gaussian():
    """F(v) = -log ∫ e^-E dh with E = ½ ‖h - c‖² - vᵀW h - bᵀv, by quadrature for one hidden unit."""
    rbm = RBM(3, 1, hidden="gaussian", rng=0)
    rbm.w = np.random.default_rng(1).standard_normal(rbm.w.size)
    v = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    h = np.linspace(-20, 20, 4001)
    E = 0.5 * (h - rbm.c)**2 - (v @ rbm.W) * h - (v @ rbm.b)[:, None]
    F = -np.log(np.sum(np.exp(-E), axis=1) * (h[1] - h[0]))
    assert np.ptp(F - rbm.free_energy(v)) < 1e-10                    # equal but for a constant, as in Z


def test_gibbs_sampling_ends_in_the_models_own_distribution():
    rbm, rng = tiny(), np.random.default_rng(0)
    p = np.exp(-rbm.free_energy(V))
    p /= p.sum()
    v = V[rng.integers(16, size=20000)]
    for _ in range(30):
        v = rbm.gibbs(v, rng)
    share = np.bincount((v @ [8, 4, 2, 1]).astype(int), minlength=16) / len(v)
    assert np.abs(share - p).max() < 5 * np.sqrt(0.25 / len(v))


@pytest.mark.parametrize("visible, hidden", [("bernoulli", "bernoulli"), ("gaussian", "bernoulli"), ("bernoulli", "gaussian")])
def test_gradients(visible, hidden):
    rbm = RBM(5, 3, visible, hidden, k=2, rng=0)
    rbm.w += 0.5 * np.random.default_rng(1).standard_normal(rbm.w.size)
    gradcheck.assert_gradients(rbm, (np.random.default_rng(2).random((7, 5)) < 0.5).astype(float))


def test_learns_a_distribution_that_can_be_enumerated():
    """Two patterns of four pixels: after contrastive divergence most of p(v) sits on them."""
    x = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])[np.random.default_rng(0).integers(2, size=400)]
    rbm = RBM(4, 3, k=3, rng=0)
    fit(rbm, x, optimizer=Momentum(0.05), epochs=60, batch_size=20, rng=1)
    p = np.exp(-rbm.free_energy(V))
    p /= p.sum()
    assert p[0b1100] + p[0b0011] > 0.8 and min(p[0b1100], p[0b0011]) > 0.3


def patterns(n=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    kinds = np.random.default_rng(9).random((3, 12)) < 0.5
    return np.where(rng.random((n, 12)) < 0.05, 1 - kinds[y], kinds[y]).astype(float), y


@pytest.fixture(scope="module")
def stacks():
    """A stack of Boltzmann machines and one of denoisers; nobody trains them further."""
    x, _ = patterns()
    return (stack_rbms(x, [12, 8, 3], epochs=60, batch_size=20, alpha=0.1, rng=0),
            stack_denoisers(x, [12, 8, 3], MaskingNoise(0.1), epochs=60, batch_size=20, alpha=0.02, rng=0))


@pytest.mark.parametrize("criterion", [BernoulliNLL(), SquaredError()], ids=repr)
def test_a_stack_unrolls_into_an_autoencoder_that_is_good_before_any_fine_tuning(criterion, stacks):
    x, _ = patterns()
    error = lambda model: np.sum((model.reconstruct(x) - x)**2) / len(x)
    for stack in copy.deepcopy(stacks):
        model = unroll(stack, type(criterion)())
        assert [layer.W.shape for layer in model.encoder.layers[::2]] == [(12, 8), (8, 3)]
        assert error(model) < 0.7 * x.var(axis=0).sum()
        assert np.allclose(model.encoder.layers[0].W, model.decoder.layers[2].W.T)
        first = stack[0].encode(x)
        assert np.allclose(model.encoder.layers[1].forward(model.encoder.layers[0].forward(x)), first)
        gradcheck.assert_gradients(model, x[:3])


def test_a_classifier_on_top_learns_from_few_labels(stacks):
    x, y = patterns()
    model = classifier(copy.deepcopy(stacks[0]), 3, rng=0)
    fit(model, x[:30], y[:30], optimizer=Adam(0.02), epochs=60, batch_size=10, rng=0)
    assert np.mean(model.predict(x[30:]).argmax(axis=1) == y[30:]) > 0.95


@pytest.mark.parametrize("make, sentence", [
    (lambda: RBM(0, 3), "RBM: n_visible must be a whole number of at least 1, got 0"),
    (lambda: RBM(4, 3, k=0), "RBM: k must be"), (lambda: RBM(4, 3, hidden="relu"), 'hidden must be "bernoulli" or "gaussian", got \'relu\''),
    (lambda: RBM(4, 3, "gaussian", "gaussian"), "one kind of units must be bernoulli"),
    (lambda: RBM(4, 3).check(2 * V), r"must lie in \[0, 1\] for bernoulli units, got 0 to 2"),
    (lambda: RBM(4, 3).encode(V[:, :3]), r"RBM: v must have shape \(N, 4\), got \(16, 3\)"),
    (lambda: RBM(4, 3).astype(np.float32).loss(V), "RBM: v must be float32, as the parameters are, got float64"),
    (lambda: unroll([RBM(4, 3, visible="gaussian")], SquaredError()), "the visible units must be bernoulli, got RBM"),
    (lambda: RBM(4, 3).check(V[:, :3]), r"x must have shape \(N, 4\), got \(16, 3\)")])
def test_bad_input(make, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        make()
