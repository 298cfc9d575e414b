"""Activations: values against scipy and closed forms, derivatives against finite differences, and large inputs."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from numpyae import ELU, Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh
from tests.numerical import assert_gradients, numerical_derivative

some = settings(deadline=None, max_examples=30, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
VALUES = {Identity: lambda a: a, Sigmoid: special.expit, Tanh: np.tanh, ReLU: lambda a: np.where(a > 0, a, 0),
          Softplus: lambda a: np.logaddexp(0, a), ELU: lambda a: np.where(a > 0, a, special.expm1(np.minimum(a, 0)))}
SMOOTH = [Identity, Sigmoid, Tanh, Softplus]
elementwise = pytest.mark.parametrize("activation", VALUES, ids=lambda cls: cls.__name__)


def without_kinks(rng, shape, spread=3.0):
    """Random numbers no closer to 0 than 0.01, where ReLU has no derivative and ELU no second one."""
    a = spread * rng.standard_normal(shape)
    return a + 0.01 * np.sign(a)


@elementwise
@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(1, 5), st.integers(1, 5), seeds, st.sampled_from([np.float32, np.float64]))
def test_values_and_backward(activation, N, D, seed, dtype):
    rng = np.random.default_rng(seed)
    a, delta = without_kinks(rng, (N, D), 8.0).astype(dtype), rng.standard_normal((N, D)).astype(dtype)
    kept = a.copy(), delta.copy()
    layer = activation()
    h = layer.forward(a)
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype is np.float32 else {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(h, VALUES[activation](a.astype(np.float64)), **tolerance)
    before = h.copy()
    da = layer.backward(delta)
    assert h.dtype == da.dtype == layer.derivative().dtype == dtype and layer.derivative().shape == a.shape
    np.testing.assert_allclose(da, delta * layer.derivative(), **tolerance)
    for now, then in ((a, kept[0]), (delta, kept[1]), (h, before)):
        np.testing.assert_array_equal(now, then)


@elementwise
def test_derivatives_against_finite_differences(activation):
    a = without_kinks(np.random.default_rng(0), (40, 5))
    layer = activation()
    layer.forward(a)
    np.testing.assert_allclose(layer.derivative(), numerical_derivative(VALUES[activation], a), rtol=1e-8, atol=1e-10)
    if activation is ReLU:
        assert not hasattr(layer, "second_derivative")
        return

    def slope(a):
        other = activation()
        other.forward(a)
        return other.derivative()

    np.testing.assert_allclose(layer.second_derivative(), numerical_derivative(slope, a), rtol=1e-8, atol=1e-10)
    assert layer.second_derivative().shape == a.shape
    assert_gradients(activation(), a[:3], np.random.default_rng(1))


@pytest.mark.parametrize("activation", SMOOTH, ids=lambda cls: cls.__name__)
def test_derivatives_at_zero(activation):
    a = np.zeros((1, 1))
    layer = activation()
    layer.forward(a)
    np.testing.assert_allclose(layer.derivative(), numerical_derivative(VALUES[activation], a), atol=1e-10)
    expected = {Identity: 0, Sigmoid: 0, Tanh: 0, Softplus: 0.25}[activation]
    assert layer.second_derivative()[0, 0] == pytest.approx(expected, abs=1e-15)


def test_the_kinks():
    relu, elu = ReLU(), ELU()
    relu.forward(np.array([[0.0, -0.0, 1e-300]]))
    np.testing.assert_array_equal(relu.derivative(), [[0, 0, 1]])
    np.testing.assert_array_equal(relu.backward(np.array([[2.0, 2.0, 2.0]])), [[0, 0, 2]])
    assert elu.forward(np.array([[0.0]]))[0, 0] == 0 and elu.derivative()[0, 0] == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [*VALUES, Softmax], ids=lambda cls: cls.__name__)
def test_huge_inputs_without_a_warning(activation, dtype):
    a = np.array([[-1e4, -800, -100, -20, 0, 20], [100, 800, 1e4, 1e-4, -1e-4, -1e4], [1e4] * 6, [-1e4] * 6], dtype)
    layer = activation()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        h = layer.forward(a)
        results = [h, layer.backward(np.ones_like(a))]
        for name in ("derivative", "second_derivative"):
            if hasattr(layer, name):
                results.append(getattr(layer, name)())
    for result in results:
        assert np.isfinite(result).all() and result.dtype == dtype
    expected = VALUES.get(activation, lambda a: special.softmax(a, axis=1))(a.astype(np.float64))
    np.testing.assert_allclose(h, expected, rtol=1e-6, atol=1e-7)


def test_the_functions():
    a = np.linspace(-40, 40, 801)
    np.testing.assert_allclose(Sigmoid().forward(a), special.expit(a), rtol=1e-14)
    np.testing.assert_allclose(Softplus().forward(a), np.logaddexp(0, a), rtol=1e-14)
    np.testing.assert_allclose(Sigmoid().forward(a) + Sigmoid().forward(-a), 1, rtol=1e-15)


@some
@given(st.integers(1, 5), st.integers(1, 6), seeds)
def test_softmax(N, K, seed):
    rng = np.random.default_rng(seed)
    a, delta = 3 * rng.standard_normal((N, K)), rng.standard_normal((N, K))
    layer = Softmax()
    p = layer.forward(a)
    np.testing.assert_allclose(p, special.softmax(a, axis=1), rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(layer.forward(a + 1000), p, rtol=1e-10)
    layer.forward(a)
    expected = [(np.diag(p[n]) - np.outer(p[n], p[n])) @ delta[n] for n in range(N)]
    np.testing.assert_allclose(layer.backward(delta), expected, atol=1e-13)
    assert_gradients(Softmax(), a, rng)
