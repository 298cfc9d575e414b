"""Basis functions: the design matrix against loops and closed forms, the way back against finite differences, and bad input."""

import copy
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from numpyae import Adam, Dense, GradientDescent, Regression, Sequential, SquaredError, datasets, fit, gradcheck, lbfgs
from numpyae.basis import FourierBasis, GaussianBasis, PolynomialBasis, SigmoidBasis
from numpyae.checkpoints import load_model
from tests.numerical import assert_gradients, assert_model_gradient

some = settings(deadline=None, max_examples=25, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
KINDS = [PolynomialBasis, FourierBasis, GaussianBasis, SigmoidBasis]
each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def make(kind, D, rng, bias=True):
    """A basis of this kind for D inputs, of moderate slopes where |x| is of order 1."""
    if kind is PolynomialBasis:
        return PolynomialBasis(3, D, bias=bias)
    if kind is FourierBasis:
        return FourierBasis(2, D, period=4.0, bias=bias)
    if kind is GaussianBasis:
        return GaussianBasis(rng.normal(size=(5, D)), 0.8, bias=bias)
    return SigmoidBasis(rng.normal(size=(5, D)), 0.8, rng.normal(size=(5, D)), bias=bias)


def by_loops(basis, x):
    """Φ, one number at a time, from the formulas of the docstrings."""
    rows = []
    for point in x:
        if isinstance(basis, PolynomialBasis):
            row = [math.prod(value**power for value, power in zip(point, powers)) for powers in basis.powers]
        elif isinstance(basis, FourierBasis):
            angles = [2 * math.pi * sum(k * value for k, value in zip(wave, point)) / basis.period for wave in basis.k.T]
            row = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
        elif isinstance(basis, GaussianBasis):
            row = [math.exp(-sum((a - c)**2 for a, c in zip(point, centre)) / (2 * basis.width**2)) for centre in basis.centres]
        else:
            row = [expit(sum(v * (a - c) for v, a, c in zip(direction, point, centre)) / basis.width)
                   for direction, centre in zip(basis.directions, basis.centres)]
        rows.append([1.0] * basis.bias + row)
    return np.array(rows)


# --------------------------------------------------------------------------------------------------------- functions

@each
@some
@given(st.integers(1, 6), st.integers(1, 3), seeds, st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_the_design_matrix_is_that_of_the_formula(kind, N, D, seed, bias, dtype):
    rng = np.random.default_rng(seed)
    basis, x = make(kind, D, rng, bias), rng.normal(size=(N, D)).astype(dtype)
    kept = x.copy()
    phi = basis.forward(x)
    delta = rng.normal(size=phi.shape).astype(dtype)
    before = phi.copy(), delta.copy()
    dx = basis.backward(delta)
    assert phi.shape == (N, basis.n_out) and dx.shape == x.shape and phi.dtype == dx.dtype == dtype
    tolerance = {"rtol": 2e-4, "atol": 2e-5} if dtype is np.float32 else {"rtol": 1e-11, "atol": 1e-13}       # some 20 roundings
    np.testing.assert_allclose(phi, by_loops(basis, x.astype(np.float64)), **tolerance)
    for now, then in ((x, kept), (phi, before[0]), (delta, before[1])):
        np.testing.assert_array_equal(now, then)


def test_the_functions_by_hand():
    x = np.array([[0.0], [0.5], [-2.0]])
    np.testing.assert_array_equal(PolynomialBasis(3).forward(x), [[1, 0, 0, 0], [1, 0.5, 0.25, 0.125], [1, -2, 4, -8]])
    np.testing.assert_allclose(FourierBasis(1, period=2.0).forward(x), [[1, 1, 0], [1, 0, 1], [1, 1, 0]], atol=1e-15)
    np.testing.assert_allclose(GaussianBasis([0.0, 0.5], 0.5).forward(x[:2]), [[1, 1, math.exp(-0.5)], [1, math.exp(-0.5), 1]])
    np.testing.assert_allclose(SigmoidBasis([0.0], 0.5).forward(x), [[1, 0.5], [1, 1 / (1 + math.exp(-1))], [1, 1 / (1 + math.exp(4))]])


def test_two_inputs_by_hand():
    x = np.array([[2.0, 3.0]])
    np.testing.assert_array_equal(PolynomialBasis(2, 2).forward(x), [[1, 2, 3, 4, 6, 9]])
    quarter = FourierBasis(1, 2, period=4.0).forward(np.array([[1.0, 0.0]]))[0]       # x₁ at a quarter of the period
    waves = [(0, 1), (1, -1), (1, 0), (1, 1)]
    assert FourierBasis(1, 2).k.T.tolist() == [list(k) for k in waves]
    np.testing.assert_allclose(quarter, [1] + [1 if k1 == 0 else 0 for k1, _ in waves] + [k1 for k1, _ in waves], atol=1e-15)
    step = SigmoidBasis([[1.0, 1.0]], 0.1, [[1.0, -1.0]])
    np.testing.assert_allclose(step.forward(np.array([[1.0, 1.0], [7.0, 7.0], [1.1, 1.0]]))[:, 1], [0.5, 0.5, expit(1)])    # level across v


@pytest.mark.parametrize("D, order", [(1, 0), (1, 4), (2, 3), (3, 2), (5, 2), (4, 1)])
def test_how_many_functions(D, order):
    assert PolynomialBasis(order, D).n_out == math.comb(D + order, order)
    powers = [tuple(row) for row in PolynomialBasis(order, D).powers.astype(int)]
    expected = {p for p in itertools.product(range(order + 1), repeat=D) if 0 < sum(p) <= order}
    assert set(powers) == expected and len(powers) == len(expected)
    fourier = FourierBasis(order, D)
    assert fourier.n_out == (2 * order + 1)**D
    both = {tuple(k) for k in fourier.k.T} | {tuple(-k) for k in fourier.k.T}
    assert both == set(itertools.product(range(-order, order + 1), repeat=D)) - {(0,) * D}


@pytest.mark.parametrize("D", [1, 2])
def test_waves_are_orthogonal_on_a_period(D):
    """Σ_n φ_i φ_j over a grid with more than 2 order points per period: N for the 1, N/2 for every wave, 0 between two."""
    basis, n = FourierBasis(2, D, period=3.0), 7
    axis = 3.0 * np.arange(n) / n - 1.2
    x = np.stack(np.meshgrid(*[axis] * D), axis=-1).reshape(-1, D)
    phi = basis.forward(x)
    np.testing.assert_allclose(phi.T @ phi, len(x) * np.diag([1.0] + [0.5] * (basis.n_out - 1)), atol=1e-12)
    np.testing.assert_allclose(basis.forward(x + 3.0), phi, atol=1e-12)


def test_a_sigmoid_basis_is_a_hidden_layer_with_fixed_weights():
    rng = np.random.default_rng(0)
    basis, x = make(SigmoidBasis, 3, rng, bias=False), rng.normal(size=(7, 3))
    hidden = Dense(3, 5)
    hidden.W = basis.directions.T / basis.width
    hidden.b = -np.sum(basis.directions * basis.centres, axis=1) / basis.width
    np.testing.assert_allclose(basis.forward(x), expit(hidden.forward(x)), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_from_all_centres_without_a_warning(dtype):
    x = np.array([[-1e6], [-40.0], [0.0], [1e6]], dtype)
    for basis, far in ((GaussianBasis([0.0], 0.01), 0), (SigmoidBasis([0.0], 0.01), 1)):
        phi = basis.forward(x)
        dx = basis.backward(np.ones_like(phi))
        np.testing.assert_array_equal(phi[[0, 3], 1], [0, far])
        np.testing.assert_array_equal(dx[[0, 1, 3]], 0)


def test_centres_are_copied():
    centres = np.zeros(3)
    basis = GaussianBasis(centres, 1.0)
    centres[:] = 5
    assert not basis.centres.any()


# --------------------------------------------------------------------------------------------------------- gradients

@each
@some
@given(st.integers(1, 4), st.integers(1, 3), seeds, st.booleans())
def test_backward_against_finite_differences(kind, N, D, seed, bias):
    rng = np.random.default_rng(seed)
    assert_gradients(make(kind, D, rng, bias), rng.normal(size=(N, D)), rng)


@each
@pytest.mark.parametrize("D, bias", [(1, True), (3, False)])
def test_gradcheck_agrees(kind, D, bias):
    rng = np.random.default_rng(1)
    gradcheck.assert_gradients(make(kind, D, rng, bias), rng.normal(size=(7, D)))


def test_powers_have_a_slope_at_zero():
    """0 is where x^p p / x would be 0/0."""
    basis = PolynomialBasis(2, 2)
    basis.forward(np.zeros((1, 2)))
    np.testing.assert_array_equal(basis.backward(np.array([[7.0, 2, 3, 5, 5, 5]])), [[2, 3]])


@each
def test_in_the_middle_of_a_network(kind):
    """dx is needed there: a Dense in front of the basis learns through it."""
    rng = np.random.default_rng(2)
    basis = make(kind, 2, rng, bias=False)
    model = Regression(Sequential(Dense(3, 2, rng=rng), basis, Dense(basis.n_out, 2, rng=rng)), SquaredError())
    assert_model_gradient(model, rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), rng=rng)


# -------------------------------------------------------------------------------------------------------- as a model

@each
def test_training_gives_the_least_squares_fit(kind):
    """Several inputs and outputs; minimised by L-BFGS, whose end is flat to about 1e-8 of the loss."""
    rng = np.random.default_rng(3)
    x, t = rng.uniform(-2, 2, (60, 2)), rng.normal(size=(60, 3))     # a whole period of the waves
    basis = make(kind, 2, rng, bias=False)
    model = Regression(Sequential(basis, Dense(basis.n_out, 3, rng=rng)), SquaredError())
    lbfgs(model, x, t)
    with_one = copy.deepcopy(basis)
    with_one.bias, with_one.n_out = True, basis.n_out + 1
    phi = with_one.forward(x)
    best = np.sum((phi @ np.linalg.lstsq(phi, t, rcond=None)[0] - t)**2) / 60
    assert best - 1e-12 <= model.loss(x, t) <= best * (1 + 1e-5)


@each
def test_both_parameterisations_of_the_bias_are_equal(kind):
    """w₀ of φ₀ ≡ 1, or the b of Dense: the same curve, the same loss, the same gradient."""
    x, t = np.random.default_rng(4).uniform(-1, 1, (11, 2)), np.random.default_rng(5).normal(size=(11, 3))
    one, none = make(kind, 2, np.random.default_rng(6)), make(kind, 2, np.random.default_rng(6), bias=False)
    dense = Dense(none.n_out, 3, rng=np.random.default_rng(7))
    dense.b = [0.3, -0.2, 0.5]
    first = Dense(one.n_out, 3, init="zeros")
    first.W = np.vstack([dense.b, dense.W])
    phi0, with_b = Regression(Sequential(one, first), SquaredError()), Regression(Sequential(none, dense), SquaredError())
    np.testing.assert_array_equal(one.forward(x)[:, 1:], none.forward(x))
    np.testing.assert_allclose(phi0.predict(x), with_b.predict(x), rtol=1e-13, atol=1e-14)
    assert phi0.loss(x, t) == pytest.approx(with_b.loss(x, t), rel=1e-13)
    phi0.backward()
    with_b.backward()
    np.testing.assert_allclose(first.dW, np.vstack([dense.db, dense.dW]), rtol=1e-12, atol=1e-13)


def test_float32_models_train():
    x, t = datasets.noisy_sine(20, rng=np.random.default_rng(0))
    x, t = x.astype(np.float32), t.astype(np.float32)
    basis = GaussianBasis(np.linspace(0, 1, 8), 0.15, bias=False)
    model = Regression(Sequential(basis, Dense(8, 1, rng=np.random.default_rng(1))), SquaredError()).astype(np.float32)
    history = fit(model, x, t, optimizer=Adam(0.05), epochs=100, batch_size=20, rng=np.random.default_rng(2))
    assert model.w.dtype == np.float32 and history.loss[-1] < 0.3 * history.loss[0]


def test_a_basis_of_a_later_step_has_the_settings_of_now():
    """Attributes are read in forward: a slide show may change the width."""
    basis = GaussianBasis([0.0], 1.0, bias=False)
    basis.width = 2.0
    assert basis.forward(np.array([[2.0]]))[0, 0] == pytest.approx(math.exp(-0.5))


@each
def test_sizes_names_and_copies(kind):
    basis = make(kind, 2, np.random.default_rng(8))
    assert repr(basis) == f"{kind.__name__}(2 -> {basis.n_out})" and basis.n_in == 2 and basis.w.size == 0
    x = np.random.default_rng(9).normal(size=(3, 2))
    again = kind(**{name: getattr(basis, name) for name in basis.arguments})
    for other in (copy.deepcopy(basis), again):
        np.testing.assert_array_equal(other.forward(x), basis.forward(x))
    with pytest.raises(ValueError, match="takes 3 values, but the layers before give"):
        Sequential(basis, Dense(3, 1))


def test_the_order_one_model_is_a_straight_line_and_gradient_descent_finds_it():
    x = np.linspace(-1, 1, 9)[:, None]
    model = Regression(Sequential(PolynomialBasis(1), Dense(2, 1, init="zeros")), SquaredError())
    optimizer = GradientDescent(0.3)
    for _ in range(400):
        model.loss(x, 2 - 3 * x)
        optimizer.step(model.w, model.backward())
    np.testing.assert_allclose(model.predict(x), 2 - 3 * x, atol=1e-12)


# --------------------------------------------------------------------------------------------------------- bad input

@pytest.mark.parametrize("call, sentence", [
    (lambda: PolynomialBasis(-1), "PolynomialBasis: order must be a whole number of at least 0, got -1"),
    (lambda: PolynomialBasis(2.5), "PolynomialBasis: order must be a whole number of at least 0, got 2.5"),
    (lambda: PolynomialBasis(True), "PolynomialBasis: order must be a whole number of at least 0, got True"),
    (lambda: PolynomialBasis(0, bias=False), "PolynomialBasis: order must be a whole number of at least 1 without bias, got 0"),
    (lambda: PolynomialBasis(2, n_in=0), "PolynomialBasis: n_in must be a whole number of at least 1, got 0"),
    (lambda: FourierBasis(-2), "FourierBasis: order must be a whole number of at least 0, got -2"),
    (lambda: FourierBasis(2, n_in=1.5), "FourierBasis: n_in must be a whole number of at least 1, got 1.5"),
    (lambda: FourierBasis(2, period=0), "FourierBasis: period must be a positive number, got 0"),
    (lambda: FourierBasis(2, period=math.nan), "FourierBasis: period must be a positive number, got nan"),
    (lambda: GaussianBasis([0, 1], 0.0), "GaussianBasis: width must be a positive number, got 0.0"),
    (lambda: GaussianBasis([0, 1], -1), "GaussianBasis: width must be a positive number, got -1"),
    (lambda: GaussianBasis([0, 1], math.nan), "GaussianBasis: width must be a positive number, got nan"),
    (lambda: GaussianBasis([0, 1], math.inf), "GaussianBasis: width must be a positive number, got inf"),
    (lambda: GaussianBasis([0, 1], [1.0, 1.0]), "GaussianBasis: width must be a positive number, got [1.0, 1.0]"),
    (lambda: GaussianBasis([0, math.nan], 1.0), "GaussianBasis: centres must be finite, got nan in row 1, column 0"),
    (lambda: GaussianBasis([[0, 1], [math.inf, 1]], 1.0), "GaussianBasis: centres must be finite, got inf in row 1, column 0"),
    (lambda: GaussianBasis([], 1.0), "GaussianBasis: centres must have shape (M, D), or (M,) for one input, got (0, 1)"),
    (lambda: GaussianBasis(0.5, 1.0), "GaussianBasis: centres must have shape (M, D), or (M,) for one input, got ()"),
    (lambda: GaussianBasis(np.zeros((2, 0)), 1.0), "GaussianBasis: centres must have shape (M, D), or (M,) for one input, got (2, 0)"),
    (lambda: SigmoidBasis(np.zeros((2, 2, 2)), 1.0), "SigmoidBasis: centres must have shape (M, D), or (M,) for one input, got (2, 2, 2)"),
    (lambda: SigmoidBasis([0, 1], 0), "SigmoidBasis: width must be a positive number, got 0"),
    (lambda: SigmoidBasis(np.zeros((3, 2)), 1), "SigmoidBasis: directions must have shape (3, 2), one for each centre, got (3, 1)"),
    (lambda: SigmoidBasis(np.zeros((3, 2)), 1, [[1.0, 0.0]]),
     "SigmoidBasis: directions must have shape (3, 2), one for each centre, got (1, 2)"),
    (lambda: SigmoidBasis([0.0], 1, [math.nan]), "SigmoidBasis: directions must be finite, got nan in row 0, column 0")])
def test_what_cannot_be_built_is_named(call, sentence):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == sentence


@each
@pytest.mark.parametrize("x, error, sentence", [
    (np.zeros(3), ValueError, "x must have shape (N, 2), got (3,)"),
    (np.zeros((5, 3)), ValueError, "x must have shape (N, 2), got (5, 3)"),
    (np.zeros((1, 5, 2)), ValueError, "x must have shape (N, 2), got (1, 5, 2)"),
    ([[0.0, 1.0]], TypeError, "x must be a NumPy array, got list"),
    (np.zeros((5, 2), int), TypeError, "x must be float64, got int64: write x.astype(np.float64)"),
    (np.zeros((5, 2), np.float16), TypeError, "x must be float64, got float16: write x.astype(np.float64)"),
    (np.zeros((5, 2), complex), TypeError, "x must be float64, got complex128"),
    (np.array([[0.0, 1.0], [np.nan, 0.0]]), ValueError, "x must be finite, got nan in row 1, column 0"),
    (np.array([[0.0, -np.inf]], np.float32), ValueError, "x must be finite, got -inf in row 0, column 1")])
def test_a_wrong_input_is_named(kind, x, error, sentence):
    basis = make(kind, 2, np.random.default_rng(10))
    with pytest.raises(error) as caught:
        basis.forward(x)
    assert str(caught.value) == f"{basis!r}: {sentence}"


@each
@pytest.mark.parametrize("bias", [True, False])
def test_a_delta_of_another_shape_is_not_broadcast(kind, bias):
    basis = make(kind, 2, np.random.default_rng(11), bias)
    basis.forward(np.zeros((4, 2)))
    for shape in ((4, 1), (1, basis.n_out), (4, basis.n_out + 1)):
        with pytest.raises(ValueError) as caught:
            basis.backward(np.ones(shape))
        assert str(caught.value) == f"{basis!r}: delta must have shape {(4, basis.n_out)}, got {shape}"


@pytest.mark.parametrize("basis", [PolynomialBasis(3, bias=False), FourierBasis(2, bias=False), GaussianBasis(np.linspace(0, 1, 4), 0.3, bias=False),
                                   SigmoidBasis(np.linspace(0, 1, 4), 0.3)], ids=repr)
def test_a_checkpoint_rebuilds_a_model_on_a_basis(basis, tmp_path):
    x, t = datasets.noisy_sine(20, rng=0)
    model = Regression(Sequential(basis, Dense(basis.n_out, 1, rng=0)), SquaredError())
    fit(model, x, t, optimizer=Adam(0.01), epochs=1, batch_size=5, checkpoint=tmp_path / "kept.npz", rng=0)
    assert np.array_equal(load_model(tmp_path / "kept.npz").predict(x), model.predict(x))
